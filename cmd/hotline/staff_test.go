package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/require"

	"hotline/acd/forecast"
	"hotline/call"
	"hotline/store/sqlstore"
)

// drawnDay writes the records of a day into a data folder: callers of one queue for some hours from eight, served by four
// agents in the order of their coming, with a rush at ten.
func drawnDay(t *testing.T, hours time.Duration) (data string) {
	t.Helper()
	data = t.TempDir()
	store, err := sqlstore.Open(t.Context(), sqlstore.Options{Path: filepath.Join(data, "hotline.db")})
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // a drawn day
	talk, patience := forecast.Lognormal(150*time.Second, 90*time.Second), forecast.Exponential(4*time.Minute)
	zone, err := time.LoadLocation("Asia/Shanghai")
	require.NoError(t, err)
	eight := time.Date(2026, 11, 21, 8, 0, 0, 0, zone)
	free := []time.Time{eight, eight, eight, eight}
	for at, n := eight, 0; at.Before(eight.Add(hours)); n++ {
		between := 60 * time.Second
		if at.Hour() == 10 {
			between = 35 * time.Second
		}
		at = at.Add(forecast.Exponential(between)(r))
		i := slices.IndexFunc(free, func(f time.Time) bool { return f.Equal(slices.MinFunc(free, time.Time.Compare)) })
		sent := at
		if free[i].After(at) {
			sent = free[i]
		}
		left := sent.Add(time.Duration(2+r.IntN(5)) * time.Second)
		rec := call.Record{
			ID: fmt.Sprint("drawn-", n), Started: at, Queue: "consult", Result: "answered",
			Visits: []call.Visit{{Queue: "consult", Entered: at, Left: &left, How: "answered"}},
		}
		agent := fmt.Sprint(8001 + i)
		if p := at.Add(patience(r)); p.Before(left) {
			rec.Visits[0].Left, rec.Visits[0].How, rec.Result = &p, "abandoned", "abandoned"
			if p.After(sent) {
				rec.Offers = []call.Offer{{Agent: agent, Queue: "consult", Sent: sent, Rung: &sent, Ended: &p, How: "withdrawn"}}
			}
		} else {
			ended := left.Add(talk(r))
			rec.Offers = []call.Offer{{Agent: agent, Queue: "consult", Sent: sent, Rung: &sent, Ended: &left, How: "answered"}}
			rec.Talks = []call.TalkRecord{{Agent: agent, Queue: "consult", Answered: left, Ended: &ended}}
			free[i] = ended.Add(5 * time.Second)
		}
		rec.Ended = rec.Visits[0].Left
		require.NoError(t, store.Finish(t.Context(), rec))
	}
	require.NoError(t, store.Close())
	return data
}

// TestDayPlayedAgain: replay and staff from the records of a drawn day.
func TestDayPlayedAgain(t *testing.T) {
	t.Parallel()
	data := drawnDay(t, 10*time.Hour)
	svg := filepath.Join(t.TempDir(), "day.svg")
	code, out, errs := command(t, "replay", "--data", data, "--day", "2026-11-21", "--strategy", "ring-all", "--agents", "+2", "--svg", svg)
	require.Equal(t, exitOK, code, errs)
	rows := map[string][]string{}
	_, consult, found := strings.Cut(out, "\nconsult\n")
	require.True(t, found, out)
	for line := range strings.Lines(out) {
		require.LessOrEqual(t, runewidth.StringWidth(line), 80, "a terminal's width")
	}
	for line := range strings.Lines(consult) {
		for _, way := range []string{"as it was", "the same", "ring-all, +2"} {
			if rest, found := strings.CutPrefix(line, "  "+way); found && rows[way] == nil {
				rows[way] = strings.Fields(rest)
			}
		}
	}
	require.Len(t, rows, 3, out)
	figure := func(way string, column int) (v float64) {
		_, err := fmt.Sscan(rows[way][column], &v)
		require.NoError(t, err)
		return v
	}
	const calls, answered, level, wait = 0, 1, 3, 5
	require.InDelta(t, figure("as it was", calls), figure("the same", calls), 0)
	require.InEpsilon(t, figure("as it was", answered), figure("the same", answered), 0.02, "the same rule, much the same day")
	require.InEpsilon(t, figure("as it was", wait), figure("the same", wait), 0.1)
	require.Greater(t, figure("ring-all, +2", level), figure("as it was", level)+5)
	require.Less(t, figure("ring-all, +2", wait), figure("as it was", wait)/2)
	drawn, err := os.ReadFile(svg)
	require.NoError(t, err)
	require.Contains(t, string(drawn), "as it was</text>")

	code, out, errs = command(t, "replay", "--data", data, "--day", "2026-11-21", "--agents", "8001,8002,8003,8004")
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "as configured, only 4")

	code, out, errs = command(t, "staff", "--data", data, "--day", "2026-11-21", "--queue", "consult", "--shrinkage", "25")
	require.Equal(t, exitOK, code, errs)
	require.Regexp(t, `a call keeps its agent for 2m\d+s,\s+patience [34]m`, out)
	require.Regexp(t, `10:00 +\d+ +\d`, out)
	require.NotContains(t, out, "\n18:30 ")
}

// TestStaffFromAFile: the numbers of Erlang A and C, and the roster with its shrinkage.
func TestStaffFromAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "arrivals.csv")
	require.NoError(t, os.WriteFile(file, []byte("time,calls\n# the morning\n09:00,60\n09:20:30,39\n2026-11-21T09:29:59+08:00\n10:00,1\n"), 0o600))
	code, out, errs := command(t, "staff", "--arrivals", file, "--aht", "3m", "--level", "80", "--within", "20s", "--patience", "100h", "--shrinkage", "30")
	require.Equal(t, exitOK, code, errs)
	// 100 calls in half an hour of 3 min: 14 agents reach 88.8 %, the worked example of acd/erlang.
	require.Regexp(t, `09:00 +100 +10\.00 +14 +88\.8 % +17\.4 % +7\.8 s +0\.0 % +71\.4 % +14 +20`, out)
	require.Regexp(t, `09:30 +0 +0\.00 +0 +0`, out)
	require.Contains(t, out, "11 hours of agents")
}

func TestStaffAndReplayRefuseNonsense(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "bad.csv")
	require.NoError(t, os.WriteFile(bad, []byte("09:00,60\nnoon,3\n"), 0o600))
	negative := filepath.Join(t.TempDir(), "negative.csv")
	require.NoError(t, os.WriteFile(negative, []byte("09:00,-1\n"), 0o600))
	empty := t.TempDir()
	data := drawnDay(t, time.Hour)
	for want, args := range map[string][]string{
		"either --arrivals or --day":   {"staff"},
		"line 2":                       {"staff", "--arrivals", bad},
		"no number of calls":           {"staff", "--arrivals", negative},
		"no such file":                 {"staff", "--arrivals", filepath.Join(empty, "none")},
		"--level is above 0":           {"staff", "--arrivals", bad, "--level", "100"},
		"--shrinkage is at least 0":    {"staff", "--arrivals", bad, "--shrinkage", "100"},
		"--queue goes with --day":      {"staff", "--arrivals", bad, "--queue", "consult"},
		"--day says which day":         {"replay"},
		"a day is as 2026-11-21":       {"replay", "--day", "monday"},
		"has no call records":          {"replay", "--day", "yesterday", "--data", empty},
		"nobody waited in a queue":     {"replay", "--day", "2026-01-01", "--data", data},
		"there is no queue gardening":  {"replay", "--day", "2026-11-21", "--data", data, "--queue", "gardening", "--strategy", "ring-all"},
		"unknown strategy":             {"replay", "--day", "2026-11-21", "--data", data, "--strategy", "best"},
		"a number from 0":              {"replay", "--day", "2026-11-21", "--data", data, "--agents", "+many"},
		"neither configured nor among": {"replay", "--day", "2026-11-21", "--data", data, "--agents", "9999"},
	} {
		code, _, errs := command(t, args...)
		require.Equal(t, exitFault, code, args)
		require.Contains(t, errs, want)
	}
}

func TestDayOf(t *testing.T) {
	zone := time.FixedZone("", 8*3600)
	now := time.Date(2026, 3, 1, 0, 30, 0, 0, zone)
	for text, want := range map[string]time.Time{
		"today":      time.Date(2026, 3, 1, 0, 0, 0, 0, zone),
		"yesterday":  time.Date(2026, 2, 28, 0, 0, 0, 0, zone),
		"2026-01-31": time.Date(2026, 1, 31, 0, 0, 0, 0, zone),
	} {
		got, err := dayOf(text, now)
		require.NoError(t, err)
		require.True(t, want.Equal(got), text)
	}
}
