package acd_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"hotline/acd"
	"hotline/call"
)

// world is the desks of one or several nodes in simulated time, on one log, with phones that do what the test says. The log
// and the claims are the book's rules in short; what must hold is judged by the phones.
type world struct {
	t     testing.TB
	start time.Time
	now   time.Time
	nodes []*worldNode
	// delay is how long a word takes to the book, or from it.
	delay  func() time.Duration
	events []worldEvent
	seq    int

	flows map[string]*call.SiteFlow
	// callers, rests and shifts are what the book holds besides.
	callers map[string]*call.SiteCaller
	rests   map[string]*call.SiteRest
	shifts  map[string]*call.Shift
	claims  map[string]*call.SiteClaim
	n       uint64
	phones  map[string]*worldPhone
	calls   map[string]*worldCall
	names   []string
	engage  map[string]*acd.SimLeg
	home    map[string]int // the node at which the phone is, -1: none
	// broken: a node has died or was cut off, so that the book does not know all.
	broken bool

	lines   []worldLine
	refused int // claims
	// refusedAt is when.
	refusedAt map[time.Duration]bool
	lapsed    int // expectations
	faults    []string
	trace     []string // all of it, for whoever reads a failure
}

type worldEvent struct {
	at  time.Time
	seq int
	do  func()
}

// worldNode is one node: its desk, and what stands for its membership.
type worldNode struct {
	w    *world
	id   call.NodeID
	runs int
	sim  *acd.Sim
	// up and down are until when words on the way to the book, and from it, take: neither overtakes another.
	up, down  time.Time
	dead, cut bool
	// said are its callers who wait, which it says again in another run.
	said map[string]*call.SiteCaller
}

// worldPhone rings, or talks.
type worldPhone struct {
	agent, call string
	node        *worldNode
	token       call.Token
	progress    func(int, time.Time)
	tell        func(call.Leg, *call.RingError)
	leg         *acd.SimLeg
	since       time.Time
}

type worldCall struct {
	call.Ticket
	node *worldNode
	seat call.Seat
	over bool
}

func newWorld(tb testing.TB, nodes int, o acd.Options) *world {
	w := &world{
		t: tb, start: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), delay: func() time.Duration { return 0 },
		callers: map[string]*call.SiteCaller{}, rests: map[string]*call.SiteRest{}, shifts: map[string]*call.Shift{},
		flows: map[string]*call.SiteFlow{}, claims: map[string]*call.SiteClaim{}, phones: map[string]*worldPhone{},
		calls: map[string]*worldCall{}, engage: map[string]*acd.SimLeg{}, home: map[string]int{}, refusedAt: map[time.Duration]bool{},
	}
	w.now = w.start
	for i := range nodes {
		n := &worldNode{w: w, said: map[string]*call.SiteCaller{}, id: call.NodeID(fmt.Sprintf("n%d.1", i)), runs: 1}
		o := o
		if nodes > 1 {
			o.Site = n
		}
		o.Logger = zap.New(newLapses(w))
		o.Random = rand.New(rand.NewPCG(1, uint64(i)))
		o.OnPanic = func(where string, v any) { w.fault("%s: panic: %v\n%s", where, v, debug.Stack()) }
		o.OnAlarm = func(s acd.AlarmStep) { w.line("alarm %s %s", s.Call, s.Step) }
		sim, err := acd.NewSim(o, n, w.now)
		require.NoError(tb, err)
		n.sim = sim
		w.nodes = append(w.nodes, n)
	}
	if nodes > 1 {
		for _, n := range w.nodes {
			n.learn(call.SiteNews{Self: n.id, State: call.SiteJoined, Whole: true})
		}
	}
	w.settle()
	return w
}

func (w *world) line(format string, args ...any) {
	w.lines = append(w.lines, worldLine{w.now.Sub(w.start), fmt.Sprintf(format, args...)})
	w.traced(format, args...)
}

func (w *world) fault(format string, args ...any) {
	w.faults = append(w.faults, worldLine{w.now.Sub(w.start), fmt.Sprintf(format, args...)}.String())
}

func (w *world) traced(format string, args ...any) {
	w.trace = append(w.trace, w.now.Sub(w.start).String()+" "+fmt.Sprintf(format, args...))
}

type worldLine struct {
	at   time.Duration
	what string
}

func (l worldLine) String() string { return l.at.String() + " " + l.what }

// log is what happened; what happened in one instant has no order.
func (w *world) log() []string {
	lines := slices.Clone(w.lines)
	slices.SortStableFunc(lines, func(a, b worldLine) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.what, b.what))
	})
	texts := make([]string, len(lines))
	for i, l := range lines {
		texts[i] = l.String()
	}
	return texts
}

// later does something once a word has had its way, after all that was sent before it on the same way.
func (w *world) later(way *time.Time, do func()) {
	at := w.now.Add(w.delay())
	if at.Before(*way) {
		at = *way
	}
	*way = at
	w.at(at, do)
}

func (w *world) at(at time.Time, do func()) {
	w.seq++
	w.events = append(w.events, worldEvent{at, w.seq, do})
}

// next is the first event that has come.
func (w *world) due() (worldEvent, bool) {
	best := -1
	for i, e := range w.events {
		if !e.at.After(w.now) && (best < 0 || e.at.Before(w.events[best].at) ||
			e.at.Equal(w.events[best].at) && e.seq < w.events[best].seq) {
			best = i
		}
	}
	if best < 0 {
		return worldEvent{}, false
	}
	e := w.events[best]
	w.events = slices.Delete(w.events, best, best+1)
	return e, true
}

// settle has everything happen that is to at this instant.
func (w *world) settle() {
	for again := true; again; {
		again = false
		for _, n := range w.nodes {
			if !n.dead {
				n.sim.Set(w.now)
				n.sim.Work()
			}
		}
		for e, ok := w.due(); ok; e, ok = w.due() {
			e.do()
			again = true
		}
		for _, n := range w.nodes {
			if at, ok := n.sim.Next(); ok && !n.dead && !at.After(w.now) {
				again = true
			}
		}
	}
	w.look()
}

// pass lets time go by, with everything that happens in it.
func (w *world) pass(d time.Duration) {
	end := w.now.Add(d)
	for {
		next := end
		for _, e := range w.events {
			if e.at.Before(next) {
				next = e.at
			}
		}
		for _, n := range w.nodes {
			if at, ok := n.sim.Next(); ok && !n.dead && at.Before(next) {
				next = at
			}
		}
		if next.After(w.now) {
			w.now = next
		}
		w.settle()
		if !w.now.Before(end) {
			return
		}
	}
}

// look takes in what callers were told.
func (w *world) look() {
	for _, name := range w.names {
		c := w.calls[name]
		if c.over || c.node.dead {
			continue
		}
		select {
		case a := <-c.seat.Answered():
			w.line("answered %s by %s", name, a.Agent)
			c.over = true
		case why := <-c.seat.Failed():
			w.line("failed %s %s", name, why)
			c.over = true
		case why := <-c.seat.Turned():
			w.line("turned %s %s", name, why)
			c.over = true
		default:
		}
	}
}

// append writes into the log: every node that follows it hears of it.
func (w *world) append(news call.SiteNews) {
	for _, n := range w.nodes {
		if n.dead || n.cut {
			continue
		}
		id := n.id
		w.later(&n.down, func() {
			if !n.dead && !n.cut && n.id == id {
				news.Self, news.State = n.id, call.SiteJoined
				n.learn(news)
			}
		})
	}
}

func (n *worldNode) learn(news call.SiteNews) { n.sim.Center().Learn(news) }

// deed is something that the node does to the book.
func (n *worldNode) deed(do func()) {
	id := n.id
	n.w.later(&n.up, func() {
		if !n.dead && !n.cut && n.id == id {
			do()
		}
	})
}

// Say implements acd.Site.
func (n *worldNode) Say(facts ...call.SiteFact) {
	facts = slices.Clone(facts)
	for _, f := range facts {
		switch {
		case f.Caller != nil:
			n.said[f.Caller.Call] = f.Caller
		case f.Gone != nil:
			delete(n.said, f.Gone.Call)
		}
	}
	n.deed(func() {
		facts = slices.DeleteFunc(facts, func(f call.SiteFact) bool {
			if !n.stamp(&f) {
				return true
			}
			n.w.tracedFact(n, &f)
			return false
		})
		n.w.append(call.SiteNews{Facts: facts})
	})
}

// stamp has a fact be this run's, and has the book know it; false if another edge has the phone by now.
func (n *worldNode) stamp(f *call.SiteFact) bool {
	switch {
	case f.Flow != nil:
		if at := n.w.flows[f.Flow.Agent]; at != nil && at.Edge.Process() != n.id.Process() && at.Since.After(f.Flow.Since) {
			return false
		}
		f.Flow.Edge = n.id
		n.w.flows[f.Flow.Agent] = f.Flow
	case f.FlowGone != nil:
		f.FlowGone.Edge = n.id
		if at := n.w.flows[f.FlowGone.Agent]; at != nil && at.Edge == n.id {
			delete(n.w.flows, f.FlowGone.Agent)
		}
	case f.Caller != nil:
		f.Caller.Owner = n.id
		n.w.callers[f.Caller.Call] = f.Caller
	case f.Gone != nil:
		f.Gone.Owner = n.id
		delete(n.w.callers, f.Gone.Call)
	case f.Rest != nil:
		f.Rest.By = n.id
		n.w.rests[f.Rest.Agent] = f.Rest
	case f.Shift != nil:
		n.w.shifts[f.Shift.Agent] = f.Shift
	}
	return true
}

// Release implements acd.Site.
func (n *worldNode) Release(agent, id string, rest call.SiteRest) {
	if p := n.w.phones[agent]; p != nil && p.node == n && p.call == id {
		n.w.fault("%s was given back for %s while the phone is in use", agent, id)
	}
	n.deed(func() {
		c := n.w.claims[agent]
		if c == nil || c.Owner != n.id || c.Call != id {
			return
		}
		delete(n.w.claims, agent)
		rest.Token, rest.By = c.Token, n.id
		n.w.rests[agent] = &rest
		n.w.traced("  book: %s gives %s back for %s: %s", n.id, agent, id, rest.How)
		n.w.append(call.SiteNews{Facts: []call.SiteFact{{Rest: &rest}}})
	})
}

// Ring implements acd.Bells: the claim, and then the phone.
func (n *worldNode) Ring(r call.RingRequest, tell func(call.Leg, *call.RingError)) func(call.Cause) {
	p := &worldPhone{agent: r.Agent, call: r.CallID, node: n, progress: r.Progress, tell: tell}
	withdrawn := false
	fail := func(why call.Cause) { tell(nil, &call.RingError{Why: why, At: n.w.now}) }
	claim := func() {
		w := n.w
		flow := w.flows[r.Agent]
		switch {
		case withdrawn:
			fail(call.CauseWithdrawn)
			return
		case w.alone(n):
			if at := w.home[r.Agent]; w.phones[r.Agent] != nil || n.cut && (at < 0 || w.nodes[at] != n) {
				fail(call.CauseTaken) // the gate, or there is none here
				return
			}
		case flow == nil || w.claims[r.Agent] != nil:
			w.refused++
			w.refusedAt[w.now.Sub(w.start)] = true
			w.traced("  book: refused %s %s of %s", r.Agent, r.CallID, n.id)
			fail(call.CauseTaken)
			return
		default:
			w.n++
			c := &call.SiteClaim{
				Agent: r.Agent, Call: r.CallID, Owner: n.id, Edge: flow.Edge, Token: call.Token{Epoch: 1, N: w.n}, Since: w.now,
			}
			w.claims[r.Agent], p.token = c, c.Token
			w.claimed(c)
		}
		if other := w.phones[r.Agent]; other != nil {
			if !w.broken {
				w.fault("%s is rung for %s and for %s", r.Agent, other.call, r.CallID)
			}
			fail(call.CauseTaken) // the gate refuses, for what the book does not know
			return
		}
		w.phones[r.Agent] = p
		w.line("ring %s %s", r.Agent, r.CallID)
	}
	if n.w.alone(n) {
		claim()
	} else {
		n.w.later(&n.up, func() {
			if n.dead {
				return
			}
			claim()
		})
	}
	return func(why call.Cause) {
		withdrawn = true
		if n.w.phones[r.Agent] == p && p.leg == nil {
			n.w.line("cancel %s %s %s", r.Agent, r.CallID, why)
			delete(n.w.phones, r.Agent)
			fail(why)
		}
	}
}

// alone reports whether the node is one without others, or cut off from them.
func (w *world) alone(n *worldNode) bool { return len(w.nodes) == 1 || n.cut }

// claimed writes what a claim is now.
func (w *world) claimed(c *call.SiteClaim) {
	told := *c
	w.traced("  book: claim %s %s of %s", c.Agent, c.Call, c.Owner)
	w.append(call.SiteNews{Facts: []call.SiteFact{{Claim: &told}}})
}

// mark has the phone's node write down what the phone did.
func (p *worldPhone) mark(what func(c *call.SiteClaim)) {
	w := p.node.w
	p.node.deed(func() {
		if c := w.claims[p.agent]; c != nil && c.Token == p.token {
			what(c)
			w.claimed(c)
		}
	})
}

// What phones and callers do.

func (w *world) join(n *worldNode, t call.Ticket) *worldCall {
	seat, err := n.sim.Center().Join(w.t.Context(), t)
	require.NoError(w.t, err)
	c := &worldCall{Ticket: t, node: n, seat: seat}
	w.calls[t.CallID] = c
	w.names = append(w.names, t.CallID)
	w.settle()
	return c
}

func (w *world) leave(name string) {
	c := w.calls[name]
	if c.seat.Leave(call.CauseCancel) {
		c.over = true
		w.line("left %s", name)
	}
	w.settle()
}

func (w *world) flow(n *worldNode, agent string, up bool) {
	n.sim.Center().Flow(agent, up)
	w.settle()
}

// ringing are the phones that ring, in the order of their names; talking those in a call of a queue.
func (w *world) ringing() (agents []string) {
	for a, p := range w.phones {
		if p.leg == nil && !p.node.dead {
			agents = append(agents, a)
		}
	}
	slices.Sort(agents)
	return agents
}

func (w *world) talking() (agents []string) {
	for a, p := range w.phones {
		if p.leg != nil && !p.node.dead {
			agents = append(agents, a)
		}
	}
	slices.Sort(agents)
	return agents
}

func (w *world) rings(agent string) {
	p := w.phones[agent]
	p.progress(180, w.now)
	now := w.now
	p.mark(func(c *call.SiteClaim) {
		if c.Rung.IsZero() {
			c.Rung = now
		}
	})
	w.settle()
}

func (w *world) answer(agent string) {
	p := w.phones[agent]
	p.leg = p.node.sim.Leg(agent + " " + p.call)
	p.since = w.now
	now := w.now
	p.mark(func(c *call.SiteClaim) { c.Answered = now })
	p.tell(p.leg, nil)
	w.settle()
	if p.leg.Context().Err() != nil { // it came too late
		delete(w.phones, agent)
	}
}

func (w *world) refuse(agent string, why call.Cause) {
	p := w.phones[agent]
	delete(w.phones, agent)
	p.tell(nil, &call.RingError{Why: why, At: w.now})
	w.settle()
}

// hangUp ends a talk, and has its record be known.
func (w *world) hangUp(agent string) {
	p := w.phones[agent]
	delete(w.phones, agent)
	ended := w.now
	p.leg.End(call.Far, call.CauseBye)
	c := w.calls[p.call]
	p.node.sim.Center().Finished(call.Record{
		ID: p.call, From: c.From, Started: p.since,
		Talks: []call.TalkRecord{{Agent: agent, Queue: c.Queue, Answered: p.since, Ended: &ended}},
	})
	w.settle()
}

// lapses is a log that counts the expectations which came to nothing.
type lapses struct {
	zapcore.LevelEnabler
	w *world
}

func newLapses(w *world) lapses { return lapses{zapcore.DebugLevel, w} }

func (l lapses) With([]zapcore.Field) zapcore.Core { return l }

func (l lapses) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	return to.AddCore(e, l)
}

func (l lapses) Write(e zapcore.Entry, fields []zapcore.Field) error {
	if e.Message != "another node's claim did not come" {
		return nil
	}
	l.w.lapsed++
	kept := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(kept)
	}
	l.w.traced("  a claim did not come: %v", kept.Fields)
	return nil
}

func (lapses) Sync() error { return nil }

func (w *world) tracedFact(n *worldNode, f *call.SiteFact) {
	switch {
	case f.Caller != nil:
		w.traced("  book: %s says that %s waits", n.id, f.Caller.Call)
	case f.Gone != nil:
		w.traced("  book: %s says that %s is gone: %s", n.id, f.Gone.Call, f.Gone.How)
	case f.Rest != nil:
		w.traced("  book: %s says of %s: %+v", n.id, f.Rest.Agent, *f.Rest)
	case f.Flow != nil:
		w.traced("  book: %s says that %s is there", n.id, f.Flow.Agent)
	}
}
