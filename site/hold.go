package site

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// rung takes in an 18x.
func (m *Member) rung(h *hold, code int, at time.Time) {
	if code <= 100 || code >= 200 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if h.rung.IsZero() && h.phase == ringing {
		h.rung = at
		m.write(h)
	}
}

// write has the book know how far a claim is. It needs mu.
func (m *Member) write(h *hold) {
	if !h.local {
		m.out.mark(m, h.claim(m.node.ID))
	}
}

// rang takes in what became of a ring.
func (m *Member) rang(h *hold, leg call.Leg, err error) {
	now := time.Now()
	if err == nil {
		if at, err := leg.Answer(); err == nil && at.After(h.since) && at.Before(now) {
			now = at
		}
		m.under(func() {
			h.phase, h.answered, h.leg = talking, now, leg
			if l, tells := leg.(interface{ Settled() <-chan struct{} }); tells {
				h.settled = l.Settled()
			}
			if l, can := leg.(call.RelayedLeg); can {
				h.via.leg = l
			}
			m.write(h)
		})
		unwatch := context.AfterFunc(leg.Context(), func() { m.over(h) })
		m.mu.Lock()
		h.unwatch = func() { unwatch() }
		m.mu.Unlock()
		return
	}
	failed, told := errors.AsType[*call.RingError](err)
	m.mu.Lock()
	defer m.mu.Unlock()
	h.phase, h.ended = ended, now
	if told && failed.Why == call.CauseTaken {
		m.figures.refusals.Inc()
		m.see(failed.Above)
		m.raise(h.agent, failed.Above)
	}
	if !told || failed.Unsure {
		m.abandon(h)
	}
}

// unheard are the ends of a leg of which the phone may not know.
var unheard = []call.Cause{
	call.CauseTransport, call.CauseSilent, call.CauseNoMedia, call.CauseExpired, call.CauseNoAck, call.CauseError,
}

// over takes in that a leg has ended. Where its edge is another node that is gone, or whose word about the end is missing,
// the phone may talk on.
func (m *Member) over(h *hold) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ends(h)
}

// ends needs mu.
func (m *Member) ends(h *hold) {
	if h.phase != talking {
		return
	}
	end, _ := call.EndOf(h.leg)
	h.phase, h.ended = ended, time.Now()
	m.parts(h)
	sure := m.view.lives(h.edge.Process())
	sure = sure && !slices.Contains(unheard, end.Why)
	if !sure && m.state != call.SiteCut && !m.self(h.edge) { // of its own edge's phones the gate knows
		m.abandon(h)
	}
	if h.rest != nil {
		m.give(h, *h.rest)
	}
}

// usurped ends a leg whose claim cannot be written again, since another call has the agent: if this node had no lease for a while
// since the leg began, nobody could tell that it lives, and the phone has two by now. If it always had one, the book has
// lost the claim: the leg is kept, the other is refused by the gate, and the claim is tried again. It needs mu.
func (m *Member) usurped(agent string, t call.Token) {
	for _, h := range m.holds {
		if h.agent != agent || h.token != t || h.phase != talking || !m.lapsed.After(h.since) {
			continue
		}
		m.o.Logger.Warn("an agent is another call's since this node slept, or was cut off: the talk is ended", zap.String("agent", agent),
			zap.String("call", h.call), zap.Stringer("token", t))
		leg := h.leg
		m.start("end a leg", func(context.Context) { leg.Hangup(call.CauseTaken) })
	}
}

// abandon leaves a claim to its phone's edge. It needs mu.
func (m *Member) abandon(h *hold) {
	if h.unsure {
		return
	}
	h.unsure = true
	m.forsake(h.agent, h.call, h.token, h.local)
	m.o.Logger.Info("it is not sure that an agent's phone is free: its edge is to judge", zap.String("agent", h.agent),
		zap.String("call", h.call), zap.Stringer("token", h.token), zap.String("edge", string(h.edge)))
	if !h.local { // else the book has no claim: the gate has the leg, and judges it by itself
		m.out.abandon(m, h.agent, h.token)
	}
}

// give gives a claim back, with what it has left on its agent. It needs mu.
func (m *Member) give(h *hold, rest call.SiteRest) {
	m.drop(h)
	rest.Agent, rest.Call = h.agent, h.call
	if h.unsure || h.local || h.given { // the book has no such claim of this node's
		rest.Token = call.Token{}
		m.out.say(m, call.SiteFact{Rest: &rest})
		return
	}
	rest.Token = h.token
	m.out.push(m, h.agent, deed{kind: doRelease, token: h.token, rest: rest, gate: m.self(h.edge), settled: h.settled})
}

// Release implements acd.Site.
func (m *Member) Release(agent, callID string, rest call.SiteRest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.holds[holdKey{agent, callID}]
	if h != nil && h.phase == talking && h.leg.Context().Err() != nil {
		m.ends(h)
	}
	switch {
	case h == nil || h.token == (call.Token{}):
	case h.phase == talking: // it is given back when nobody talks any more
		h.rest = &rest
	case h.phase == ended:
		m.give(h, rest)
	}
}

// Order implements acd.Site.
func (m *Member) Order(at time.Time) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.clock.there(at).UnixMicro()
}

// Say implements acd.Site. Facts that are not a node's to say are logged and passed over.
func (m *Member) Say(facts ...call.SiteFact) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range facts {
		if f.Rest != nil {
			r := *f.Rest
			r.Token = call.Token{}
			f.Rest = &r
		}
		if f.Flow != nil {
			flow := *f.Flow
			flow.At = m.own.flows[flow.Agent].At // which the registrar alone knows
			f.Flow = &flow
		}
		if _, err := Said(m.node.ID, []call.SiteFact{f}); err != nil {
			m.o.Logger.Error("a fact that cannot be told to the other nodes", zap.Error(err))
			continue
		}
		m.remember(f)
		m.out.say(m, f)
	}
}

// remember keeps what this node says, to be said again. It needs mu.
func (m *Member) remember(f call.SiteFact) {
	switch {
	case f.Flow != nil:
		m.own.flows[f.Flow.Agent] = *f.Flow
		if m.arrivals.came(f.Flow.Agent, time.Now()) {
			wake(m.wakeAsk)
		}
	case f.FlowGone != nil:
		delete(m.own.flows, f.FlowGone.Agent)
		m.gone(f.FlowGone.Agent)
	case f.Caller != nil:
		m.own.callers[f.Caller.Call] = f
	case f.Gone != nil:
		m.own.callers[f.Gone.Call] = f
	case f.Rest != nil, f.Shift != nil, f.Place != nil, f.Regular != nil:
		m.view.share(f)
	}
}
