package acd_test

import (
	"slices"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zapcore"

	"hotline/call"
)

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
