package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/require"

	"hotline/acd/forecast"
	"hotline/call"
	"hotline/config"
	"hotline/store/sqlstore"
)

// TestReplaySaysWhatIsLeftOut: from the records of a day, with a duty number that was rung, an agent who is configured
// no more, a call handed on and one that an agent made; the day is played all the same.
func TestReplaySaysWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	cfg, err := config.Reference()
	require.NoError(t, err)
	nine := time.Date(2026, 11, 21, 9, 0, 0, 0, cfg.Service.Timezone)
	at := func(seconds int) *time.Time { return new(nine.Add(time.Duration(seconds) * time.Second)) }
	waited := call.Record{
		ID: "handed-on", Started: nine, Ended: at(300), Queue: "consult",
		Visits:    []call.Visit{{Queue: "consult", Entered: nine, Left: at(10), How: "answered"}},
		Offers:    []call.Offer{{Number: "13800138000", Queue: "consult", Sent: nine, Rung: &nine, Ended: at(5), How: "withdrawn"}},
		Talks:     []call.TalkRecord{{Agent: "gone", Answered: *at(10), Ended: at(100)}, {Number: "119", Answered: *at(110), Ended: at(300)}},
		Transfers: []call.Transfer{{By: "gone", Kind: "blind", To: "number:119", How: "done"}},
	}
	turned := call.Record{
		ID: "turned", Started: *at(20), Ended: at(30), Queue: "repair",
		Visits: []call.Visit{
			{Queue: "repair", Entered: *at(20), Left: at(20), How: "overflow", Overflow: call.QueueFull},
			{Queue: "consult", Entered: *at(20), Left: at(30), How: "abandoned"},
		},
	}
	data := t.TempDir()
	store, err := sqlstore.Open(t.Context(), sqlstore.Options{Path: filepath.Join(data, "hotline.db")})
	require.NoError(t, err)
	for _, r := range []call.Record{waited, turned, {ID: "outside", Trunk: "agent:8001", Started: nine, Ended: at(61)}} {
		require.NoError(t, store.Finish(t.Context(), r))
	}
	require.NoError(t, store.Close())
	code, out, errs := command(t, "replay", "--data", data, "--day", "2026-11-21")
	require.Equal(t, exitOK, code, errs)
	_, left, found := strings.Cut(out, "\nNot played, or otherwise than it was:\n")
	require.True(t, found, out)
	for _, line := range []string{
		`1  calls transferred`, `1  talks after a transfer or with a number outside, 3m10s:`, `1  overflows; to another queue went 1,`,
		`0  callbacks asked for`, `0  callers called back`, `0  waits cut short`, `0  callers back`, `1  rings of duty numbers`,
		`1  calls made by agents, 1m1s:`, `0  calls that came to no queue`, `0  waits that had not ended`,
		`1  talks by 1 agents configured no more`,
	} {
		require.Regexp(t, `(?m)^ +`+line, left)
	}
	require.Contains(t, left, "Pauses of the day are not kept: agents are taken to be there from their first\n")
}

// TestLeftOutFitsATerminal: also with the figures of a large day.
func TestLeftOutFitsATerminal(t *testing.T) {
	t.Parallel()
	const many, long = 99_999, 9999*time.Hour + 59*time.Minute + 59*time.Second
	day := forecast.ReadDay(nil, time.Second)
	day.Left = forecast.Left{
		Transferred: many, Talks: many, TalkTime: long, Overflows: many, Onward: many, Callbacks: many, CalledBack: many, Cut: many,
		Rejoined: many, Duty: many, Outside: many, OutsideTime: long, Unqueued: many, Open: many,
	}
	var out strings.Builder
	printLeft(&console{out: &out}, &forecast.Replay{Day: day})
	require.Equal(t, 11, strings.Count(out.String(), "99999  "), "every count has a line")
	for line := range strings.Lines(out.String()) {
		require.LessOrEqual(t, runewidth.StringWidth(strings.TrimRight(line, "\n")), 80, line)
	}
}
