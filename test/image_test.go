package test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestImage: the program in the image is nobody's user and not root, where it writes is a volume, it is built by the Go that it
// wants, and its health check tells a hotline that serves from one that does not. The image itself is built where there is Docker.
func TestImage(t *testing.T) {
	t.Parallel()
	root := testkit.Module(t)
	read := func(path ...string) string {
		text, err := os.ReadFile(filepath.Join(append([]string{root}, path...)...))
		require.NoError(t, err)
		return string(text)
	}
	_, last, found := strings.Cut(strings.ReplaceAll(read("deploy", "Dockerfile"), "\\\n", " "), "\nFROM debian:")
	require.True(t, found)
	said := func(instruction string) string {
		m := regexp.MustCompile(`(?m)^`+instruction+`\s+(.*)$`).FindAllStringSubmatch(last, -1)
		require.Len(t, m, 1, instruction)
		return m[0][1]
	}
	require.Regexp(t, `^[1-9][0-9]+$`, said("USER"), "a number, so that Kubernetes can see that it is not root")
	require.Equal(t, said("VOLUME"), said("WORKDIR"), "./data would be lost with the container")
	require.Equal(t, "SIGTERM", said("STOPSIGNAL"))
	wants := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read("go.mod"))[1]
	require.Contains(t, read("deploy", "Dockerfile"), "FROM golang:"+wants+"-")

	_, check, found := strings.Cut(said("HEALTHCHECK"), "CMD ")
	require.True(t, found)
	var words []string
	require.NoError(t, json.Unmarshal([]byte(check), &words))
	h := testkit.StartHotline(t, testkit.HotlineOptions{})
	healthy := func() error {
		cmd := exec.CommandContext(t.Context(), words[0], words[1:]...) //nolint:gosec // of this repository
		cmd.Env = append(os.Environ(), "HOTLINE_HEALTH="+h.HTTP)
		return cmd.Run()
	}
	require.NoError(t, healthy())
	h.Signal(syscall.SIGTERM)
	require.Zero(t, h.ExitCode())
	require.Error(t, healthy())
}
