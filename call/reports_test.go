package call_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// A cursor comes back from clients: whatever they send is a place in the listing or ErrBadCursor.
func FuzzParseCursor(f *testing.F) {
	f.Add(call.Cursor{Started: time.Unix(1, 2), ID: "a b"}.String())
	f.Add("")
	f.Add("MSB4")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := call.ParseCursor(text)
		if err != nil {
			require.ErrorIs(t, err, call.ErrBadCursor)
			return
		}
		again, err := call.ParseCursor(c.String())
		require.NoError(t, err)
		require.True(t, c.Started.Equal(again.Started))
		require.Equal(t, c.ID, again.ID)
	})
}

func TestSummaryShares(t *testing.T) {
	_, ok := call.Summary{}.ServiceLevel()
	require.False(t, ok, "nothing of nothing is no share")
	s := call.Summary{
		Offered: 10, Answered: 6, Abandoned: 4, AnsweredWithin: 3, AbandonedAfter: 2,
		RingsMet: 3, RingsMissed: 1, TalkMet: 1, TalkMissed: 3,
	}
	for name, c := range map[string]struct {
		share func() (float64, bool)
		want  float64
	}{
		"service level":             {s.ServiceLevel, 3.0 / 8},
		"service level of answered": {s.ServiceLevelOfAnswered, 0.5},
		"connect rate":              {s.ConnectRate, 0.6},
		"rings kept":                {s.RingsKept, 0.75},
		"talk kept":                 {s.TalkKept, 0.25},
	} {
		got, ok := c.share()
		require.True(t, ok, name)
		require.InDelta(t, c.want, got, 1e-9, name)
	}
}

func TestSummaryCount(t *testing.T) {
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	yes, no := true, false
	for name, c := range map[string]struct {
		r    call.Record
		want call.Summary
	}{
		"in a menu":           {call.Record{}, call.Summary{}},
		"left in a menu":      {call.Record{Ended: &at, Result: call.Abandoned}, call.Summary{}},
		"waiting":             {call.Record{Queue: "q"}, call.Summary{}},
		"talking":             {call.Record{Queue: "q", Answered: &at, FirstWaitSeconds: 15, RingsMet: &yes}, call.Summary{Offered: 1, Answered: 1, AnsweredWithin: 1, RingsMet: 1, Waited: 15 * time.Second, LongestWait: 15 * time.Second}},
		"answered late":       {call.Record{Queue: "q", Answered: &at, Ended: &at, Result: call.Answered, FirstWaitSeconds: 15.001, RingsMet: &no, TalkMet: &no}, call.Summary{Offered: 1, Answered: 1, RingsMissed: 1, TalkMissed: 1, Waited: 15001 * time.Millisecond, LongestWait: 15001 * time.Millisecond}},
		"abandoned in time":   {call.Record{Queue: "q", Ended: &at, Result: call.Abandoned, FirstWaitSeconds: 15}, call.Summary{Offered: 1, Abandoned: 1, LongestWait: 15 * time.Second}},
		"abandoned late":      {call.Record{Queue: "q", Ended: &at, Result: call.Abandoned, FirstWaitSeconds: 16}, call.Summary{Offered: 1, Abandoned: 1, AbandonedAfter: 1, LongestWait: 16 * time.Second}},
		"failed while it sat": {call.Record{Queue: "q", Ended: &at, Result: call.Failed, FirstWaitSeconds: 16}, call.Summary{Offered: 1, LongestWait: 16 * time.Second}},
		"called back":         {call.Record{Queue: "q", Kind: call.KindCallback, Answered: &at, Ended: &at, FirstWaitSeconds: 600, TalkMet: &yes}, call.Summary{TalkMet: 1}},
	} {
		var got call.Summary
		got.Count(c.r, 15*time.Second)
		require.Equal(t, c.want, got, name)
	}
}

// The end of a crashed call is the latest instant that anybody knows of.
func TestCloseCrashed(t *testing.T) {
	start := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	held, joined := start.Add(time.Minute), start.Add(2*time.Second)
	r := call.Record{
		Started: start,
		Talks:   []call.TalkRecord{{Agent: "8002", Answered: start.Add(time.Second), Joined: &joined, Holds: []call.Hold{{From: held}}}},
	}
	for last, want := range map[time.Time]time.Time{{}: held, start: held, held.Add(time.Hour): held.Add(time.Hour)} {
		crashed := r
		crashed.Talks = []call.TalkRecord{r.Talks[0]}
		crashed.Talks[0].Holds = []call.Hold{r.Talks[0].Holds[0]}
		crashed.CloseCrashed(last)
		require.Equal(t, want, *crashed.Ended)
		require.Equal(t, want, *crashed.Talks[0].Ended)
		require.Equal(t, want, *crashed.Talks[0].Holds[0].To)
		require.Equal(t, call.Answered, crashed.Result)
		require.Equal(t, call.ReasonCrash, crashed.Reason)
	}
	r.Talks[0].Joined = nil
	r.CloseCrashed(held)
	require.Equal(t, call.Failed, r.Result, "an agent who answered, but was not joined, served nobody")
}

// A caller who was answered in time and handed on later was answered in time: what counts is the wait for the first agent.
func TestFirstWait(t *testing.T) {
	at := func(seconds int) *time.Time { return new(time.Unix(int64(seconds), 0)) }
	r := call.Record{
		Visits: []call.Visit{
			{Queue: "repair", Entered: *at(0), Left: at(4), How: "answered"},
			{Queue: "gas-alarm", Entered: *at(60), Left: at(90), How: "answered"},
		},
		Talks: []call.TalkRecord{{Agent: "8002", Answered: *at(4)}, {Agent: "8003", Answered: *at(90)}},
	}
	call.Derive(&r, call.Targets{})
	require.InDelta(t, 34, r.WaitSeconds, 1e-9)
	require.InDelta(t, 4, r.FirstWaitSeconds, 1e-9)
	r.Talks = nil
	call.Derive(&r, call.Targets{})
	require.InDelta(t, 34, r.FirstWaitSeconds, 1e-9, "nobody answered: all of it was waited in vain")
}

// What the queues' summaries say together is what one of all calls says.
func TestSummariesTotal(t *testing.T) {
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	yes, no := true, false
	byQueue, whole := make(call.Summaries), call.Summary{}
	for _, r := range []call.Record{
		{Queue: "a", Answered: &at, Ended: &at, FirstWaitSeconds: 4, RingsMet: &yes, TalkMet: &no},
		{Queue: "a", Answered: &at, Ended: &at, FirstWaitSeconds: 20, RingsMet: &no, TalkMet: &yes},
		{Queue: "b", Ended: &at, Result: call.Abandoned, FirstWaitSeconds: 31.5},
		{Ended: &at, Result: call.Abandoned, RingsMet: &no},
	} {
		byQueue.Count(r, 15*time.Second)
		whole.Count(r, 15*time.Second)
	}
	require.Equal(t, whole, byQueue.Total())
	require.Len(t, byQueue, 3)
	wait, ok := byQueue["a"].MeanWait()
	require.True(t, ok)
	require.Equal(t, 12*time.Second, wait)
	require.Equal(t, 31500*time.Millisecond, byQueue["b"].LongestWait)
	_, ok = byQueue["b"].MeanWait()
	require.False(t, ok, "nobody was answered")
	require.Zero(t, call.Summaries(nil).Total())
}
