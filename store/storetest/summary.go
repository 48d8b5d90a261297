package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"hotline/call"
)

// testSummary draws calls of every kind and holds the store's count against call.Summaries' own.
func testSummary(t *testing.T, open func(t *testing.T) Store) {
	t.Helper()
	s := open(t)
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++ // each round has a day of its own in the same store
		since := Day.AddDate(0, 0, round)
		within := time.Duration(rapid.IntRange(0, 40).Draw(rt, "within")) * time.Second
		want := make(call.Summaries)
		var last call.Record
		for i := range rapid.IntRange(1, 12).Draw(rt, "calls") {
			last = drawRecord(rt, fmt.Sprintf("%d-%d", round, i), since)
			s.Update(last) // the Finish below waits for all of them
			want.Count(last, within)
		}
		final := ended(fmt.Sprint(round, "-last"), since, call.Failed)
		require.NoError(rt, s.Finish(t.Context(), final))
		want.Count(final, within)
		before, err := s.Summaries(t.Context(), since.AddDate(0, 0, 1), within)
		require.NoError(rt, err)
		require.Empty(rt, before, "calls of later days")
		got, err := s.Summaries(t.Context(), since, within)
		require.NoError(rt, err)
		require.Equal(rt, want, got)
	})
}

func drawRecord(rt *rapid.T, id string, since time.Time) call.Record {
	verdict := func(name string) *bool {
		if !rapid.Bool().Draw(rt, name+" known") {
			return nil
		}
		met := rapid.Bool().Draw(rt, name)
		return &met
	}
	r := Begun(id, since.Add(time.Duration(rapid.IntRange(0, 3600).Draw(rt, "started"))*time.Second))
	r.Queue = rapid.SampledFrom([]string{"", repair, "gas-alarm"}).Draw(rt, "queue")
	r.Kind = rapid.SampledFrom([]string{"", "", call.KindCallback}).Draw(rt, "kind")
	r.Result = rapid.SampledFrom([]call.Result{"", call.Answered, call.Abandoned, call.Failed, call.Failed}).Draw(rt, "result")
	r.FirstWaitSeconds = rapid.Float64Range(0, 60).Draw(rt, "wait")
	r.RingsMet, r.TalkMet = verdict("rings"), verdict("talk")
	if rapid.Bool().Draw(rt, "answered") {
		r.Answered = &r.Started
	}
	if rapid.Bool().Draw(rt, "ended") {
		r.Ended = &r.Started
	}
	return r
}
