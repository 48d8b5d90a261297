// What a node of the town stands on: its phones, their calls, and the way to the other nodes.

package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"hotline/call"
	"hotline/media"
	"hotline/site"
)

// benchEdge is a node's phones, and the way to the others'.
type benchEdge benchNode

// Ring implements [site.Edge] and, where a desk is alone, [acd.Phones].
func (e *benchEdge) Ring(_ context.Context, r call.RingRequest) (call.Leg, error) {
	now := time.Now()
	leg, err := e.town.answer(r.Agent, r.CallID, now)
	if err != nil {
		return nil, err
	}
	if r.Progress != nil { // not under the town's lock: the membership asks for phones under its own
		r.Progress(180, now)
	}
	return leg, nil
}

// answer has a phone that is rung answer at once.
func (w *benchTown) answer(agent, callID string, now time.Time) (*benchLeg, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.phones[agent]
	if p.leg != nil {
		w.double++
		return nil, &call.RingError{Why: call.CauseTaken, Code: 486, At: now}
	}
	if !p.freed.IsZero() {
		w.times = append(w.times, now.Sub(p.freed))
		p.freed = time.Time{}
	}
	p.leg = newBenchLeg(agent+"-"+callID, now)
	select {
	case w.moved <- struct{}{}:
	default:
	}
	return p.leg, nil
}

// mine are the node's own phones.
func (e *benchEdge) mine(f func(p *benchPhone)) {
	e.town.mu.Lock()
	defer e.town.mu.Unlock()
	for _, p := range e.town.order {
		if p.node == (*benchNode)(e) {
			f(p)
		}
	}
}

// Flows implements [site.Edge].
func (e *benchEdge) Flows() (flows []call.SiteFlow) {
	e.mine(func(p *benchPhone) { flows = append(flows, call.SiteFlow{Agent: p.id, Since: benchSince}) })
	return flows
}

// benchSince is when every phone registered.
var benchSince = time.Now()

// Next implements [site.Edge]: the book serves, or the bench has failed.
func (*benchEdge) Next(string, call.Token) (call.Token, bool) { return call.Token{}, false }

// Past implements [site.Edge].
func (*benchEdge) Past(agent string) (call.GatePast, bool) { return call.GatePast{Agent: agent}, true }

// Yield implements [site.Edge].
func (*benchEdge) Yield(agent string) call.GatePast { return call.GatePast{Agent: agent} }

// Hold implements [site.Edge].
func (*benchEdge) Hold(string) {}

// Seed implements [site.Edge].
func (*benchEdge) Seed(call.GatePast) {}

// Free implements [site.Edge].
func (*benchEdge) Free(string, string) {}

// Refuse implements [site.Edge].
func (*benchEdge) Refuse(string, call.Token) bool { return true }

// End implements [site.Edge].
func (*benchEdge) End(context.Context, string, call.Token) error { return nil }

// Legs implements [site.Edge]: what the desk and the book say of them is not to be doubted here.
func (*benchEdge) Legs() []call.GateLeg { return nil }

// benchLearns hands what the site tells to the node's desk, which is made after the membership.
type benchLearns struct{ n *benchNode }

// Learn implements [site.Desk].
func (l benchLearns) Learn(n call.SiteNews) { l.n.desk.Learn(n) }

// benchPeers asks the other nodes without a net.
type benchPeers struct{ w *benchTown }

// of finds the node that is asked.
func (p benchPeers) of(n site.Node) (*site.Member, error) {
	for i, at := range p.w.nodes {
		if n.Name == fmt.Sprint("bench-", i) && strings.HasSuffix(n.SIP, fmt.Sprint(":", 1+i)) {
			return at.member, nil
		}
	}
	return nil, fmt.Errorf("no node %s", n.Name)
}

// Yield implements [site.Peers].
func (p benchPeers) Yield(_ context.Context, n site.Node, agents []string) ([]call.GatePast, error) {
	m, err := p.of(n)
	if err != nil {
		return nil, err
	}
	return m.Yield(agents), nil
}

// Holds implements [site.Peers].
func (p benchPeers) Holds(_ context.Context, n site.Node, keys []string) ([]string, error) {
	m, err := p.of(n)
	if err != nil {
		return nil, err
	}
	return m.Held(keys), nil
}

// benchLeg is the leg of a phone that has answered: it lasts until it is ended, and neither speaks nor hears.
type benchLeg struct {
	id       call.LegID
	answered time.Time
	ctx      context.Context //nolint:containedctx // a leg is its context, see call.Leg
	cancel   context.CancelCauseFunc
	settled  chan struct{}
	once     sync.Once
}

func newBenchLeg(id string, at time.Time) *benchLeg {
	l := &benchLeg{id: call.LegID(id), answered: at, settled: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	return l
}

func (l *benchLeg) end(by call.Party, why call.Cause) {
	l.once.Do(func() {
		close(l.settled)
		l.cancel(&call.LegEnd{By: by, Why: why, At: time.Now()})
	})
}

// Settled is closed once nothing of the leg is under way any more.
func (l *benchLeg) Settled() <-chan struct{} { return l.settled }

// ID implements [call.Leg].
func (l *benchLeg) ID() call.LegID { return l.id }

// Context implements [call.Leg].
func (l *benchLeg) Context() context.Context { return l.ctx }

// Ring implements [call.Leg]: an agent's leg does not come in.
func (l *benchLeg) Ring() error { return fmt.Errorf("leg %s is not coming in", l.id) }

// Answer implements [call.Leg].
func (l *benchLeg) Answer() (time.Time, error) { return l.answered, nil }

// Hangup implements [call.Leg].
func (l *benchLeg) Hangup(why call.Cause) { l.end(call.System, why) }

// Ask implements [call.Leg].
func (*benchLeg) Ask() {}

// Mend implements [call.Leg].
func (*benchLeg) Mend() {}

// Belongs implements [call.Leg].
func (*benchLeg) Belongs(string) {}

// Audio implements [call.Leg]: there is none.
func (*benchLeg) Audio() media.Stream { return nil }

// Attach implements [call.Leg].
func (*benchLeg) Attach(func(call.Command) bool) {}
