package acd

import (
	"cmp"
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"hotline/call"
	"hotline/call/calltest"
)

// offer writes down an offer for no reason.
func (s *seat) offer(agent string, sent time.Time) { s.choose(agent, sent, nil) }

// silent is a phone that rings on until it is withdrawn.
type silent struct{}

func (silent) Ring(ctx context.Context, r call.RingRequest) (call.Leg, error) {
	r.Progress(180, time.Now())
	<-ctx.Done()
	return nil, &call.RingError{Why: call.CauseWithdrawn, At: time.Now()}
}

// TestPanicAtTheDesk: a message that panics half way through, leaving the indexes in ruins, is counted
// and costs nothing: what the facts say is true again.
func TestPanicAtTheDesk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var where []string
		c, err := New(Options{
			Queues: []Queue{{Name: "repair"}}, Phones: silent{},
			Agents:  []Agent{{ID: "8001", Skills: map[string]int{"repair": 5}}, {ID: "8002", Skills: map[string]int{"repair": 5}}},
			OnPanic: func(at string, _ any) { where = append(where, at) },
		})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- c.Run(ctx) }()
		c.Flow("8001", true)
		first, err := c.Join(t.Context(), call.Ticket{CallID: "c1", Queue: "repair"})
		require.NoError(t, err)
		second, err := c.Join(t.Context(), call.Ticket{CallID: "c2", Queue: "repair"})
		require.NoError(t, err)
		synctest.Wait()
		c.inbox.put(func(d *desk) {
			d.alarms.clear()
			d.queues[0].want.clear()
			panic("half way")
		})
		c.Flow("8002", true)
		third, err := c.Join(t.Context(), call.Ticket{CallID: "c3", Agent: "8002", Once: true})
		require.NoError(t, err)
		c.inbox.put(func(d *desk) {
			d.touched.once.clear()
			panic("half way again")
		})
		synctest.Wait()
		require.Equal(t, []string{"acd: desk", "acd: desk"}, where)
		require.Equal(t, call.CauseBusy, <-third.Failed(), "a single try is not forgotten")
		_, offers := second.Visit()
		require.Len(t, offers, 1, "the caller lost from the index is offered")
		<-time.After(15 * time.Second)
		synctest.Wait()
		_, offers = first.Visit()
		require.Equal(t, howUnanswered, offers[0].How, "the deadline lost is kept")
		cancel()
		require.NoError(t, <-ran)
	})
}

// TestRebuild: every index that a panic may have left in ruins comes from the facts again, also those of circles,
// of decisions and of the day.
func TestRebuild(t *testing.T) {
	o := Options{
		Phones: silent{}, Queues: []Queue{{Name: "repair", Level: 3, Widen: []Widening{{After: time.Minute, Level: 2}}}},
		Agents: []Agent{
			{ID: "8001", Skills: map[string]int{"repair": 1}},
			{ID: "8002", Skills: map[string]int{"repair": 2}},
			{ID: "8003", Skills: map[string]int{"repair": 5}},
		},
	}
	require.NoError(t, o.complete())
	d := newDesk(&o, newFigures(newLoad(time.Now())), func(message) bool { return true })
	d.setFlow(d.agents[0], true)
	d.setFlow(d.agents[1], true)
	q := d.queues[0]
	for _, waited := range []time.Duration{time.Second, 2 * time.Minute} {
		ticket := call.Ticket{Queue: "repair", Entered: d.now.Add(-waited)}
		d.admit(&caller{Ticket: ticket, queue: q, seat: newSeat(ticket, time.Second), unwatch: func() bool { return true }})
	}
	sound := func() {
		require.Equal(t, []int{1, 1}, []int{q.want[0].len(), q.want[1].len()}, "by circle")
		require.Equal(t, 2, q.ready.len())
		require.Equal(t, map[string]int{"offline": 1}, q.counts())
		require.Equal(t, 1, q.levels[1])
		require.Equal(t, 1, q.levels[2])
		first, ok := d.alarms.first()
		require.True(t, ok)
		require.Equal(t, d.now.Add(59*time.Second), first.at, "when the circle widens")
		require.Equal(t, 2, d.alarms.len(), "and midnight")
	}
	sound()
	d.alarms.clear()
	q.want.clear()
	q.levels[1], q.excluded["offline"], q.excluded["talking"] = 7, 7, 7
	d.rebuild()
	sound()
}

// TestOrder holds the heap against sorting, through any adding and removing.
func TestOrder(t *testing.T) {
	type thing struct{ key, place int }
	rapid.Check(t, func(t *rapid.T) {
		o := newOrder(func(a, b *thing) bool { return a.key < b.key }, func(x *thing) *int { return &x.place })
		var in []*thing
		for range rapid.IntRange(0, 80).Draw(t, "doings") {
			if len(in) > 0 && rapid.Bool().Draw(t, "remove") {
				i := rapid.IntRange(0, len(in)-1).Draw(t, "which")
				o.remove(in[i])
				o.remove(in[i]) // does nothing
				in = slices.Delete(in, i, i+1)
			} else {
				x := &thing{key: rapid.IntRange(0, 20).Draw(t, "key")}
				o.add(x)
				o.add(x) // does nothing
				in = append(in, x)
			}
			first, ok := o.first()
			require.Equal(t, len(in) > 0, ok)
			require.Equal(t, len(in), o.len())
			if ok {
				least := slices.MinFunc(in, func(a, b *thing) int { return cmp.Compare(a.key, b.key) })
				require.Equal(t, least.key, first.key)
			}
			for i, x := range o.items {
				require.Equal(t, i+1, x.place)
			}
		}
		o.clear()
		require.Zero(t, o.len())
		for _, x := range in {
			require.Zero(t, x.place)
		}
	})
}

func TestLoad(t *testing.T) {
	start := time.Now()
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	l := newLoad(start)
	require.Zero(t, l.ratio(at(4)))
	l.begin(at(4))
	l.end(at(4.5))
	require.InDelta(t, 0.1, l.ratio(at(4.5)), 1e-9)
	require.InDelta(t, 0.1, l.ratio(at(5)), 1e-9)
	require.InDelta(t, 0.05, l.ratio(at(7.5)), 1e-9, "half of the last window is out")
	require.Zero(t, l.ratio(at(10)))
	l.begin(at(10))
	require.InDelta(t, 0.5, l.ratio(at(12.5)), 1e-9, "work that goes on counts")
	require.InDelta(t, 1, l.ratio(at(1000)), 1e-9)
	l.end(at(1000))
	require.Zero(t, l.ratio(at(1100)))
}

// TestPromiseClock: from the first 180 or 183 of the first offers, at the latest their INVITE + 1 s;
// later offers, and 18x that do not mean ringing, do not count.
func TestPromiseClock(t *testing.T) {
	const ms = time.Millisecond
	for name, tc := range map[string]struct {
		act  func(s *seat, start time.Time)
		wait time.Duration
		want time.Duration // -1: zero
	}{
		"no offer":   {func(*seat, time.Time) {}, 5 * time.Second, -1},
		"not yet":    {func(s *seat, now time.Time) { s.offer("1", now) }, 999 * ms, -1},
		"the latest": {func(s *seat, now time.Time) { s.offer("1", now) }, time.Second, time.Second},
		"rang": {func(s *seat, now time.Time) {
			s.offer("1", now)
			s.progress(0, 182, now.Add(100*ms))
			s.progress(0, 183, now.Add(300*ms))
			s.progress(0, 180, now.Add(400*ms))
		}, 500 * ms, 300 * ms},
		"one of several": {func(s *seat, now time.Time) {
			s.offer("1", now)
			s.offer("2", now)
			s.progress(0, 180, now.Add(400*ms))
			s.progress(1, 180, now.Add(300*ms))
		}, 500 * ms, 300 * ms},
		"late": {func(s *seat, now time.Time) {
			s.offer("1", now)
			s.progress(0, 180, now.Add(1500*ms))
		}, 2 * time.Second, time.Second},
		"re-offer": {func(s *seat, now time.Time) {
			s.offer("1", now)
			s.end(0, howRefused, now.Add(100*ms))
			s.offer("2", now.Add(100*ms))
			s.progress(1, 180, now.Add(200*ms))
		}, 2 * time.Second, time.Second},
		"answered before": {func(s *seat, now time.Time) {
			s.offer("1", now)
			s.answer(0, call.Answer{At: now.Add(200 * ms)})
		}, 2 * time.Second, 200 * ms},
		"left before": {func(s *seat, now time.Time) {
			s.offer("1", now)
			s.Leave(call.CauseBye)
		}, 2 * time.Second, -1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				s := newSeat(call.Ticket{Entered: start}, 5*time.Second)
				s.gone = func() {}
				tc.act(s, start)
				<-time.After(tc.wait)
				got := s.PromiseClock()
				if tc.want < 0 {
					require.Zero(t, got)
					return
				}
				require.Equal(t, tc.want, got.Sub(start))
			})
		})
	}
}

// TestRingsOfAnOffer: ⌊elapsed ÷ cycle⌋ + 1 from the offer's own first 18x, 0 without one.
func TestRingsOfAnOffer(t *testing.T) {
	start := time.Now()
	for after, want := range map[time.Duration]int{
		-time.Second: 1, 0: 1, 5*time.Second - 1: 1, 5 * time.Second: 2, 15*time.Second - 1: 3, 15 * time.Second: 4,
	} {
		s := newSeat(call.Ticket{}, 5*time.Second)
		s.offer("1", start)
		s.offer("2", start)
		s.progress(0, 180, start)
		s.end(0, howUnanswered, start.Add(after))
		s.end(1, howBusy, start.Add(after))
		_, offers := s.Visit()
		require.Equal(t, want, offers[0].Rings, after)
		require.Zero(t, offers[1].Rings)
	}
}

// unused is a phone that must not be rung.
type unused struct{ t *testing.T }

func (u unused) Ring(context.Context, call.RingRequest) (call.Leg, error) {
	u.t.Error("a phone was rung")
	return nil, &call.RingError{Why: call.CauseWithdrawn}
}

// TestLeftBeforeTheDeskKnows: the three places where the desk comes to a caller who has left, and whose
// message has not arrived: taking in, matching, and answering. In each the waiter is taken back and the
// agent stays free.
func TestLeftBeforeTheDeskKnows(t *testing.T) {
	setUp := func(p Phones) (*desk, *agent, *caller) {
		o := Options{Phones: p, Queues: []Queue{{Name: "repair"}}, Agents: []Agent{{ID: "8001", Skills: map[string]int{"repair": 1}}}}
		require.NoError(t, o.complete())
		d := newDesk(&o, newFigures(newLoad(time.Now())), func(message) bool { return true })
		ticket := call.Ticket{CallID: "c1", Queue: "repair"}
		c := &caller{Ticket: ticket, queue: d.queues[0], seat: newSeat(ticket, time.Second), unwatch: func() bool { return true }}
		c.seat.gone = func() {}
		d.setFlow(d.agents[0], true)
		return d, d.agents[0], c
	}
	free := func(d *desk, a *agent, c *caller) {
		require.False(t, c.waits())
		require.Zero(t, d.queues[0].want.len())
		require.Nil(t, a.offer)
		require.Equal(t, call.AgentReady, a.state(d.now))
		require.Equal(t, 1, d.queues[0].ready.len())
	}
	t.Run("taking in", func(t *testing.T) {
		d, a, c := setUp(unused{t})
		require.True(t, c.seat.Leave(call.CauseCancel))
		d.admit(c)
		free(d, a, c)
	})
	t.Run("matching", func(t *testing.T) {
		d, a, c := setUp(unused{t})
		d.admit(c)
		require.True(t, c.seat.Leave(call.CauseCancel))
		d.match()
		d.wg.Wait()
		free(d, a, c)
		_, offers := c.seat.Visit()
		require.Empty(t, offers)
	})
	t.Run("answering", func(t *testing.T) {
		d, a, c := setUp(silent{})
		d.admit(c)
		d.match()
		require.True(t, c.seat.Leave(call.CauseCancel))
		leg := calltest.NewLeg("8001")
		o := a.offer
		d.rang(o, leg, nil, time.Now())
		d.wg.Wait()
		end, ended := call.EndOf(leg)
		require.True(t, ended)
		require.Equal(t, call.CauseWithdrawn, end.Why)
		require.Equal(t, call.AgentTalking, a.state(d.now), "until the leg's end has come in")
		d.legEnded(a, a.legs[0])
		free(d, a, c)
		require.Empty(t, c.seat.answered)
	})
}

// TestMatchAgreesWithScan: what the indexes find is what a look at every caller finds.
func TestMatchAgreesWithScan(t *testing.T) {
	d := bench(t)
	for _, a := range d.agents[:50] {
		a.paused = false
		d.refresh(a)
		c, with := d.touched.first()
		require.Same(t, a, with)
		require.Same(t, d.naive(a), c)
		d.drop(c)
		a.paused = true
		d.refresh(a)
	}
}

// stubborn is a phone that goes on ringing after it was withdrawn, until it is told to stop.
type stubborn chan struct{}

func (s stubborn) Ring(ctx context.Context, _ call.RingRequest) (call.Leg, error) {
	<-ctx.Done()
	<-s
	return nil, &call.RingError{Why: call.CauseWithdrawn}
}

// TestReservedUntilPhoneIsFree: after a withdrawal the agent is offered nothing, whatever the flow does
// and however long it takes, until the phone has stopped ringing.
func TestReservedUntilPhoneIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		phone := make(stubborn)
		c, err := New(Options{
			Queues: []Queue{{Name: "repair"}}, Phones: phone,
			Agents: []Agent{{ID: "8001", Skills: map[string]int{"repair": 5}}},
		})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- c.Run(ctx) }()
		c.Flow("8001", true)
		first, err := c.Join(t.Context(), call.Ticket{CallID: "c1", Queue: "repair"})
		require.NoError(t, err)
		synctest.Wait()
		require.True(t, first.Leave(call.CauseCancel))
		second, err := c.Join(t.Context(), call.Ticket{CallID: "c2", Queue: "repair"})
		require.NoError(t, err)
		c.Flow("8001", false)
		c.Flow("8001", true)
		<-time.After(10 * time.Second)
		synctest.Wait()
		require.Equal(t, call.AgentRinging, Must(c.Agents())[0].State)
		_, offers := second.Visit()
		require.Empty(t, offers)
		phone <- struct{}{}
		synctest.Wait()
		_, offers = second.Visit()
		require.Len(t, offers, 1)
		cancel()
		phone <- struct{}{}
		require.NoError(t, <-ran)
	})
}
