package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
)

// TestCheckMenus: what callers would live through in the menus is told like everything else that is wrong with a
// file, where it stands. Cases as in config/testdata; none reads a file of the operator's.
func TestCheckMenus(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/menus/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(file)
			require.NoError(t, err)
			require.Len(t, a.Files, 2)
			path := write(t, string(a.Files[0].Data))
			code, _, complaints := command(t, "check", path)
			want := 0
			if len(a.Files[1].Data) > 0 {
				want = exitFault
			}
			require.Equal(t, want, code, complaints)
			got := regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(path)+`:`).ReplaceAllString(complaints, "")
			require.Equal(t, string(a.Files[1].Data), got)
		})
	}
}

// TestReferenceMenus: the reference, in the words of the issue, is whole.
func TestReferenceMenus(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "reference.yaml"))
	require.NoError(t, err)
	cfg, err := loadConfig(write(t, string(text)))
	require.NoError(t, err)
	require.Empty(t, checkMenus(cfg))
}
