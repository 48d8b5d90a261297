package sip

import (
	"context"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// gates are the gates of the agents' phones that are, or were, registered here: one for each agent at most, kept when the
// phone has gone, since tokens may be on their way. Registrar.mu guards them. Nil without a site.
type gates struct {
	byAgent map[string]*call.Gate
	over    chan struct{} // closed, and made anew, whenever a leg is over
}

func newGates() *gates {
	return &gates{byAgent: make(map[string]*call.Gate), over: make(chan struct{})}
}

// holdLocked closes the gate of a phone that comes from nowhere known. Who calls it tells of the change: a phone that went
// and came before that was told has to be told as gone, or nobody would ask where it was, and seed the gate.
func (r *registrar) holdLocked(agent string) {
	if r.gates == nil {
		return
	}
	r.gateLocked(agent).Hold()
	r.anew[agent] = true
}

func (r *registrar) gateLocked(agent string) *call.Gate {
	g := r.gates.byAgent[agent]
	if g == nil {
		g = new(call.Gate)
		r.gates.byAgent[agent] = g
	}
	return g
}

// admit asks the gate of an agent's phone for an INVITE, and returns the way to the phone by which it may leave, and
// the highest token that was seen.
func (r *registrar) admit(agent string, leg call.GateLeg, seq uint32, until time.Time) (flow, call.Token, call.GateVerdict) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.gates.byAgent[agent]
	f, here := r.lookupLocked(agent)
	if g == nil || !here {
		return flow{}, call.Token{}, call.GateGone
	}
	leg.Agent = agent
	v := g.Admit(leg, seq, until, time.Now())
	return f, g.Highest(), v
}

// adopt enters a leg that talks, whose edge is dead, until overLeg; false when the phone is not here.
func (r *registrar) adopt(agent string, leg call.GateLeg) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, here := r.lookupLocked(agent); !here {
		return false
	}
	now := time.Now()
	leg.Agent, leg.Since, leg.Rung, leg.Answered = agent, now, now, now
	r.gateLocked(agent).Adopt(leg)
	return true
}

// dialled enters a call that an agent's phone makes, until overLeg.
func (r *registrar) dialled(agent, dialog string) {
	if r.gates == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gateLocked(agent).Dialled(call.GateLeg{Agent: agent, Dialog: dialog, Since: time.Now()})
	r.changedLocked(agent)
}

func (r *registrar) rungLeg(agent, dialog string) { r.marked(agent, dialog, (*call.Gate).Rung) }

func (r *registrar) answeredLeg(agent, dialog string) { r.marked(agent, dialog, (*call.Gate).Answered) }

func (r *registrar) marked(agent, dialog string, mark func(g *call.Gate, dialog string, now time.Time) bool) {
	if r.gates == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if g := r.gates.byAgent[agent]; g != nil {
		mark(g, dialog, time.Now())
	}
}

// overLeg tells the gate that a leg which went through here is over.
func (r *registrar) overLeg(agent, dialog string) {
	if r.gates == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if g := r.gates.byAgent[agent]; g != nil && g.Over(dialog) {
		r.overLocked()
	}
}

func (r *registrar) overLocked() {
	close(r.gates.over)
	r.gates.over = make(chan struct{})
}

// legOf is the leg that lives here by a claim, and a channel that is closed when some leg is over; nil when there is none.
func (r *registrar) legOf(agent string, t call.Token) (*call.GateLeg, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.gates.byAgent[agent]
	if g == nil {
		return nil, nil
	}
	for _, leg := range g.Legs() {
		if leg.Token == t && leg.Token != (call.Token{}) {
			return &leg, r.gates.over
		}
	}
	return nil, nil
}

// occupiedLocked tells whether a leg of an agent's phone goes through here, whoever's it is.
func (r *registrar) occupiedLocked(agent string) bool {
	if r.gates == nil {
		return false
	}
	g := r.gates.byAgent[agent]
	return g != nil && len(g.Legs()) > 0
}

// forgetGatesLocked forgets the gates of agents who are no more, but for those with a leg.
func (r *registrar) forgetGatesLocked(d *directory) {
	if r.gates == nil {
		return
	}
	maps.DeleteFunc(r.gates.byAgent, func(agent string, g *call.Gate) bool {
		_, there := d.accounts[agent]
		return !there && len(g.Legs()) == 0
	})
}

// onGate does something with the gate of an agent's phone; false when there is none.
func (u *UA) onGate(agent string, do func(g *call.Gate)) bool {
	r := u.registrar
	if r.gates == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.gates.byAgent[agent]
	if g != nil {
		do(g)
	}
	return g != nil
}

// Flows implements site.Edge: the phones registered here that can be reached. Edge is whoever asks.
func (u *UA) Flows() []call.SiteFlow {
	r := u.registrar
	if r.gates == nil {
		return nil
	}
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]call.SiteFlow, 0, len(r.bindings.byAgent))
	for agent := range r.bindings.byAgent {
		b, ok := r.bindings.get(agent, now)
		if !ok || b.lost {
			continue
		}
		f := call.SiteFlow{Agent: agent, Since: b.since, At: b.flow.seenAt()}
		if g := r.gates.byAgent[agent]; g != nil {
			f.Legs = g.Dialling()
		}
		out = append(out, f)
	}
	return out
}

// Next implements site.Edge: the gate hands out a token greater than all it has seen, and than least.
func (u *UA) Next(agent string, least call.Token) (t call.Token, ok bool) {
	if _, here := u.registrar.lookup(agent); !here {
		return call.Token{}, false
	}
	u.onGate(agent, func(g *call.Gate) { t, ok = g.Next(least) })
	return t, ok
}

// Past implements site.Edge: what the gate knows of a phone; false when it was never here.
func (u *UA) Past(agent string) (past call.GatePast, ok bool) {
	ok = u.onGate(agent, func(g *call.Gate) { past = g.Past(agent) })
	return past, ok
}

// Yield implements site.Edge: it gives a phone's flow up, which is at another node now. A leg of it that lives goes on
// through here. A phone that comes back is a new one.
func (u *UA) Yield(agent string) call.GatePast {
	r := u.registrar
	if r.gates == nil || !r.knows(agent) {
		return call.GatePast{Agent: agent}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bindings.removeAll(agent) {
		r.o.logger.Info("agent's phone has registered at another node", zap.String("agent", agent))
		r.changedLocked(agent)
	}
	return r.gateLocked(agent).Yield(agent)
}

// Hold closes the gate of a phone that is registered here, until Seed: what may have become of it at other edges is not
// known, since this node was taken for dead.
func (u *UA) Hold(agent string) { u.onGate(agent, (*call.Gate).Hold) }

// Held are the agents whose gates wait for Seed, of those whose phones are here.
func (u *UA) Held() []string {
	r := u.registrar
	if r.gates == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for agent, g := range r.gates.byAgent {
		if _, here := r.lookupLocked(agent); here && g.Held() {
			out = append(out, agent)
		}
	}
	slices.Sort(out)
	return out
}

// Seed implements site.Edge: what the edges before know of a phone that is new here. The gate opens, but for a leg that
// lives, until Free.
func (u *UA) Seed(past call.GatePast) {
	u.onGate(past.Agent, func(g *call.Gate) {
		if held := g.Held(); held {
			u.log.Debug("gate of a phone opened", zap.String("agent", past.Agent), zap.Stringer("highest", past.Highest),
				zap.Bool("leg elsewhere", past.Leg != nil))
		}
		g.Seed(past)
	})
}

// Free implements site.Edge: the leg with which a gate was seeded is over.
func (u *UA) Free(agent, dialog string) {
	u.onGate(agent, func(g *call.Gate) {
		if g.Free(dialog) {
			u.registrar.overLocked()
		}
	})
}

// Refuse implements site.Edge: the gate admits neither a token nor any before it any more. It reports whether no leg
// of a claim lives.
func (u *UA) Refuse(agent string, t call.Token) (free bool) {
	r := u.registrar
	if r.gates == nil || !r.knows(agent) {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.gateLocked(agent).Refuse(t)
}

// Legs implements site.Edge: the live legs at phones that go through here.
func (u *UA) Legs() []call.GateLeg {
	r := u.registrar
	if r.gates == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []call.GateLeg
	for _, g := range r.gates.byAgent {
		out = append(out, g.Legs()...)
	}
	return out
}

// End implements site.Edge: it ends the leg of an orphan, by CANCEL or BYE towards the phone, and by BYE towards the
// owner, and returns when the phone is free. Errors: ctx was done before that.
func (u *UA) End(ctx context.Context, agent string, t call.Token) error {
	if u.site == nil {
		return nil
	}
	for asked := false; ; asked = true {
		leg, over := u.registrar.legOf(agent, t)
		if leg == nil {
			return nil
		}
		if !asked {
			u.endLeg(agent, leg.Dialog)
		}
		select {
		case <-over:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// endLeg ends a leg that goes through here, whoever's it is.
func (u *UA) endLeg(agent, dialog string) {
	if u.site.relays.end(dialog) {
		return
	}
	if r := u.legs.ringWith(dialog); r != nil {
		r.giveUp()
		return
	}
	for _, l := range u.legs.all() {
		if l.agent == agent && callIDOf(l.key) == dialog {
			l.Hangup(call.CauseError)
			return
		}
	}
	// A ring that was taken back, or a leg that is over, whose last request waits for its answer: it will be told.
}
