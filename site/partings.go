package site

import (
	"context"

	"hotline/call"
)

// parting is a leg of this node's at a phone of another edge, that has ended here, and whose phone has not answered that
// yet. The claim may be abandoned by then, but the phone is not free: whichever edge it is registered at is told so when
// it asks, and the way to it is looked for.
type parting struct {
	at  call.GateLeg
	via passage
}

// passage is the way of a leg to its phone.
type passage struct {
	edge call.NodeID
	leg  call.RelayedLeg
	// moved: not by the edge that it began at.
	moved bool
}

// over reports whether a parting is.
func (p *parting) over() bool {
	select {
	case <-p.via.leg.Settled():
		return true
	default:
		return false
	}
}

// gateLeg is a hold that talks, as gates know it.
func (h *hold) gateLeg(self call.NodeID) call.GateLeg {
	return call.GateLeg{
		Agent: h.agent, Dialog: h.via.leg.Dialog(), Call: h.call, Owner: self, Token: h.token, Since: h.since, Rung: h.rung,
		Answered: h.answered, Edge: h.edge,
	}
}

// parts remembers the leg of a hold that has ended, if its phone is not known to have heard. It needs mu.
func (m *Member) parts(h *hold) {
	if h.via.leg == nil || m.self(h.edge) { // of its own edge's phones the gate knows
		return
	}
	p := &parting{at: h.gateLeg(m.node.ID), via: h.via}
	p.via.edge = h.edge
	if !p.over() {
		m.partings[p.at.Dialog] = p
	}
}

// owned is the leg that this node has at a phone by way of whatever edge, dead or not: it rings, it talks, or the phone does not
// know yet that it has ended. Nil: none. It needs mu.
func (m *Member) owned(agent string) *call.GateLeg {
	var leg *call.GateLeg
	later := func(l call.GateLeg, by call.NodeID) {
		if l.Edge = by; leg == nil || l.Token.Compare(leg.Token) > 0 {
			leg = &l
		}
	}
	for _, h := range m.holds {
		switch {
		case h.agent != agent || !h.lives() || h.unsure || h.token == (call.Token{}):
		case h.phase == talking && h.via.leg != nil:
			later(h.gateLeg(m.node.ID), h.edge)
		default:
			later(*legAt(h.claim(m.node.ID), h.edge), h.edge)
		}
	}
	for _, p := range m.partings {
		if p.at.Agent == agent && !p.over() {
			later(p.at, p.via.edge)
		}
	}
	return leg
}

// checkPartings forgets the partings that are over. The phone has answered, or has had the time to: a gate here that was kept
// closed for such a leg has no reason to be any more. It needs mu.
func (m *Member) checkPartings() {
	for dialog, p := range m.partings {
		if !p.over() {
			continue
		}
		delete(m.partings, dialog)
		if f := m.forsaken[p.at.Agent][p.at.Token]; f != nil {
			f.parted = true
		}
		c := m.view.claims[p.at.Agent]
		if c.Orphan && c.Owner.Process() == m.process && legOf(&p.at, c) {
			m.clear(c) // abandoned when it was not sure; it is now
		}
		if away, is := m.arrivals.closed[p.at.Agent]; is && sameLeg(away.leg, p.at) {
			m.freed(p.at.Agent)
		}
	}
	m.reroutes("")
}

// reroutes has legs whose edge is dead go by way of where their phones are now, all or one agent's. A claim whose leg lives is
// written with its new edge, which judges it if this node dies. It needs mu.
func (m *Member) reroutes(agent string) {
	for _, h := range m.holds {
		if h.phase != talking || h.via.leg == nil || agent != "" && h.agent != agent {
			continue
		}
		h.via.edge = h.edge
		if m.reroute(h.agent, &h.via, agent != "") {
			h.edge = h.via.edge
			if !h.local {
				m.out.push(m, h.agent, deed{kind: doResume, token: h.token, claim: h.claim(m.node.ID)})
			}
		}
	}
	for _, p := range m.partings {
		if agent == "" || p.at.Agent == agent {
			m.reroute(p.at.Agent, &p.via, agent != "")
		}
	}
}

// reroute changes a leg's way, if there is cause to; true: it has a new edge. told: the phone has registered this moment, so one
// that did not reach it by that way before may now. It needs mu.
func (m *Member) reroute(agent string, via *passage, told bool) bool {
	at, known := m.view.flows[agent]
	if !known || !m.whole {
		return false
	}
	to, lives := m.view.nodes[at.Edge]
	same := at.Edge.Process() == via.edge.Process()
	_, there := m.view.process(via.edge.Process())
	switch {
	case !lives:
		return false
	case same && (!told || !via.moved):
		return false
	case !same && (there || m.self(via.edge)):
		return false // it goes on by way of its edge
	}
	via.edge, via.moved = at.Edge, true
	leg := via.leg
	m.start("reroute a leg", func(context.Context) { leg.Reroute(to.SIP) })
	return !same
}
