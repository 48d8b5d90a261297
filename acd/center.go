package acd

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// Center is the desk of one node. Its methods may be called from any goroutine, and before Run: what
// they say is then heard once Run has begun.
type Center struct {
	o       Options
	desk    *desk
	inbox   *inbox
	figures *figures
	load    *load

	started atomic.Bool
	running atomic.Bool
	last    atomic.Pointer[views] // for when nobody is running
	done    chan struct{}         // closed when Run returns
}

var _ call.Desk = (*Center)(nil)

// New checks the options and makes a desk at which every agent is offline. It returns every problem
// at once.
func New(o Options) (*Center, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("acd: %w", err)
	}
	c := &Center{o: o, inbox: newInbox(), load: newLoad(o.now()), done: make(chan struct{})}
	c.figures = newFigures(c.load)
	c.desk = newDesk(&c.o, c.figures, c.inbox.put)
	c.last.Store(c.desk.views())
	c.figures.publish(c.desk)
	if o.Registry != nil {
		if err := o.Registry.Register(c.figures); err != nil {
			return nil, fmt.Errorf("acd: register metrics: %w", err)
		}
	}
	return c, nil
}

// Learn takes in what the site has to tell, in the order in which it is told; without [Options.Site] it does nothing. It
// does not block. A fact that cannot be true of this desk, such as a caller of a queue that there is none of, is kept until
// a reload makes it so.
func (c *Center) Learn(n call.SiteNews) {
	if c.o.Site != nil {
		c.inbox.put(func(d *desk) { d.learn(&n, func(f func()) { c.handle(f) }, c.pair) })
	}
}

// Run owns the desk until ctx ends; then it withdraws every offer, waits until every phone is free,
// and returns nil. Callers who wait then stay seated until they leave. It may be called once; again,
// it returns [ErrRunning].
func (c *Center) Run(ctx context.Context) error {
	if !c.started.CompareAndSwap(false, true) {
		return ErrRunning
	}
	c.running.Store(true)
	defer c.stop()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		c.schedule(timer)
		select {
		case <-ctx.Done():
			c.drain()
			return nil
		case <-c.inbox.ready:
		case <-timer.C:
		}
		c.work()
	}
}

// schedule sets the timer to the next deadline.
func (c *Center) schedule(timer *time.Timer) {
	wait := time.Hour
	if next, ok := c.desk.alarms.first(); ok {
		wait = next.at.Sub(c.o.now())
	}
	timer.Reset(wait)
}

// work takes in what is in the inbox, then the deadlines that have come (an answer that arrived by its
// deadline counts), and then pairs callers and agents.
func (c *Center) work() {
	c.load.begin(c.o.now())
	for _, m := range c.inbox.take() {
		c.handle(func() { m(c.desk) })
	}
	for !c.desk.closing {
		fire, ok := c.desk.due(c.o.now())
		if !ok {
			break
		}
		c.handle(fire)
	}
	c.pair()
	c.contain(func() { c.figures.publish(c.desk) })
	c.load.end(c.o.now())
}

// handle does one thing to the desk. A panic costs what was being done and no more: it is counted,
// and the indexes are derived anew. It reports whether there was one.
func (c *Center) handle(f func()) (panicked bool) {
	c.desk.now = c.o.now()
	if panicked = c.contain(f); panicked {
		c.contain(c.desk.rebuild)
	}
	return panicked
}

// contain reports whether f panicked.
func (c *Center) contain(f func()) (panicked bool) {
	defer func() {
		if v := recover(); v != nil {
			panicked = true
			c.o.Logger.Error("panic at the desk", zap.Any("panic", v), zap.Stack("stack"))
			c.o.OnPanic("acd: desk", v)
		}
	}()
	f()
	return false
}

// drain ends what the desk began: phones that ring are taken back, and one that answers all the same
// is hung up.
func (c *Center) drain() {
	c.handle(c.desk.windDown)
	for c.desk.ringing > 0 {
		<-c.inbox.ready
		c.work()
	}
	c.desk.wg.Wait()
	c.work()
	for _, a := range c.desk.agents {
		for _, b := range a.legs {
			b.stop()
		}
	}
}

func (c *Center) stop() {
	c.contain(func() { c.last.Store(c.desk.views()) })
	c.running.Store(false)
	c.inbox.close()
	close(c.done)
}

// Join implements [call.Desk]. The end of ctx gives the seat up as Leave does, so that a caller whose
// owner failed cannot keep an agent's phone ringing; pass the context of the caller's leg or call.
// Errors: [call.ErrNoQueue], [ErrNoAgent], [ErrStopped], or ctx's cause. A wanted agent needs no
// skill. A ticket that asks for one try ([call.Ticket.Once]) and names no agent has as many as any other.
func (c *Center) Join(ctx context.Context, t call.Ticket) (call.Seat, error) {
	names := c.desk.names.Load()
	q, ok := names.queues[t.Queue]
	if t.Queue == "" && t.Agent != "" {
		q, ok = c.desk.people, true
	}
	if !ok {
		return nil, fmt.Errorf("join queue %q: %w", t.Queue, call.ErrNoQueue)
	}
	var only *agent
	if t.Agent != "" {
		if only, ok = names.agents[t.Agent]; !ok {
			return nil, fmt.Errorf("join queue %q for agent %q: %w", t.Queue, t.Agent, ErrNoAgent)
		}
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("join queue %q: %w", t.Queue, context.Cause(ctx))
	}
	if t.Entered.IsZero() {
		t.Entered = c.o.now()
	}
	t.Once = t.Once && only != nil
	s := newSeat(t, names.cycle)
	s.now = c.o.now
	w := &caller{Ticket: t, seat: s, queue: q, only: only}
	s.ask = func() { c.inbox.put(func(d *desk) { d.unsettled.asked = append(d.unsettled.asked, w) }) }
	s.gone = func() { c.inbox.put(func(d *desk) { d.left(w) }) }
	w.unwatch = context.AfterFunc(ctx, func() { s.Leave(causeOf(ctx)) })
	if !c.inbox.put(func(d *desk) { d.admit(w) }) {
		w.unwatch()
		return nil, fmt.Errorf("join queue %q: %w", t.Queue, ErrStopped)
	}
	return s, nil
}

// causeOf is why a context that ended did, as a seat wants it.
func causeOf(ctx context.Context) call.Cause {
	var end *call.LegEnd
	var asked call.CancelCause
	switch cause := context.Cause(ctx); {
	case errors.As(cause, &end):
		return end.Why
	case errors.As(cause, &asked):
		return asked.Why
	default:
		return call.CauseShutdown // nobody of the call's did it
	}
}

// Moved implements [call.Desk].
func (c *Center) Moved(id string, leg call.LegID, callID, queue string) {
	c.tell("moved", id, func(d *desk, a *agent) {
		for _, b := range a.legs {
			if b.leg.ID() == leg {
				d.talked(a, b, d.now)
				b.call, b.from = callID, d.byQueue[queue]
			}
		}
	})
}

// Flow tells that an agent's flow came up or was lost. An agent with a flow is ready, unless paused or
// logged out before.
func (c *Center) Flow(id string, up bool) {
	c.tell("flow", id, func(d *desk, a *agent) { d.setFlow(a, up) })
}

// Engaged tells that an agent has a leg which did not come from an offer, such as an outside call:
// until that leg ends the agent is talking, and afterwards has no wrap-up.
func (c *Center) Engaged(id string, leg call.Leg) {
	c.tell("engage", id, func(d *desk, a *agent) { d.engage(a, leg) })
}

// Coded tells that an agent's phone dialled a feature code: its line is in use meanwhile, and nothing else
// changes. An offer that rings goes on, and so does wrap-up.
func (c *Center) Coded(id string, leg call.Leg) {
	c.tell("code", id, func(d *desk, a *agent) { d.attachOwn(a, leg); d.refresh(a) })
}

// tell does something about an agent; one that does not exist is only logged, since who registers
// and who is an agent are configured in one place and agree.
func (c *Center) tell(what, id string, f func(d *desk, a *agent)) {
	a, ok := c.desk.names.Load().agents[id]
	if !ok {
		c.o.Logger.Warn("no such agent", zap.String("what", what), zap.String("agent", id))
		return
	}
	c.inbox.put(func(d *desk) { f(d, a) })
}

// Queues returns every queue as it is now, in the order of the options. The error is that of a fault of ours, which
// was contained and is counted.
func (c *Center) Queues() ([]call.QueueView, error) {
	v, err := c.ask()
	return v.queues, err
}

// Agents returns every agent as it is now, in the order of the options. Errors: as for Queues.
func (c *Center) Agents() ([]call.AgentView, error) {
	v, err := c.ask()
	return v.agents, err
}

// ask gets the views from the desk; while it is not running, as they were last.
func (c *Center) ask() (views, error) {
	if !c.running.Load() {
		return *c.last.Load(), nil
	}
	reply := make(chan *views, 1)
	c.inbox.put(func(d *desk) {
		var v *views // nil, unless they can be made
		defer func() { reply <- v }()
		v = d.views()
	})
	select {
	case v := <-reply:
		if v == nil {
			return views{}, fmt.Errorf("look at the desk: %w", errFault)
		}
		return *v, nil
	case <-c.done:
		return *c.last.Load(), nil
	}
}
