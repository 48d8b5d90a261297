package main

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"hotline/internal/testkit"
	"hotline/media/prompts"
)

// TestEverything: a file with every key of the README's tables checks out, is served, has its menus walked, and is
// read anew.
func TestEverything(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/everything.yaml")
	require.NoError(t, err)
	require.Empty(t, missingKeys(t, text), "of README.md's keys, in testdata/everything.yaml")

	first := testkit.FreePorts(t, 40)
	_, cert, key := testkit.Certificate(t)
	file := write(t, strings.NewReplacer(
		"PORTS", fmt.Sprintf("%d-%d", first, first+39), "DATA", filepath.Join(t.TempDir(), "data"), "PROMPTS", ownPrompts(t), "CERTIFICATES", certificates(t), "TLSCERT", cert, "TLSKEY", key,
	).Replace(string(text)))
	code, out, complaints := command(t, "check", file)
	require.Zero(t, code, complaints)
	require.Contains(t, out, "good: 2 numbers, 12 menus, 3 queues, 3 agents")

	code, out, complaints = command(t, "menu", file, "--try", "2,5", "--at", "2026-11-23 15:00") // 13:00 in Urumqi: closed
	require.Zero(t, code, complaints)
	require.Contains(t, out, "language en")
	require.Contains(t, out, "hours/closed")
	code, out, complaints = command(t, "menu", file, "--try", "1*", "--at", "2026-11-23 10:30")
	require.Zero(t, code, complaints)
	require.Contains(t, out, "queue gas-alarm")

	p := start(t, "serve", "--config", file, "--log-format", "json")
	p.says(t, "Ctrl-C")
	s := &serving{t: t, program: p, http: wallLine.FindStringSubmatch(p.out.String())[1]}
	p.hangups <- syscall.SIGHUP
	s.until("/metrics", `hotline_reloads_total{outcome="done"} 1`)
	status, _ := s.get("/api/v1/queues", "the-agents")
	require.Equal(t, http.StatusOK, status)
	p.stop()
	require.Zero(t, p.code(t))
	for _, secret := range []string{"the-supervisors", "the-agents", "signing", "token=x", "0123456789abcdef", `"secret"`, "secret-of-records", "secret-of-state", "secret-of-nodes", "secret-of-account", "secret-of-carrier", "secret-of-homer", "075500000000"} {
		require.NotContains(t, p.err.String()+p.out.String(), secret)
	}
	require.NotContains(t, p.err.String(), "takes effect at restart", "nothing changed")
}

// ownPrompts is a folder with a prompt of the operator's, and what a caller hears in another language.
func ownPrompts(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for _, language := range []string{"zh", "en"} {
		require.NoError(t, os.MkdirAll(filepath.Join(folder, language), 0o700))
		testkit.WriteTone(t, filepath.Join(folder, language, "own.wav"), 440, 1)
	}
	_, err := prompts.New(prompts.Options{Folder: folder, Language: "zh"})
	require.NoError(t, err)
	return folder
}

// certificates is a file of one, that some server could have.
func certificates(t *testing.T) string {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	require.NoError(t, os.WriteFile(file, text, 0o600))
	return file
}

// missingKeys are the keys of the README's tables of keys, by their last words, that a file has nowhere.
func missingKeys(t *testing.T, file []byte) (missing []string) {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	config := section(string(readme), "\n## Configuration\n", "\n### Menus\n")
	var root yaml.Node
	require.NoError(t, yaml.Unmarshal(file, &root))
	has := keysOf(&root, map[string]bool{})
	word := regexp.MustCompile("[a-z_0-9]+")
	for row := range strings.Lines(config) {
		cells := strings.Split(row, "|")
		if len(cells) < 4 || !strings.Contains(cells[1], "`") {
			continue
		}
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
			parts := strings.Split(strings.TrimSuffix(name[1], "[]"), ".")
			if last := word.FindString(parts[len(parts)-1]); !has[last] {
				missing = append(missing, name[1])
			}
		}
	}
	kinds := regexp.MustCompile("(?m)^\\| `([a-z]+)` \\|").FindAllStringSubmatch(section(string(readme), "\n### Menus\n", "\n### What agents dial\n"), -1)
	require.NotEmpty(t, kinds)
	for _, kind := range kinds {
		if !strings.Contains(string(file), "kind: "+kind[1]) {
			missing = append(missing, "kind: "+kind[1])
		}
	}
	return slices.Compact(missing)
}

func section(text, from, to string) string {
	_, text, _ = strings.Cut(text, from)
	text, _, _ = strings.Cut(text, to)
	return text
}

// keysOf are all keys of a document.
func keysOf(n *yaml.Node, keys map[string]bool) map[string]bool {
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			keys[child.Value] = true
		}
		keysOf(child, keys)
	}
	return keys
}
