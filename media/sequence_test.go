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

func TestSequenceRestarts(t *testing.T) {
	var q sequence
	require.Zero(t, q.lost())
	for _, p := range []struct {
		ssrc   uint32
		number uint16
	}{
		{1, 100}, {1, 103}, // two lost
		{2, 50}, {2, 52}, // a new sender, one lost
		{2, 40000}, {2, 40002}, // begun anew, one lost
		{2, 39000}, // and again
		{2, 38999}, // late, from before the first: no loss and no gain
	} {
		q.arrive(p.ssrc, p.number)
	}
	require.Equal(t, uint64(4), q.lost())
	require.Equal(t, uint64(1), q.late)
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
}
