package media

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Against a count that keeps every number: packets lost, swapped within the window and repeated.
func TestSequenceProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q sequence
		first := rapid.Uint16().Draw(t, "first")
		highest, seen := 0, map[int]bool{}
		var late, duplicate uint64
		q.arrive(7, first)
		seen[0] = true
		for range rapid.IntRange(0, 300).Draw(t, "packets") {
			n := max(0, highest+rapid.IntRange(-40, 60).Draw(t, "step"))
			got := q.arrive(7, first+uint16(n))
			switch {
			case seen[n]:
				duplicate++
				require.Equal(t, arrivedDuplicate, got)
			case n < highest:
				late++
				require.Equal(t, arrivedLate, got)
			default:
				require.Equal(t, arrivedNew, got)
			}
			seen[n] = true
			highest = max(highest, n)
		}
		require.Equal(t, uint64(highest+1-len(seen)), q.lost())
		require.Equal(t, []uint64{late, duplicate}, []uint64{q.late, q.duplicate})
	})
}

// A new sender begins a new run at once, a jump in the numbers with the second packet that goes on from there (RFC 3550
// A.1); what was lost before stays lost, and a stray packet loses nothing.
func TestSequenceRestarts(t *testing.T) {
	type packet struct {
		ssrc   uint32
		number uint16
	}
	const (
		isNew  = arrivedNew
		isLate = arrivedLate
		isDup  = arrivedDuplicate
	)
	for name, c := range map[string]struct {
		packets  []packet
		arrivals []arrival
		lost     uint64
		late     uint64
		expected uint64
	}{
		"none":          {lost: 0},
		"lost":          {[]packet{{1, 100}, {1, 103}}, []arrival{isNew, isNew}, 2, 0, 4},
		"another SSRC":  {[]packet{{1, 100}, {1, 103}, {2, 50}, {2, 52}}, []arrival{isNew, isNew, isNew, isNew}, 3, 0, 7},
		"back and fro":  {[]packet{{1, 100}, {2, 50}, {1, 101}, {2, 51}}, []arrival{isNew, isNew, isNew, isNew}, 0, 0, 4},
		"a gap in A.1":  {[]packet{{1, 100}, {1, 100 + maxDropout}}, []arrival{isNew, isNew}, maxDropout - 1, 0, maxDropout + 1},
		"a jump":        {[]packet{{1, 100}, {1, 40000}, {1, 40001}, {1, 40003}}, []arrival{isNew, isNew, isNew, isNew}, 1, 0, 5},
		"a jump back":   {[]packet{{1, 100}, {1, 99 - reorderWindow}, {1, 100 - reorderWindow}}, []arrival{isNew, isNew, isNew}, 0, 0, 3},
		"a jump twice":  {[]packet{{1, 100}, {1, 40000}, {1, 40000}, {1, 40001}}, []arrival{isNew, isNew, isDup, isNew}, 0, 0, 3},
		"a stray":       {[]packet{{1, 100}, {1, 40000}, {1, 101}, {1, 40001}, {1, 102}}, []arrival{isNew, isNew, isNew, isNew, isNew}, 0, 0, 3},
		"a very late":   {[]packet{{1, 100}, {1, 20}, {1, 101}, {1, 103}}, []arrival{isNew, isNew, isNew, isNew}, 1, 0, 4},
		"the last late": {[]packet{{1, 100}, {1, 101 - reorderWindow}}, []arrival{isNew, isLate}, 0, 1, 1}, // from before the first
		"half round":    {[]packet{{1, 100}, {1, 100 + 32768}, {1, 101 + 32768}}, []arrival{isNew, isNew, isNew}, 0, 0, 3},
		"wraps":         {[]packet{{1, 65534}, {1, 65535}, {1, 0}, {1, 65535}, {1, 2}, {1, 1}}, []arrival{isNew, isNew, isNew, isDup, isNew, isLate}, 0, 1, 5},
	} {
		t.Run(name, func(t *testing.T) {
			var q sequence
			var arrivals []arrival
			for _, p := range c.packets {
				arrivals = append(arrivals, q.arrive(p.ssrc, p.number))
			}
			require.Equal(t, c.arrivals, arrivals)
			require.Equal(t, []uint64{c.lost, c.late, c.expected}, []uint64{q.lost(), q.late, q.expected()})
		})
	}
}

// RFC 3550 A.8: the jitter of a steady stream is none; of one whose every second packet is d late it tends
// to d.
func TestJitter(t *testing.T) {
	var steady, uneven sequence
	for i := range 1000 {
		at := time.Duration(i) * FrameDuration
		steady.time(uint32(4294967000+i*frameSamples), at)
		if i%2 == 1 {
			at += 10 * time.Millisecond
		}
		uneven.time(uint32(i*frameSamples), at)
	}
	require.Zero(t, steady.jitter)
	require.InDelta(t, 10*time.Millisecond, duration(uneven.jitter), float64(100*time.Microsecond))
	uneven.time(1<<31, 1000*FrameDuration)
	require.InDelta(t, 10*time.Millisecond, duration(uneven.jitter), float64(100*time.Microsecond), "another clock is no jitter")
}
