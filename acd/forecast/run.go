package forecast

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"hotline/acd"
	"hotline/call"
)

// Caller is one who comes to a queue.
type Caller struct {
	Queue string
	At    time.Time
	// Patience is after which wait the caller gives up; 0 means never.
	Patience time.Duration
	// Talk is how long an agent talks with the caller.
	Talk time.Duration
}

// Ring is what an agent's phone does with one ring.
type Ring struct {
	// After is how long it rings.
	After time.Duration
	// Why it is not answered: [call.CauseBusy], [call.CauseDeclined], [call.CauseUnreachable]; empty means that it is
	// answered, and [call.CauseNoAnswer] that it rings until the desk takes it back.
	Why call.Cause
}

// Shift is one stretch in which an agent is there.
type Shift struct {
	Agent    string
	From, To time.Time
}

// Outcome is what came of one caller.
type Outcome struct {
	Caller
	// Index counts the callers from 0, in the order of their coming.
	Index int
	// Answered, or else gave up or, where Turned is not empty, was turned away.
	Answered bool
	Turned   call.Overflow
	// Wait is until the answer, or until the end of the waiting.
	Wait time.Duration
	// Rings are those of the promise clock; 0 when no phone was rung.
	Rings int
}

// Options of a run.
type Options struct {
	// Desk has queues, agents and targets; its phones, dialer, duty numbers, registry and logger are not used.
	Desk  acd.Options
	Start time.Time
	// Until ends the run, for who waits then as for one who gives up; zero means that it lasts until nobody waits.
	Until time.Time
	// Next is the next caller, in the order of coming; false after the last.
	Next func() (Caller, bool)
	// Ring is what an agent's phone does; nil means that each answers at once.
	Ring func(agent string) Ring
	// Shifts say who is there when; none means that everybody always is.
	Shifts []Shift
	// Ended is told what came of each caller, in the order of that.
	Ended func(Outcome)
}

// Run plays it all. Errors: the desk's options', [call.ErrNoQueue] of a caller's queue, a panic of the desk, or ctx's
// cause.
func Run(ctx context.Context, o Options) error {
	f := &floor{o: o}
	o.Desk.Registry, o.Desk.Logger, o.Desk.OnAlarm = nil, nil, nil
	o.Desk.Dialer, o.Desk.Ladder.Numbers = nil, nil // nobody outside is called
	o.Desk.OnPanic = func(where string, v any) { f.broke = errors.Join(f.broke, fmt.Errorf("panic in %s: %v", where, v)) }
	sim, err := acd.NewSim(o.Desk, f, o.Start)
	if err != nil {
		return err
	}
	f.sim = sim
	f.cycle = o.Desk.Ring.Cycle()
	if f.cycle == 0 {
		f.cycle = 5 * time.Second
	}
	f.open()
	return f.run(ctx)
}

// floor is a run as it goes on: the people at both ends of the desk.
type floor struct {
	o     Options
	sim   *acd.Sim
	cycle time.Duration
	plans plans
	// next is the caller who comes next, if more do.
	next Caller
	more bool
	came int
	// waiting are the callers by the ids of their calls.
	waiting map[string]*guest
	// fresh are those who joined since the desk last worked.
	fresh []string
	// picked are the calls whose answer was told to the desk since it last worked.
	picked []pick
	legs   int
	broke  error
}

// guest is a caller who waits.
type guest struct {
	Caller
	index int
	seat  call.Seat
}

// pick is a phone picked up for a call.
type pick struct {
	call string
	leg  *acd.SimLeg
}

func (f *floor) open() {
	f.waiting = make(map[string]*guest)
	for _, s := range f.o.Shifts {
		f.plans.add(s.From, func() { f.sim.Center().Flow(s.Agent, true) })
		f.plans.add(s.To, func() { f.sim.Center().Flow(s.Agent, false) })
	}
	if len(f.o.Shifts) == 0 {
		for _, a := range f.o.Desk.Agents {
			f.sim.Center().Flow(a.ID, true)
		}
	}
	f.sim.Work()
	f.next, f.more = f.o.Next()
}

// run goes from instant to instant, until nobody comes and nobody waits.
func (f *floor) run(ctx context.Context) error {
	for f.broke == nil && (f.more || len(f.waiting) > 0) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		at, deadline, ok := f.instant()
		if !ok || !f.o.Until.IsZero() && at.After(f.o.Until) {
			break
		}
		f.sim.Set(at)
		for f.plans.due(at) {
			f.plans.do()
		}
		for f.more && !f.next.At.After(at) {
			if err := f.admit(at); err != nil { //nolint:contextcheck // see admit
				return err
			}
		}
		f.sim.Work()
		f.settle(deadline) //nolint:contextcheck // a leg has a context of its own
	}
	f.close()
	return f.broke
}

// instant is when something happens next, and whether it is a deadline of the desk's.
func (f *floor) instant() (at time.Time, deadline, ok bool) {
	sooner := func(t time.Time) bool { return !ok || t.Before(at) }
	if f.more {
		at, ok = f.next.At, true
	}
	if t, some := f.plans.next(); some && sooner(t) {
		at, ok = t, true
	}
	if t, some := f.sim.Next(); some && (sooner(t) || t.Equal(at)) {
		at, ok, deadline = t, true, true
	}
	return at, deadline, ok
}

// admit seats the caller who comes now. The seat gets no context: one that ends gives seats up on goroutines.
func (f *floor) admit(at time.Time) error {
	g := &guest{Caller: f.next, index: f.came}
	id := strconv.Itoa(f.came)
	f.came++
	f.next, f.more = f.o.Next()
	seat, err := f.sim.Center().Join(context.Background(), call.Ticket{CallID: id, Queue: g.Queue, Entered: g.At})
	if err != nil {
		return fmt.Errorf("caller %s: %w", id, err)
	}
	g.seat = seat
	f.waiting[id] = g
	f.fresh = append(f.fresh, id)
	if g.Patience > 0 {
		f.plans.add(at.Add(g.Patience), func() { f.giveUp(id) })
	}
	return nil
}

// giveUp ends the wait of a caller who is still there.
func (f *floor) giveUp(id string) {
	if g, there := f.waiting[id]; there && g.seat.Leave(call.CauseCancel) {
		f.ended(id, g)
	}
}

// settle takes in what the desk's work came to.
func (f *floor) settle(deadline bool) {
	for _, p := range f.picked {
		g, there := f.waiting[p.call]
		if _, lost := call.EndOf(p.leg); lost || !there {
			continue
		}
		f.ended(p.call, g)
		f.plans.add(f.sim.Now().Add(g.Talk), func() { p.leg.End(call.Far, call.CauseBye) })
	}
	f.picked = f.picked[:0]
	ids := f.fresh
	if deadline {
		ids = f.inOrder()
	}
	for _, id := range ids {
		if g, there := f.waiting[id]; there && f.left(g) {
			f.ended(id, g)
		}
	}
	f.fresh = f.fresh[:0]
}

// left reports whether a seat has ended by the desk's own doing.
func (*floor) left(g *guest) bool {
	v, _ := g.seat.Visit()
	return v.Left != nil
}

// inOrder are the ids of those who wait, by their coming: a map has no order, and a run is to be repeatable.
func (f *floor) inOrder() []string {
	return slices.SortedFunc(maps.Keys(f.waiting), func(a, b string) int {
		return cmp.Compare(f.waiting[a].index, f.waiting[b].index)
	})
}

// ended reports what came of a caller whose seat has ended.
func (f *floor) ended(id string, g *guest) {
	delete(f.waiting, id)
	v, _ := g.seat.Visit()
	out := Outcome{Caller: g.Caller, Index: g.index, Turned: v.Overflow, Wait: v.Left.Sub(v.Entered)}
	select {
	case <-g.seat.Answered():
		out.Answered = true
	default:
	}
	if clock := g.seat.PromiseClock(); !clock.IsZero() {
		out.Rings = call.RingsOf(v.Left.Sub(clock), f.cycle)
	}
	f.o.Ended(out)
}

// close ends what still waits when the run is over.
func (f *floor) close() {
	for _, id := range f.inOrder() {
		if g := f.waiting[id]; g.seat.Leave(call.CauseShutdown) {
			f.ended(id, g)
		}
	}
}
