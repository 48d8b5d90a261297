package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBenchSIP: a short round of each server, in a process of its own, since it starts itself anew.
func TestBenchSIP(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	bench := exec.CommandContext(t.Context(), self, "bench", "sip", "--rates", "20", "--for", "500ms", "--rounds", "1", "--json")
	bench.Env = append(os.Environ(), asProgram+"=1")
	out, err := bench.Output()
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
