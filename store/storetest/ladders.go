package storetest

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"hotline/call"
)

// LadderStore is a store that keeps what calls said by SIP as well.
type LadderStore interface {
	Store
	call.Ladders
	Ladder(ctx context.Context, id string) ([]call.SIPMessage, error)
}

// ladderKeep is for how long the suite's stores keep messages.
const ladderKeep = time.Hour

// RunLadders runs the suite. open makes an empty store that keeps messages for so long by that clock (none, for
// 0), and which it closes itself when the test ends.
func RunLadders(t *testing.T, open func(t *testing.T, keep time.Duration, clock func() time.Time) LadderStore) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*testing.T, LadderStore, *clock)
	}{
		{"RoundTrip", testLadderRoundTrip},
		{"Appended", testLadderAppended},
		{"UnknownCall", testLadderUnknown},
		{"Expiry", testLadderExpiry},
		{"Concurrent", testLadderConcurrent},
	} {
		t.Run(c.name, func(t *testing.T) {
			var now clock
			now.set(Day)
			c.test(t, open(t, ladderKeep, now.now), &now)
		})
	}
	t.Run("Off", func(t *testing.T) {
		s := open(t, 0, func() time.Time { return Day })
		s.Trace("a", []call.SIPMessage{Said(Day, "8001")})
		require.NoError(t, s.Finish(t.Context(), Full("a")))
		_, err := s.Ladder(t.Context(), "a")
		require.ErrorIs(t, err, call.ErrNotFound)
	})
}

// clock is a wall clock that a test sets.
type clock struct{ nanos atomic.Int64 }

func (c *clock) set(t time.Time) { c.nanos.Store(t.UnixNano()) }
func (c *clock) now() time.Time  { return time.Unix(0, c.nanos.Load()) }

// Said is a message with every field of one that was kept.
func Said(at time.Time, agent string) call.SIPMessage {
	return call.SIPMessage{
		At: at, Party: agent, Agent: true, Received: true, Transport: "UDP",
		Local: netip.MustParseAddrPort("192.0.2.1:5060"), Remote: netip.MustParseAddrPort("[2001:db8::1]:5062"),
		Head: "SIP/2.0 200 OK\r\nFrom: \"李\" <sip:x@h>", Body: "application/sdp, 214 octets",
	}
}

// written returns once all that was given to the store before is there to be read.
func written(t *testing.T, s Store) {
	t.Helper()
	require.NoError(t, s.Finish(t.Context(), Full(fmt.Sprint("barrier of ", t.Name(), time.Now()))))
}

// equalLadders asserts that two ladders say the same; instants are compared as instants.
func equalLadders(t *testing.T, want, got []call.SIPMessage) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		require.True(t, want[i].At.Equal(got[i].At), "%d: %s, %s", i, want[i].At, got[i].At)
		same := got[i]
		same.At = want[i].At
		require.Equal(t, want[i], same)
	}
}

func testLadderRoundTrip(t *testing.T, s LadderStore, _ *clock) {
	t.Helper()
	want := []call.SIPMessage{
		Said(Day, "8001"),
		{At: Day.Add(time.Nanosecond), Party: "13900001234", Head: "BYE sip:x SIP/2.0"},
		{At: Day.Add(time.Second), Party: "8001", Agent: true, Omitted: 7},
	}
	s.Trace("a", []call.SIPMessage{want[0], want[1], want[2]})
	s.Trace("b", []call.SIPMessage{Said(Day, "8002")})
	s.Trace("b", nil)
	written(t, s)
	got, err := s.Ladder(t.Context(), "a")
	require.NoError(t, err)
	equalLadders(t, want, got)
	_, err = s.Get(t.Context(), "a")
	require.ErrorIs(t, err, call.ErrNotFound, "a ladder is no record")
}

// What comes later, after the end of the call too, is put in its place.
func testLadderAppended(t *testing.T, s LadderStore, _ *clock) {
	t.Helper()
	at := func(n int) call.SIPMessage { return Said(Day.Add(time.Duration(n)*time.Second), "8001") }
	s.Trace("a", []call.SIPMessage{at(2), at(4)})
	require.NoError(t, s.Finish(t.Context(), Full("a")))
	s.Trace("a", []call.SIPMessage{at(1), at(3)})
	s.Trace("a", []call.SIPMessage{at(0), at(5)})
	written(t, s)
	got, err := s.Ladder(t.Context(), "a")
	require.NoError(t, err)
	equalLadders(t, []call.SIPMessage{at(0), at(1), at(2), at(3), at(4), at(5)}, got)
	r, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	Equal(t, Full("a"), r)
}

func testLadderUnknown(t *testing.T, s LadderStore, _ *clock) {
	t.Helper()
	require.NoError(t, s.Finish(t.Context(), Full("a")))
	for _, id := range []string{"a", "nobody", ""} {
		_, err := s.Ladder(t.Context(), id)
		require.ErrorIs(t, err, call.ErrNotFound)
	}
}

// Messages are kept for so long and no longer, by when the last that was given with them came.
func testLadderExpiry(t *testing.T, s LadderStore, now *clock) {
	t.Helper()
	s.Trace("a", []call.SIPMessage{Said(Day, "8001"), Said(Day.Add(time.Minute), "8001")})
	s.Trace("a", []call.SIPMessage{Said(Day.Add(time.Second), "8001")})
	s.Trace("b", []call.SIPMessage{Said(Day.Add(time.Hour), "8001")})
	written(t, s)
	for _, c := range []struct {
		after time.Duration
		a, b  int
	}{
		{ladderKeep, 3, 1},
		{ladderKeep + 2*time.Second, 2, 1},
		{ladderKeep + time.Minute, 2, 1},
		{ladderKeep + time.Minute + 1, 0, 1},
		{2*ladderKeep + 1, 0, 0},
	} {
		now.set(Day.Add(c.after))
		for id, want := range map[string]int{"a": c.a, "b": c.b} {
			got, err := s.Ladder(t.Context(), id)
			require.Len(t, got, want, "%s after %s", id, c.after)
			if want == 0 {
				require.ErrorIs(t, err, call.ErrNotFound)
			}
		}
	}
}

func testLadderConcurrent(t *testing.T, s LadderStore, _ *clock) {
	t.Helper()
	const writers, times = 8, 20
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			for n := range times {
				s.Trace("a", []call.SIPMessage{Said(Day.Add(time.Duration(n)), fmt.Sprint(i))})
				if _, err := s.Ladder(t.Context(), "a"); err != nil {
					assert.ErrorIs(t, err, call.ErrNotFound)
				}
			}
		})
	}
	all.Wait()
	written(t, s)
	got, err := s.Ladder(t.Context(), "a")
	require.NoError(t, err)
	require.Len(t, got, writers*times)
}
