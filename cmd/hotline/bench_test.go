package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/require"

	"hotline/sim"
)

// TestBenchSIP: a short round of each server, in a process of its own, since it starts itself anew.
func TestBenchSIP(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	bench := exec.CommandContext(t.Context(), self, "bench", "sip", "--rates", "20", "--for", "500ms", "--rounds", "1", "--pairs", "2", "--json")
	bench.Env = append(os.Environ(), asProgram+"=1")
	out, err := bench.Output()
	require.NoError(t, err, string(out))
	seen, ladders := make(map[string]benchLine), make(map[string]ladderLine)
	for line := range bytes.Lines(out) {
		var ladder ladderLine
		require.NoError(t, json.Unmarshal(line, &ladder))
		if ladder.Server != "" {
			ladders[ladder.Server] = ladder
			continue
		}
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
	require.Len(t, ladders, len(ladderPairs))
	for server, l := range ladders {
		require.Equal(t, []int{2, 200}, []int{l.Pairs, l.Offered}, server)
		require.Zero(t, l.Failed, server)
		require.Positive(t, l.Without, server)
		require.Positive(t, l.With, server)
		require.LessOrEqual(t, l.Least, l.Ratio, server)
		require.LessOrEqual(t, l.Ratio, l.Most, server)
	}
}

// pairOf is a pair of rounds of ten calls that took so many milliseconds of the processor each.
func pairOf(without, with int) ladderPair {
	of := func(perCall int) benchRound {
		return benchRound{FloodFigures: sim.FloodFigures{Offered: 10}, cpu: time.Duration(10*perCall) * time.Millisecond}
	}
	return ladderPair{without: of(without), with: of(with)}
}

// TestLadderTable: the ratio is the median of the pairs' own, since two rounds of a pair had the same machine; the
// table fits a terminal, and says whether what is wanted was kept.
func TestLadderTable(t *testing.T) {
	pairs := []ladderPair{pairOf(10, 11), pairOf(20, 20), pairOf(40, 60)}
	pairs[2].with.Refused = 1
	line := ladderLineOf(serverWhole, pairs)
	require.Equal(t, ladderLine{
		Server: serverWhole, Pairs: 3, Offered: 60, Failed: 1, Without: 20, With: 20, Ratio: 1.1, Least: 1, Most: 1.5,
	}, line)
	table := func(l ladderLine) string {
		var out bytes.Buffer
		report := &benchReport{con: &console{out: &out}}
		report.ladderHead()
		report.ladder(l)
		report.ladderFoot()
		require.NoError(t, report.err)
		for line := range strings.Lines(out.String()) {
			require.LessOrEqual(t, runewidth.StringWidth(strings.TrimRight(line, "\n")), 80, line)
		}
		return out.String()
	}
	out := table(line)
	require.Regexp(t, `(?m)^ladder of +pairs +calls +failed +without +with +ratio +least +most$`, out)
	require.Regexp(t, `(?m)^whole hotline +3 +60 +1 +20\.000 +20\.000 +1\.100 +1\.000 +1\.500$`, out)
	require.Contains(t, out, "at most 1.05: not kept, but the pairs disagree.")
	line.Least = 1.06
	require.Contains(t, table(line), "at most 1.05: not kept.")
	line.Least, line.Ratio = 1, ladderTarget
	require.Contains(t, table(line), "at most 1.05: kept, but the pairs disagree.")
	line.Most = ladderTarget
	require.Contains(t, table(line), "at most 1.05: kept.")
}

func TestBenchSIPRefusesNonsense(t *testing.T) {
	for _, args := range [][]string{{"--rates", "0"}, {"--for", "0s"}, {"--rounds", "0"}, {"--pairs=-1"}} {
		var errs bytes.Buffer
		code := run(append([]string{"bench", "sip"}, args...), &console{out: &errs, err: &errs})
		require.Equal(t, exitFault, code, args)
		require.Regexp(t, "above 0|0 or more", errs.String())
	}
}
