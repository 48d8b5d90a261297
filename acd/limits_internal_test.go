package acd

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"hotline/call"
)

// TestLine holds the line against counting one by one, through any adding and removing.
func TestLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := newQueue(&Options{}, Queue{Name: "repair"})
		var in []*caller
		for i := range rapid.IntRange(0, 80).Draw(t, "doings") {
			if len(in) > 0 && rapid.IntRange(0, 2).Draw(t, "remove") == 0 {
				at := rapid.IntRange(0, len(in)-1).Draw(t, "which")
				q.line.remove(in[at])
				q.line.remove(in[at]) // does nothing
				in = slices.Delete(in, at, at+1)
			} else {
				entered := time.Duration(rapid.IntRange(0, 5).Draw(t, "entered")) * time.Second
				c := &caller{queue: q, rank: rankOf(q, rapid.Bool().Draw(t, "front"), entered, 0, uint64(i))}
				q.line.add(c)
				q.line.add(c) // does nothing
				in = append(in, c)
			}
			require.Equal(t, len(in), sizeOf(q.line.root))
			for _, c := range in {
				before := 0
				for _, x := range in {
					if x != c && x.goesBefore(c) {
						before++
					}
				}
				require.Equal(t, before, q.line.before(c))
			}
		}
	})
}

// TestLineIsFlat: a place is found in a number of steps that grows as the logarithm.
func TestLineIsFlat(t *testing.T) {
	q := newQueue(&Options{}, Queue{Name: "repair"})
	for i := range 10_000 { // each after the one before: the worst that a plain tree can meet
		q.line.add(&caller{queue: q, rank: rankOf(q, false, time.Duration(i), 0, uint64(i))})
	}
	var depth func(c *caller) int
	depth = func(c *caller) int {
		if c == nil {
			return 0
		}
		return 1 + max(depth(c.branch.left), depth(c.branch.right))
	}
	require.Less(t, depth(q.line.root), 50, "of 10,000 callers")
}

// BenchmarkPlace: what a place costs, and joining and leaving, with so many waiting.
func BenchmarkPlace(b *testing.B) {
	for _, n := range []int{10, 1_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			q := newQueue(&Options{}, Queue{Name: "repair"})
			var in []*caller
			for i := range n {
				c := &caller{queue: q, rank: rankOf(q, false, time.Duration(i), 0, uint64(i))}
				in = append(in, c)
				q.line.add(c)
			}
			i := 0
			for b.Loop() {
				c := in[i%n]
				i += 7
				q.line.remove(c)
				q.line.add(c)
				q.placeOf(c)
			}
		})
	}
}

// TestRate: the formula, on a queue whose agents take 60 s a call.
func TestRate(t *testing.T) {
	now := time.Now()
	tick := func(d time.Duration) time.Time { now = now.Add(d); return now }
	r := rate{at: now}
	require.Equal(t, unknown, r.expected(1, 4), "nothing was seen")
	r.depart()
	r.depart()
	r.roll(tick(30*time.Second), true, 4)
	require.Equal(t, unknown, r.expected(1, 4), "two answers are too few")
	r.depart()
	r.depart()
	require.Positive(t, r.expected(1, 4))

	r = rate{at: now}
	r.held(60 * time.Second)
	require.Equal(t, 15*time.Second, r.expected(1, 4), "nothing but the holding time: four agents end one call in 15 s")
	require.Equal(t, 150*time.Second, r.expected(10, 4))
	require.Equal(t, 30*time.Second, r.expected(1, 2), "half of them have gone")
	require.Equal(t, unknown, r.expected(1, 0), "nobody is at work")
	r.roll(tick(time.Hour), false, 4)
	require.Equal(t, 15*time.Second, r.expected(1, 4), "time in which nobody waits says nothing")
	for range 240 { // an hour in which agents spend half of their time on another queue
		r.roll(tick(30*time.Second), true, 4)
		r.depart()
		r.held(60 * time.Second)
	}
	require.InDelta(t, 30, r.expected(1, 4).Seconds(), 2, "what is seen counts for more than the holding time")
	for range 60 {
		r.roll(tick(30*time.Second), true, 4)
	}
	require.Greater(t, r.expected(1, 4), time.Minute, "nobody has answered for half an hour")
	r.roll(tick(10*24*time.Hour), true, 4)
	require.LessOrEqual(t, r.expected(10_000, 1), longestExpected)
}

// TestRateOfPoisson: answers that come at random at a known rate are found again, within what such a window of them
// leaves open (the mean of many).
func TestRateOfPoisson(t *testing.T) {
	const seed = 7
	source := rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // repeatable on purpose
	sum, n := 0.0, 0
	for range 200 {
		now := time.Now()
		r := rate{at: now}
		for range 400 { // 10 agents, 100 s each: 10 s between answers
			now = now.Add(time.Duration(source.ExpFloat64() * float64(10*time.Second)))
			r.roll(now, true, 10)
			r.depart()
			r.held(time.Duration(source.ExpFloat64() * float64(100*time.Second)))
		}
		sum += r.expected(1, 10).Seconds()
		n++
	}
	require.InDelta(t, 10, sum/float64(n), 0.5)
}

// TestPlacesAreBounded: however many leave, however often, so much is remembered and no more; what is soonest to be
// forgotten goes first.
func TestPlacesAreBounded(t *testing.T) {
	p, start := newPlaces(), time.Now()
	key := func(number any) placeKey { return placeKey{"repair", fmt.Sprint(number)} }
	for i := range maxPlaces + 10 {
		p.keep(key(i), start, start.Add(time.Duration(i)), time.Minute)
	}
	require.Len(t, p.kept, maxPlaces)
	require.Equal(t, maxPlaces, p.soon.len())
	_, ok := p.take(key(9), start)
	require.False(t, ok)
	_, ok = p.take(key(10), start)
	require.True(t, ok)
	_, ok = p.take(key(10), start)
	require.False(t, ok, "once")
	for range 3 * maxPlaces {
		p.keep(key("again and again"), start, start.Add(time.Second), time.Minute)
	}
	require.Equal(t, maxPlaces, p.soon.len())
	require.Equal(t, start.Add(61*time.Second), p.forget(start.Add(61*time.Second)))
	require.Len(t, p.kept, 1)
	require.Zero(t, p.forget(start.Add(61*time.Second+1)))
	require.Empty(t, p.kept, "what is too late is forgotten")
}

// limited is a desk that runs, with nobody there.
func limited(t *testing.T, q Queue) (c *Center, stop func()) {
	t.Helper()
	c, err := New(Options{
		Queues: []Queue{q}, Phones: silent{}, Agents: []Agent{{ID: "8001", Skills: map[string]int{q.Name: 5}}},
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- c.Run(ctx) }()
	return c, func() { cancel(); require.NoError(t, <-ran) }
}

// TestGoneForNoTime: an agent whose flow is lost and comes back before the desk looks was never gone.
func TestGoneForNoTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, stop := limited(t, Queue{Name: "repair", Limits: Limits{TurnWhenEmpty: true}})
		c.Flow("8001", true)
		require.NoError(t, c.Pause("8001", "lunch"))
		seat, err := c.Join(t.Context(), call.Ticket{CallID: "c1", Queue: "repair"})
		require.NoError(t, err)
		synctest.Wait()
		c.inbox.put(func(d *desk) { d.setFlow(d.agents[0], false); d.setFlow(d.agents[0], true) })
		synctest.Wait()
		require.Empty(t, seat.Turned())
		c.inbox.put(func(d *desk) { d.setFlow(d.agents[0], false) })
		synctest.Wait()
		require.Len(t, seat.Turned(), 1)
		stop()
	})
}

// TestLimitsAfterPanic: places, deadlines and counts are true again after a message that left them in ruins.
func TestLimitsAfterPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, stop := limited(t, Queue{Name: "repair", Limits: Limits{MaxWait: time.Minute}})
		var seats []call.Seat
		for i := range 3 {
			seat, err := c.Join(t.Context(), call.Ticket{CallID: fmt.Sprint(i), Queue: "repair"})
			require.NoError(t, err)
			seats = append(seats, seat)
			<-time.After(time.Second)
		}
		c.inbox.put(func(d *desk) {
			d.alarms.clear()
			d.queues[0].line, d.queues[0].bare = line{}, 17
			panic("half way")
		})
		synctest.Wait()
		c.inbox.put(func(d *desk) { require.Equal(t, 3, d.queues[0].bare) })
		seats[2].AskPlace()
		require.Equal(t, call.Place{Position: 3, Expected: unknown}, <-seats[2].Placed())
		require.Equal(t, call.QueueTooLong, <-seats[0].Turned())
		visit, _ := seats[0].Visit()
		require.Equal(t, time.Minute, visit.Left.Sub(visit.Entered))
		stop()
	})
}

// TestRemember: places of before this process, told at its start.
func TestRemember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		c, err := New(Options{Queues: []Queue{{Name: "repair", Rejoin: time.Minute}, {Name: "gas"}}, Phones: silent{}})
		require.NoError(t, err)
		c.Remember("repair", "111", now.Add(-2*time.Minute), now.Add(-30*time.Second))
		c.Remember("repair", "222", now.Add(-3*time.Minute), now.Add(-61*time.Second)) // too long ago
		c.Remember("gas", "111", now.Add(-2*time.Minute), now.Add(-30*time.Second))    // gives no place back
		c.Remember("none", "111", now, now)
		c.Remember("repair", "", now, now)
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- c.Run(ctx) }()
		for _, tc := range []struct {
			queue, number string
			back          bool
		}{{"gas", "111", false}, {"repair", "222", false}, {"repair", "111", true}, {"repair", "111", false}} {
			seat, err := c.Join(t.Context(), call.Ticket{Queue: tc.queue, From: tc.number, Asserted: true})
			require.NoError(t, err)
			synctest.Wait()
			visit, _ := seat.Visit()
			require.Equal(t, tc.back, visit.Rejoined, tc)
			require.Equal(t, now, visit.Entered)
			if tc.back {
				require.Equal(t, now.Add(-2*time.Minute), *visit.Since)
				require.Equal(t, rejoinRule, seat.Decisions()[0].Rule)
			}
		}
		cancel()
		require.NoError(t, <-ran)
	})
}
