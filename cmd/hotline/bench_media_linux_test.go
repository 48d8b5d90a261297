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

	"hotline/media/mediaload"
)

// TestBenchMedia: a short round of each server with few calls, each in a process of its own; every packet is accounted
// for. What it cost is not judged: the machine has other things to do.
func TestBenchMedia(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	bench := exec.CommandContext(t.Context(), self, "bench", "media", "--calls", "3", "--seconds", "1", "--pairs", "1",
		"--ports", "26000-27999", "--json")
	bench.Env = append(os.Environ(), asProgram+"=1")
	bench.Stderr = os.Stderr
	out, err := bench.Output()
	require.NoError(t, err, string(out))
	var seen []string
	for line := range bytes.Lines(out) {
		var r mediaRow
		require.NoError(t, json.Unmarshal(line, &r))
		what := r.kind().String()
		seen = append(seen, what)
		sent := r.Calls * 2 * 100 // both ways, in two seconds
		if r.Mode == mediaPrompts {
			sent /= 2
			require.Positive(t, r.Received, what)
		} else {
			require.Equal(t, sent, r.Received, what)
		}
		require.Equal(t, sent, r.Sent, what)
		r.Received, r.Late = 0, 0
		require.Equal(t, mediaload.Counts{Silent: r.Silent}, r.Counts, what)
		require.Zero(t, r.Refused, what)
		require.Positive(t, r.CPU, what)
		require.InDelta(t, r.CPU, r.User+r.System, 1e-9, what)
		require.Positive(t, r.TimesPlain, what)
		require.GreaterOrEqual(t, r.Max, r.P50, what)
		if r.Mode == mediaPlain {
			require.InDelta(t, 1, r.TimesPlain, 1e-9)
		}
	}
	require.Equal(t, []string{"plain", "epoll relay", "epoll recorded", "epoll srtp", "epoll prompts"}, seen)
}

// mediaRoundOf is a second of ten calls that took so many milliseconds of the processor each.
func mediaRoundOf(ms int, lost int) mediaRound {
	return mediaRound{
		user: 4 * time.Duration(ms) * time.Millisecond, sys: 6 * time.Duration(ms) * time.Millisecond,
		callSeconds: 10, memory: 64_000, others: 0.25,
		load: mediaload.Figures{Sent: 1000, Counts: mediaload.Counts{Received: 1000 - lost, Lost: lost}},
	}
}

// TestMediaTable: the middle round by CPU is shown, the ratio is the middle of the rounds' own, and packets are those of
// all rounds; the tables fit their width, and the verdicts name where a figure was not kept.
func TestMediaTable(t *testing.T) {
	t.Parallel()
	plain := []mediaRound{mediaRoundOf(2, 0), mediaRoundOf(4, 0), mediaRoundOf(8, 0)}
	recorded := mediaKind{"epoll", mediaRecorded}
	row := mediaRowOf(200, recorded, []mediaRound{mediaRoundOf(4, 1), mediaRoundOf(2, 0), mediaRoundOf(6, 2)}, plain)
	require.Equal(t, mediaRow{
		Engine: "epoll", Mode: mediaRecorded, Calls: 200, User: 1.6, System: 2.4, CPU: 4, TimesPlain: 0.75, Memory: 64,
		Others: 0.25, Sent: 3000, Counts: mediaload.Counts{Received: 2997, Lost: 3},
	}, row)
	good := mediaRowOf(400, recorded, []mediaRound{mediaRoundOf(1, 0)}, plain[:1])
	var out bytes.Buffer
	report := &mediaReport{con: &console{out: &out}}
	report.head(&benchMediaCmd{Seconds: 5, Pairs: 3})
	report.row(mediaRowOf(200, mediaKind{mode: mediaPlain}, plain, plain))
	report.row(row)
	report.row(good)
	report.foot()
	require.NoError(t, report.err)
	for line := range strings.Lines(out.String()) {
		require.LessOrEqual(t, runewidth.StringWidth(strings.TrimRight(line, "\n")), 110, line)
	}
	for _, line := range []string{
		`(?m)^server +calls +user +sys +CPU +x plain +kB/call +allocs +others$`,
		`(?m)^plain +200 +1\.600 +2\.400 +4\.000 +1\.00 +64\.0 +0\.0000 +0\.25$`,
		`(?m)^epoll recorded +200 +1\.600 +2\.400 +4\.000 +0\.75 +64\.0 +0\.0000 +0\.25$`,
		`(?m)^epoll recorded +200 +3000 +3 +0 +0 +0 +0 +0 +0\.00 +0\.00 +0\.0 +0\.00$`,
		`(?m)^  at most 1\.20 ms CPU per call-second: not kept: 4\.000 at 200 calls\.$`,
		`(?m)^  at most 0\.75 of the plain relay's: kept; at most 0\.75\.$`,
		`(?m)^  at most 100 kB a call: kept; at most 64\.0\.$`,
		`(?m)^  no packet lost at 400 calls: kept; at most 0\.$`,
		`(?m)^  none of another call: kept; at most 0\.$`,
	} {
		require.Regexp(t, line, out.String())
	}
	row.Foreign = 1
	verdicts := strings.Join(mediaVerdicts([]mediaRow{row}), "\n")
	require.Contains(t, verdicts, "none of another call: not kept: 1 at 200 calls.")
	require.Contains(t, verdicts, "no packet lost at 400 calls: not measured.")
	require.Empty(t, mediaVerdicts(nil))
}

func TestBenchMediaRefusesNonsense(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--calls", "0"},
		{"--calls", "4001"},
		{"--seconds", "0"},
		{"--seconds", "601"},
		{"--pairs", "0"},
		{"--ports", "20000-20100"},
	} {
		var errs bytes.Buffer
		code := run(append([]string{"bench", "media"}, args...), &console{out: &errs, err: &errs})
		require.Equal(t, exitFault, code, args)
		require.Contains(t, errs.String(), "must", args)
	}
	for _, args := range [][]string{{"--ports", "x"}, {"--modes", "none"}, {"--engines", "steam"}} {
		var errs bytes.Buffer
		require.Equal(t, exitUsage, run(append([]string{"bench", "media"}, args...), &console{out: &errs, err: &errs}), args)
	}
	require.Error(t, (&benchServeMediaCmd{Mode: mediaRelay, Engine: "steam"}).Run(&console{in: strings.NewReader(""), out: &bytes.Buffer{}}))
}
