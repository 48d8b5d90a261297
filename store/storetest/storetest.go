// Package storetest is the suite that every store of call records passes, whatever it keeps them in.
package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/media"
)

// Store is what a backend does: it takes records from calls and gives them to readers.
type Store interface {
	call.Records
	List(ctx context.Context, q call.Query) (page []call.Record, next string, err error)
	Get(ctx context.Context, id string) (call.Record, error)
	Summaries(ctx context.Context, since time.Time, within time.Duration) (call.Summaries, error)
}

// Day is when the suite's calls begin.
var Day = time.Date(2026, 3, 1, 9, 0, 0, 0, time.FixedZone("CST", 8*3600))

// Run runs the suite. open makes an empty store, which it closes itself when the test ends.
func Run(t *testing.T, open func(t *testing.T) Store) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*testing.T, Store)
	}{
		{"RoundTrip", testRoundTrip},
		{"UnknownCall", testUnknownCall},
		{"FinishedOnce", testFinishedOnce},
		{"UpdateAfterFinish", testUpdateAfterFinish},
		{"CopiedWhenGiven", testCopiedWhenGiven},
		{"FinishWithoutBegin", testFinishWithoutBegin},
		{"FinishIsABarrier", testBarrier},
		{"FinishInspiteOfContext", testFinishContext},
		{"Pages", testPages},
		{"Filters", testFilters},
		{"BadCursor", testBadCursor},
		{"Concurrent", testConcurrent},
		{"ConcurrentFinish", testConcurrentFinish},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
	t.Run("SummaryAgreesWithRecords", func(t *testing.T) { testSummary(t, open) })
}

// The suite's queues, and calls that several cases look for.
const (
	repair  = "repair"
	consult = "consult"
	oldest  = "oldest"
	latest  = "latest"
)

// Full is a finished record in which every field is set.
func Full(id string) call.Record {
	at := func(s float64) *time.Time {
		t := Day.Add(time.Duration(s * float64(time.Second)))
		return &t
	}
	yes := true
	return call.Record{
		ID: id, From: "13912345678", To: "96777", Trunk: "city", MenuPath: "main/2",
		Answers: map[string]string{"account": "12345678"}, Language: "en",
		Started: Day, Accepted: at(0.01), Ended: at(70.5),
		Visits: []call.Visit{{Queue: repair, Entered: *at(5), Left: at(12.25), How: "answered"}},
		Offers: []call.Offer{
			{Agent: "8003", Queue: repair, Sent: *at(5.1), Rung: at(5.2), Ended: at(6), How: "busy", Rings: 1},
			{Agent: "8002", Queue: repair, Sent: *at(6), Rung: at(6.125), Ended: at(12.25), How: "answered", Rings: 2},
		},
		Talks: []call.TalkRecord{{
			Agent: "8002", Queue: repair, Answered: *at(12.25), Joined: at(14), Ended: at(70.5),
			Release: call.ByCaller, Holds: []call.Hold{{From: *at(20), To: at(25)}},
		}},
		Decisions: []call.Decision{{
			At: *at(5.1), Queue: repair, Rule: "longest-idle", Chosen: []string{"8003"},
			Candidates: []call.Candidate{{Agent: "8003", Level: 5, Key: "idle 31.5 s"}}, More: 2,
			Excluded: map[string]int{"talking": 3}, Later: 1,
		}},
		Legs: []call.LegAudio{
			{Role: call.RoleCaller, Codec: media.PCMA, PacketsIn: 3510, PacketsOut: 3520, Lost: 12, Late: 3, JitterMS: 1.125, MOS: 4.2, MOSIn: 4.2},
			{
				Role: call.RoleAgent, Agent: "8002", Codec: media.PCMU, Secure: true, PacketsIn: 2900, PacketsOut: 2912, Duplicate: 1, Strangers: 4, FarLost: 9,
				FarJitterMS: 2.5, RoundTripMS: 41.25, MOS: 3.875, MOSIn: 4.4, MOSOut: 3.875, Silent: 2, NoMedia: true, LeftOut: 1,
				OneWay: &call.OneWay{At: *at(20), Count: 2, Healed: at(26)},
			},
		},
		MOS:     3.875,
		Release: call.ByCaller, Result: call.Answered, Reason: call.ReasonCallerHangup, Recording: id + ".wav",
		PromiseClock: at(5.2),
		Queue:        repair, Agent: "8002", Queued: at(5), Answered: at(12.25), Joined: at(14),
		Rings: 2, RingsMet: &yes, WaitSeconds: 9.5, FirstWaitSeconds: 7.25, TalkSeconds: 58.25, HoldSeconds: 5, Holds: 1, LongestHoldSeconds: 5, TalkMet: &yes,
	}
}

// Begun is the record of a call that has just begun.
func Begun(id string, started time.Time) call.Record {
	return call.Record{ID: id, From: "13912345678", To: "96777", Started: started}
}

// ended is a short finished record.
func ended(id string, started time.Time, result call.Result) call.Record {
	r := Begun(id, started)
	end := started.Add(time.Second)
	r.Ended, r.Result, r.Reason, r.Release = &end, result, call.ReasonCallerHangup, call.ByCaller
	return r
}

// Equal asserts that two records say the same; instants are compared as instants.
func Equal(t require.TestingT, want, got call.Record) {
	if h, ok := t.(interface{ Helper() }); ok {
		h.Helper()
	}
	w, err := newView(want)
	require.NoError(t, err)
	g, err := newView(got)
	require.NoError(t, err)
	require.JSONEq(t, w, g)
}

func testRoundTrip(t *testing.T, s Store) {
	t.Helper()
	want := Full("a")
	s.Begin(Begun("a", Day))
	require.NoError(t, s.Finish(t.Context(), want))
	got, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	Equal(t, want, got)
	require.True(t, want.Started.Equal(got.Started))
	require.True(t, want.Talks[0].Joined.Equal(*got.Talks[0].Joined))
}

func testUnknownCall(t *testing.T, s Store) {
	t.Helper()
	_, err := s.Get(t.Context(), "nobody")
	require.ErrorIs(t, err, call.ErrNotFound)
	page, next, err := s.List(t.Context(), call.Query{})
	require.NoError(t, err)
	require.Empty(t, page)
	require.Empty(t, next)
}

func testFinishedOnce(t *testing.T, s Store) {
	t.Helper()
	first := Full("a")
	s.Begin(Begun("a", Day))
	require.NoError(t, s.Finish(t.Context(), first))
	second := first
	second.Result, second.Reason = call.Failed, call.ReasonPanic
	require.ErrorIs(t, s.Finish(t.Context(), second), call.ErrFinished)
	got, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	Equal(t, first, got)
}

func testUpdateAfterFinish(t *testing.T, s Store) {
	t.Helper()
	want := Full("a")
	require.NoError(t, s.Finish(t.Context(), want))
	s.Update(Begun("a", Day))
	s.Begin(Begun("a", Day))
	require.NoError(t, s.Finish(t.Context(), Full("after")))
	got, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	Equal(t, want, got)
}

func testCopiedWhenGiven(t *testing.T, s Store) {
	t.Helper()
	r := Full("a")
	want := Full("a")
	s.Update(r)
	r.Talks[0].Agent, r.Offers[0].How = "scribble", "scribble"
	*r.Visits[0].Left = time.Time{}
	require.NoError(t, s.Finish(t.Context(), Full("after")))
	got, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	Equal(t, want, got)
}

func testFinishWithoutBegin(t *testing.T, s Store) {
	t.Helper()
	want := ended("a", Day, call.Failed)
	require.NoError(t, s.Finish(t.Context(), want))
	got, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	Equal(t, want, got)
}

func testBarrier(t *testing.T, s Store) {
	t.Helper()
	for i := range 100 {
		s.Begin(Begun(fmt.Sprint("begun-", i), Day))
		r := Begun(fmt.Sprint("begun-", i), Day)
		r.MenuPath = "main/1"
		s.Update(r)
	}
	require.NoError(t, s.Finish(t.Context(), Full("last")))
	for i := range 100 {
		got, err := s.Get(t.Context(), fmt.Sprint("begun-", i))
		require.NoError(t, err)
		require.Equal(t, "main/1", got.MenuPath)
		require.Nil(t, got.Ended)
	}
}

func testFinishContext(t *testing.T, s Store) {
	t.Helper()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	want := Full("a")
	if err := s.Finish(gone, want); err != nil {
		require.ErrorIs(t, err, context.Canceled)
	}
	require.NoError(t, s.Finish(t.Context(), Full("after")))
	got, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	Equal(t, want, got)
}

func testPages(t *testing.T, s Store) {
	t.Helper()
	const calls = 25
	for i := range calls { // pairs share an instant: the id decides
		r := ended(fmt.Sprintf("%02d", i), Day.Add(time.Duration(i/2)*time.Nanosecond), call.Failed)
		require.NoError(t, s.Finish(t.Context(), r))
	}
	for _, limit := range []int{1, 2, 7, calls - 1, calls, calls + 1} {
		var ids []string
		for q := (call.Query{Limit: limit}); ; {
			page, next, err := s.List(t.Context(), q)
			require.NoError(t, err)
			require.LessOrEqual(t, len(page), limit)
			for _, r := range page {
				ids = append(ids, r.ID)
			}
			if next == "" {
				break
			}
			require.Len(t, page, limit, "only the last page may be short")
			q.Before = next
		}
		require.Len(t, ids, calls)
		for i, id := range ids {
			assert.Equal(t, fmt.Sprintf("%02d", calls-1-i), id, "limit %d", limit)
		}
	}
}

func testFilters(t *testing.T, s Store) {
	t.Helper()
	early, later := Full(oldest), Full(latest)
	later.Queue, later.Agent, later.Started = consult, "8001", Day.Add(time.Hour)
	later.Message = &call.MessageRecord{Name: "said"}
	for _, r := range []call.Record{early, later, ended("refused", Day.Add(2*time.Hour), call.Failed)} {
		require.NoError(t, s.Finish(t.Context(), r))
	}
	s.Begin(Begun("live", Day.Add(3*time.Hour)))
	require.NoError(t, s.Finish(t.Context(), ended("old", Day.Add(-time.Hour), call.Abandoned)))
	for name, c := range map[string]struct {
		q    call.Query
		want []string
	}{
		"all":              {call.Query{}, []string{"live", "refused", latest, oldest, "old"}},
		"result":           {call.Query{Result: call.Answered}, []string{latest, oldest}},
		"queue":            {call.Query{Queue: repair}, []string{oldest}},
		"message":          {call.Query{Message: true}, []string{latest}},
		"agent":            {call.Query{Agent: "8001"}, []string{latest}},
		"from is included": {call.Query{From: Day.Add(2 * time.Hour)}, []string{"live", "refused"}},
		"to is not":        {call.Query{To: Day}, []string{"old"}},
		"span":             {call.Query{From: Day, To: Day.Add(time.Hour)}, []string{oldest}},
		"together":         {call.Query{Queue: repair, Agent: "8001"}, nil},
		"hostile":          {call.Query{Queue: "' OR 1=1 --"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			page, next, err := s.List(t.Context(), c.q)
			require.NoError(t, err)
			require.Empty(t, next)
			var ids []string
			for _, r := range page {
				ids = append(ids, r.ID)
			}
			require.Equal(t, c.want, ids)
		})
	}
}

func testBadCursor(t *testing.T, s Store) {
	t.Helper()
	for _, before := range []string{"!", "AAAA", "eCB5", call.Cursor{}.String()[:3]} {
		_, _, err := s.List(t.Context(), call.Query{Before: before})
		require.ErrorIs(t, err, call.ErrBadCursor, before)
	}
}

func testConcurrent(t *testing.T, s Store) {
	t.Helper()
	const calls, moves = 30, 5
	var all sync.WaitGroup
	for i := range calls {
		all.Go(func() {
			id := fmt.Sprint(i)
			s.Begin(Begun(id, Day))
			for range moves {
				s.Update(Begun(id, Day))
				if _, _, err := s.List(t.Context(), call.Query{Limit: 3}); err != nil {
					t.Error(err)
				}
			}
			assert.NoError(t, s.Finish(t.Context(), Full(id)))
		})
	}
	all.Wait()
	page, _, err := s.List(t.Context(), call.Query{Limit: call.MaxLimit})
	require.NoError(t, err)
	require.Len(t, page, calls)
	for _, r := range page {
		Equal(t, Full(r.ID), r)
	}
}

func testConcurrentFinish(t *testing.T, s Store) {
	t.Helper()
	const tries = 20
	s.Begin(Begun("a", Day))
	won := make(chan string, tries)
	var all sync.WaitGroup
	for i := range tries {
		all.Go(func() {
			r := Full("a")
			r.MenuPath = fmt.Sprint(i)
			err := s.Finish(t.Context(), r)
			if err == nil {
				won <- r.MenuPath
				return
			}
			assert.ErrorIs(t, err, call.ErrFinished)
		})
	}
	all.Wait()
	require.Len(t, won, 1)
	got, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, <-won, got.MenuPath)
}
