package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBenchOverload: a short round at two loads that any machine carries, each with a hotline of its own: every call is
// accounted for, and no alarm is refused.
func TestBenchOverload(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	drawn := filepath.Join(t.TempDir(), "overload.svg")
	bench := exec.CommandContext(t.Context(), self, "bench", "overload", "--limit", "10", "--loads", "1,2", "--for", "1s",
		"--hold", "200ms", "--rounds", "1", "--json", "--svg", drawn)
	bench.Env = append(os.Environ(), asProgram+"=1")
	out, err := bench.Output()
	require.NoError(t, err, string(out))
	var lines []overloadLine
	for line := range bytes.Lines(out) {
		var l overloadLine
		require.NoError(t, json.Unmarshal(line, &l))
		lines = append(lines, l)
	}
	require.Len(t, lines, 2)
	for i, l := range lines {
		require.InDelta(t, float64(i+1), l.Load, 0)
		require.Equal(t, 10*(i+1), l.Offered)
		require.Equal(t, l.Offered, l.Completed+l.Short+l.Menu+l.Rest+l.Silent)
		require.Positive(t, l.P50)
		require.Positive(t, l.Alarms)
		require.Zero(t, l.Unheard)
	}
	svg, err := os.ReadFile(drawn)
	require.NoError(t, err)
	require.Subset(t, wellFormed(t, string(svg)), []string{"completed", "refused", "short menu", "set-up, p99", "alarm to agent, p50"})
}

// The verdict is of the worst load beyond the limit, held against the first at it.
func TestOverloadTable(t *testing.T) {
	t.Parallel()
	table := func(rates ...float64) string {
		var out bytes.Buffer
		r := &overloadReport{con: &console{out: &out}}
		r.head(100)
		for i, rate := range rates {
			r.add(overloadLine{Load: float64(i+1) / 2, Rate: rate, Unheard: i})
		}
		r.foot(1)
		require.NoError(t, r.err)
		return out.String()
	}
	require.Contains(t, table(50, 100, 120, 95), "at least 95 % of what is completed at it. Wanted: 95 %: kept. Alarms refused: 6.")
	require.Contains(t, table(50, 100, 94, 120), "at least 94 % of what is completed at it. Wanted: 95 %: not kept.")
}

func TestBenchOverloadRefusesNonsense(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--for", "0s"}, {"--hold", "0s"}, {"--rounds", "0"}, {"--loads", "0.5"}, {"--loads", "0,1"}, {"--cores=-1"}, {"--limit=-1"}} {
		var errs bytes.Buffer
		code := run(append([]string{"bench", "overload"}, args...), &console{out: &errs, err: &errs})
		require.Equal(t, exitFault, code, args)
		require.Contains(t, errs.String(), "above 0")
	}
}
