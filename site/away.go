package site

import (
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// awayLeg is a leg through another edge of a phone that is here now. Its gate is closed until it is over:
//
//	the owner      | its edge             | then
//	holds it       |                      | it stays
//	does not       | says that it lives   | it stays
//	does not       | says that it does not| it is over
//	does not       | is silent, not dead  | it stays; without the book: for [Options.Doubt], and until what it sent is over
//	does not       | is silent, dead      | it stays while the book has its claim (see checkOrphans), and until what it sent is over
//
// That its owner does not hold an offer any more tells nothing of the phone: it may have abandoned it. Of a talk it tells until
// the phone has heard the end, see parting. A claim that was given back, or
// an orphan that was cleared, is the word of one who is sure: it is over.
type awayLeg struct {
	leg   call.GateLeg
	from  string // the process that told of it
	since time.Time
	// silent is since when nobody has spoken for it; zero: somebody does.
	silent time.Time
}

// checkAway looks at legs at other edges. It needs mu.
func (m *Member) checkAway(now time.Time) {
	if len(m.arrivals.closed) == 0 {
		return
	}
	known := m.known()
	for agent, a := range m.arrivals.closed {
		spoken, over := m.speaks(agent, a, known, now)
		switch {
		case over:
			m.freed(agent)
			if _, is := m.echo(agent, nil, now); is { // another may be left
				m.o.Edge.Hold(agent)
				m.arrivals.left(agent)
				m.arrivals.came(agent, now)
			}
		case spoken:
			a.silent = time.Time{}
		case a.silent.IsZero():
			a.silent = now
		case m.state == call.SiteCut:
			if now.Sub(a.silent) >= m.o.Doubt && !now.Before(m.fades(agent, a)) {
				m.doubt("nobody tells of a leg at a phone's edge before: the phone is rung all the same", agent, 1)
				m.freed(agent)
			}
		case m.whole && m.lost(agent, a, now):
			m.freed(agent)
		}
	}
}

// speaks reports what those say who may know of a leg: it lives, or is on its way to be told; or it is over. It needs mu.
func (m *Member) speaks(agent string, a *awayLeg, known map[string]other, now time.Time) (spoken, over bool) {
	if m.self(a.leg.Owner) {
		if spoken, over = m.ownSpeaks(agent, a); spoken || over {
			return spoken, over
		}
	}
	if a.leg.Edge != "" && a.from != a.leg.Edge.Process() && m.letsGo(agent, a, now) {
		if !a.leg.Answered.IsZero() {
			return false, true // the phone has heard the end, or had its time
		}
		a.from = a.leg.Edge.Process()
	}
	return m.hears(agent, a, known, now)
}

// hears is the part of speaks that other nodes say. It needs mu.
func (m *Member) hears(agent string, a *awayLeg, known map[string]other, now time.Time) (spoken, over bool) {
	for _, process := range []string{a.from, a.leg.Owner.Process()} {
		if _, is := known[process]; !is {
			continue
		}
		w := m.word(process, agent, now)
		alive := w.leg != nil && sameLeg(*w.leg, a.leg)
		switch {
		case w.counts(now) && alive:
			return true, false
		case w.counts(now) && process == a.from:
			return false, w.answered.After(a.since)
		case process == a.from && w.silent.IsZero():
			spoken = true // it is being asked
		}
	}
	return spoken, false
}

// letsGo reports whether the owner that told of a leg says that it has it no more. It needs mu.
func (m *Member) letsGo(agent string, a *awayLeg, now time.Time) bool {
	w := m.word(a.from, agent, now)
	return w.counts(now) && w.answered.After(a.since) && (w.leg == nil || !sameLeg(*w.leg, a.leg))
}

// ownSpeaks is the same of a leg that is this node's own; it may have nothing to say. It needs mu.
func (m *Member) ownSpeaks(agent string, a *awayLeg) (spoken, over bool) {
	h := m.holds[holdKey{agent, a.leg.Call}]
	own := m.owned(agent)
	switch {
	case h != nil && h.token == a.leg.Token && !h.unsure, own != nil && sameLeg(*own, a.leg), m.out.busy(agent):
		return true, false // it lives, or it is not known yet how it ended
	case a.from != m.process:
	case !m.forsook(agent, a.leg.Call, a.leg.Token), !a.leg.Answered.IsZero(): // the phone has heard the end, or had its time
		return false, true
	default:
		a.from = a.leg.Edge.Process()
	}
	return false, false
}

// lost reports whether a leg of which nobody speaks is none any more by the book. It needs mu, and is for a node that knows
// the whole.
func (m *Member) lost(agent string, a *awayLeg, now time.Time) bool {
	edge := a.from
	if a.leg.Edge != "" {
		edge = a.leg.Edge.Process()
	}
	switch {
	case !m.deadByBook(edge, now) || !m.deadByBook(a.from, now):
		return false
	case a.leg.Token == (call.Token{}): // a call that the phone had dialled
		return !now.Before(m.deathOf(edge).Add(m.o.Deliver + flight))
	case legOf(&a.leg, m.view.claims[agent]):
		return false
	default:
		return !now.Before(m.fades(agent, a))
	}
}

// fades is until when what a leg's edge has sent may ring. It needs mu.
func (m *Member) fades(agent string, a *awayLeg) time.Time {
	edge := a.leg.Edge
	if edge == "" {
		edge = call.NodeID(a.from)
	}
	died := a.silent // of one that the book does not tell of
	if !m.view.lives(edge.Process()) {
		died = m.deathOf(edge.Process())
	}
	return m.echoes(call.SiteClaim{Agent: agent, Since: a.leg.Since, Answered: a.leg.Answered}, died)
}

// freed opens a gate that a leg at another edge kept closed. It needs mu.
func (m *Member) freed(agent string) {
	away := m.arrivals.closed[agent]
	delete(m.arrivals.closed, agent)
	m.o.Logger.Debug("a leg elsewhere of a phone that is here is over", zap.String("agent", agent), zap.Stringer("token", away.leg.Token),
		zap.String("told by", away.from), zap.Duration("after", time.Since(away.since)))
	m.o.Edge.Free(agent, away.leg.Dialog)
}

// settles takes in that a claim is no more, by the word of one who is sure. It needs mu.
func (m *Member) settles(agent, callID string, t call.Token) {
	a, is := m.arrivals.closed[agent]
	if is && t != (call.Token{}) && a.leg.Token == t && (callID == "" || a.leg.Call == callID) {
		m.freed(agent)
	}
}

// legAt is the leg of a claim, of which no more is known than that it goes through an edge.
func legAt(c call.SiteClaim, edge call.NodeID) *call.GateLeg {
	return &call.GateLeg{
		Agent: c.Agent, Dialog: "claim " + c.Token.String() + " " + c.Call, Call: c.Call, Owner: c.Owner, Token: c.Token,
		Since: c.Since, Rung: c.Rung, Answered: c.Answered, Edge: edge,
	}
}

// sameLeg reports whether two tell of the same leg: its edge knows the dialog, its owner does not.
func sameLeg(a, b call.GateLeg) bool {
	if a.Token == (call.Token{}) || b.Token == (call.Token{}) {
		return a.Token == b.Token && a.Dialog == b.Dialog
	}
	return a.Token == b.Token && a.Call == b.Call && a.Owner.Process() == b.Owner.Process()
}

// lastEcho is until when something of a claim whose edge is dead may reach its phone, or ring there: an INVITE for as long
// after the claim as it may be delivered, and then until it expires. Of one that was answered that is no bound, since it
// does not ring: it is the time that its phone is given to be rid of the talk. One of this node's that has parted has none.
// It needs mu.
func (m *Member) lastEcho(c call.SiteClaim) time.Time {
	if f := m.forsaken[c.Agent][c.Token]; f != nil && f.parted {
		return time.Time{}
	}
	return m.echoes(c, m.deathOf(c.Edge.Process()))
}

func (m *Member) echoes(c call.SiteClaim, died time.Time) time.Time {
	if !c.Answered.IsZero() {
		return died.Add(m.o.Deliver + max(m.o.Rings, lonely) + flight)
	}
	over := c.Since.Add(m.o.Deliver + m.o.Rings + flight)
	if n := died.Add(m.o.Deliver + flight); n.After(over) {
		return n
	}
	return over
}
