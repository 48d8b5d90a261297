package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// ShiftStore keeps what agents chose, besides records.
type ShiftStore interface {
	Store
	SaveShift(s call.Shift)
	Shifts(ctx context.Context) ([]call.Shift, error)
}

// RunShifts runs the suite of a store that keeps shifts. open makes an empty store, as for Run.
func RunShifts(t *testing.T, open func(t *testing.T) ShiftStore) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*testing.T, ShiftStore)
	}{
		{"ShiftsKept", testShiftsKept},
		{"Annotate", testAnnotate},
		{"AnnotateNobody", testAnnotateNobody},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

// settle returns when all that was queued before is written.
func settle(t *testing.T, s Store) {
	t.Helper()
	require.NoError(t, s.Finish(t.Context(), ended("settled", Day, call.Failed)))
}

func testShiftsKept(t *testing.T, s ShiftStore) {
	t.Helper()
	none, err := s.Shifts(t.Context())
	require.NoError(t, err)
	require.Empty(t, none)
	lunch := call.Shift{Agent: "8002", Paused: true, Reason: "用餐", Since: Day}
	elsewhere := call.Shift{Agent: "8001", Out: []string{consult, repair}, All: true}
	s.SaveShift(call.Shift{Agent: "8002", Paused: true, Reason: "1", Since: Day.Add(-time.Hour)})
	s.SaveShift(lunch)
	s.SaveShift(elsewhere)
	elsewhere.Out = []string{consult, repair}
	s.SaveShift(call.Shift{Agent: "8003", Paused: true})
	s.SaveShift(call.Shift{Agent: "8003"})
	settle(t, s)
	got, err := s.Shifts(t.Context())
	require.NoError(t, err)
	require.Len(t, got, 2, "one who chose nothing is forgotten")
	require.Equal(t, elsewhere, got[0])
	require.True(t, lunch.Since.Equal(got[1].Since))
	got[1].Since = lunch.Since
	require.Equal(t, lunch, got[1])
}

// A code given to a finished call is in its record, and in nothing else of it; the last of an agent's talks gets it.
func testAnnotate(t *testing.T, s ShiftStore) {
	t.Helper()
	r := Full("a")
	again := r.Talks[0]
	r.Talks = append(r.Talks, call.TalkRecord{Agent: "8003", Queue: repair, Answered: Day, Holds: []call.Hold{}}, again)
	require.NoError(t, s.Finish(t.Context(), r))
	s.Annotate("a", "8002", call.WrapUpCode{Code: "1", Text: "已解决"})
	s.Annotate("a", "8002", call.WrapUpCode{Code: "2", Text: "待回复"})
	settle(t, s)
	got, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	require.Nil(t, got.Talks[0].Code)
	require.Nil(t, got.Talks[1].Code)
	require.Equal(t, &call.WrapUpCode{Code: "2", Text: "待回复"}, got.Talks[2].Code)
	got.Talks[2].Code = nil
	Equal(t, r, got)
	require.ErrorIs(t, s.Finish(t.Context(), r), call.ErrFinished, "it is finished as before")
}

// A call that is not there, and an agent who had no talk in it, change nothing, and hold nobody up.
func testAnnotateNobody(t *testing.T, s ShiftStore) {
	t.Helper()
	require.NoError(t, s.Finish(t.Context(), Full("a")))
	s.Annotate("nobody", "8002", call.WrapUpCode{Code: "1"})
	s.Annotate("a", "8009", call.WrapUpCode{Code: "1"})
	settle(t, s)
	got, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	Equal(t, Full("a"), got)
	_, err = s.Get(t.Context(), "nobody")
	require.ErrorIs(t, err, call.ErrNotFound)
}
