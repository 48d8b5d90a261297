package acd

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"hotline/call"
)

// waiter is a caller as the order of all callers sees it, in few values so that ties come up.
type waiter struct {
	priority     int
	alarm, front bool
	entered      time.Duration
}

func anyWaiter(t *rapid.T) waiter {
	return waiter{
		priority: rapid.SampledFrom([]int{0, 10, 20, 100, 1000}).Draw(t, "priority"),
		alarm:    rapid.IntRange(0, 5).Draw(t, "alarm") == 0,
		front:    rapid.IntRange(0, 3).Draw(t, "front") == 0,
		entered:  time.Duration(rapid.IntRange(-4, 20).Draw(t, "entered")) * 30 * time.Second,
	}
}

func (w waiter) rank(ageing time.Duration, seq int) rank {
	q := &queue{Queue: Queue{Priority: w.priority, Alarm: w.alarm}}
	return rankOf(q, w.front, w.entered, ageing, uint64(seq))
}

var anyAgeing = rapid.SampledFrom([]time.Duration{0, time.Second, 6 * time.Second, time.Hour})

// TestRankIsATotalOrder: of any two callers one goes first, and of any three there is no circle.
func TestRankIsATotalOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ageing := anyAgeing.Draw(t, "ageing")
		var r [3]rank
		for i := range r {
			r[i] = anyWaiter(t).rank(ageing, i)
		}
		for _, a := range r {
			require.False(t, a.before(a))
			for _, b := range r {
				require.True(t, a == b || a.before(b) != b.before(a), "total and antisymmetric")
				for _, c := range r {
					require.False(t, a.before(b) && b.before(c) && !a.before(c), "transitive")
				}
			}
		}
	})
}

// overtakenFor is for how long after entering a caller of priority p can be overtaken by those who enter later,
// alarms and those put to the front aside; the highest priority is top.
func overtakenFor(p, top int, ageing time.Duration) time.Duration {
	if ageing == 0 && p < top {
		return math.MaxInt64
	}
	return time.Duration(top-p) * ageing
}

// TestNobodyStarves: with ageing, who enters later than the bound goes behind, whatever their priority; and the
// bound is reached, so it is the least.
func TestNobodyStarves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ageing := anyAgeing.Draw(t, "ageing")
		first, second := anyWaiter(t), anyWaiter(t)
		first.alarm, first.front, second.alarm, second.front = false, false, false, false
		second.entered = max(second.entered, first.entered)
		bound := overtakenFor(first.priority, second.priority, ageing)
		overtakes := second.rank(ageing, 2).before(first.rank(ageing, 1))
		require.Equal(t, second.entered-first.entered < bound, overtakes)
	})
	require.Equal(t, 9*time.Minute, overtakenFor(10, 100, 6*time.Second), "the reference: 90 points are 9 minutes")
}

// TestRankKeepsStill: the rank does not depend on when it is asked for, nor on what the wall clock says by then.
func TestRankKeepsStill(t *testing.T) {
	o := Options{Phones: silent{}, Queues: []Queue{{Name: "repair", Priority: 20}}, Ageing: 6 * time.Second}
	require.NoError(t, o.complete())
	d := newDesk(&o, newFigures(newLoad(time.Now())), func(message) bool { return true })
	now := d.now
	c := &caller{Ticket: call.Ticket{Entered: now.Add(-time.Minute)}, queue: d.queues[0]}
	for _, later := range []time.Duration{0, time.Millisecond, time.Hour} {
		d.now = now.Add(later)
		require.Equal(t, -time.Minute, d.entered(c))
		kept := &caller{Ticket: call.Ticket{Entered: d.now.Round(0).Add(-time.Minute)}, queue: d.queues[0]}
		require.Equal(t, later-time.Minute, d.entered(kept), "one from a record, by the wall clock of now")
	}
	c.Entered = time.Time{}.Add(time.Hour)
	require.Equal(t, d.now.Sub(d.opened)-longestWait, d.entered(c), "an instant that cannot be true is bounded")
}

// TestRanksSort: a heap of callers gives them out as sorting does, however they come and go.
func TestRanksSort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ageing := anyAgeing.Draw(t, "ageing")
		o := wantOrder()
		var in []*caller
		for i := range rapid.IntRange(1, 40).Draw(t, "callers") {
			c := &caller{rank: anyWaiter(t).rank(ageing, i)}
			o.add(c)
			in = append(in, c)
		}
		slices.SortFunc(in, func(a, b *caller) int {
			if a.goesBefore(b) {
				return -1
			}
			return 1
		})
		n := rapid.IntRange(0, len(in)+3).Draw(t, "n")
		require.Equal(t, in[:min(n, len(in))], o.least(n), "the first of them, without taking them out")
		for _, want := range in {
			first, ok := o.first()
			require.True(t, ok)
			require.Same(t, want, first)
			o.remove(first)
		}
		require.Empty(t, o.least(1))
	})
}
