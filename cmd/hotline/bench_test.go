package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBenchSIP runs the real program, since it starts itself anew: a short round of each server.
func TestBenchSIP(t *testing.T) {
	program := filepath.Join(t.TempDir(), "hotline")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	out, err = exec.CommandContext(t.Context(), program, "bench", "sip", "--rates", "20", "--for", "500ms", "--rounds", "1", "--json").Output()
	require.NoError(t, err, string(out))
	seen := make(map[string]benchLine)
	for line := range bytes.Lines(out) {
		var l benchLine
		require.NoError(t, json.Unmarshal(line, &l))
		seen[l.Server] = l
	}
	require.Len(t, seen, len(servers))
	for server, l := range seen {
		require.Equal(t, 10, l.Offered, server)
		require.Zero(t, l.Failed, server)
		require.Positive(t, l.P50, server)
		require.Positive(t, l.PerCall, server)
	}
	require.InDelta(t, 1, seen[serverBare].TimesBare, 1e-9)
}

func TestBenchSIPRefusesNonsense(t *testing.T) {
	for _, args := range [][]string{{"--rates", "0"}, {"--for", "0s"}, {"--rounds", "0"}} {
		var errs bytes.Buffer
		code := run(append([]string{"bench", "sip"}, args...), &console{out: &errs, err: &errs})
		require.Equal(t, exitFault, code, args)
		require.Contains(t, errs.String(), "above 0")
	}
}
