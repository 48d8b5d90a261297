package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// RunOutages runs the suite. open makes an empty store, which it closes itself when the test ends.
func RunOutages(t *testing.T, open func(t *testing.T) call.Outages) {
	t.Helper()
	t.Run("PutAndDelete", func(t *testing.T) { testOutages(t, open(t)) })
	t.Run("Bound", func(t *testing.T) { testOutageBound(t, open(t)) })
}

// Planned is an outage in which every field is set.
func Planned(id string, from time.Time) call.Outage {
	return call.Outage{
		ID: id, Areas: []string{"12", "西区"}, From: from, To: from.Add(time.Hour), Prompt: "west", Note: "主管网检修",
		By: "ops", Changed: Day,
	}
}

func testOutages(t *testing.T, s call.Outages) {
	t.Helper()
	all := func() (ids []string) {
		list, err := s.Outages(t.Context())
		require.NoError(t, err)
		for _, o := range list {
			ids = append(ids, o.ID)
		}
		return ids
	}
	require.Empty(t, all())
	require.ErrorIs(t, s.DeleteOutage(t.Context(), "a"), call.ErrNoOutage)
	for id, from := range map[string]time.Duration{"c": 0, "b": time.Hour, "a": time.Hour} {
		require.NoError(t, s.PutOutage(t.Context(), Planned(id, Day.Add(from))))
	}
	require.Equal(t, []string{"c", "a", "b"}, all(), "the first to begin first, then by id")
	changed := Planned("a", Day.Add(-time.Hour))
	changed.Areas = nil
	require.NoError(t, s.PutOutage(t.Context(), changed))
	list, err := s.Outages(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 3)
	require.Empty(t, list[0].Areas)
	want := Planned("c", Day)
	got := list[1]
	for _, at := range []*time.Time{&got.From, &got.To, &got.Changed, &want.From, &want.To, &want.Changed} {
		*at = at.UTC()
	}
	require.Equal(t, want, got)
	require.NoError(t, s.DeleteOutage(t.Context(), "c"))
	require.Equal(t, []string{"a", "b"}, all())
}

// As many as may be, and those can still be changed.
func testOutageBound(t *testing.T, s call.Outages) {
	t.Helper()
	for i := range call.MaxOutages {
		require.NoError(t, s.PutOutage(t.Context(), Planned(fmt.Sprint(i), Day)))
	}
	require.ErrorIs(t, s.PutOutage(t.Context(), Planned("more", Day)), call.ErrTooMany)
	require.NoError(t, s.PutOutage(t.Context(), Planned("0", Day.Add(time.Hour))))
	require.NoError(t, s.DeleteOutage(t.Context(), "1"))
	require.NoError(t, s.PutOutage(t.Context(), Planned("more", Day)))
}
