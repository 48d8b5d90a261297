package claims

import (
	"time"

	"hotline/call"
)

// Over what an edge does: steps 4 to 6, and the gate of a phone that is new.

// reaches reports whether an INVITE is at its edge.
func (w *world) reaches(l *leg) bool {
	return (l.invite == flying || l.invite == late) && w.running(l.edge) && w.linked(l.owner, l.edge)
}

// reach is step 4: an INVITE is at the gate.
func (w *world) reach(l *leg) {
	l.invite = arrived
	if !w.is(l.edge, l.edgeGen) { // another process answers there
		if l.edgeHas == nothing {
			l.edgeHas = refused
		}
		return
	}
	if l.edgeHas != nothing && l.edgeHas != over && l.edgeHas != refused {
		return // a transaction knows its INVITE
	}
	again := l.edgeHas == over || l.edgeHas == refused
	if w.admits(l) {
		l.edgeHas, l.forward, l.phone = trying, flying, nothing
		if w.env.brisk && !w.env.can(loseForward) {
			w.delivers(l)
		}
	} else if !again {
		l.edgeHas = refused
	}
}

// admits asks the gate. A rule that is taken out is taken out by what the gate is told.
func (w *world) admits(l *leg) bool {
	e := &w.nodes[l.edge].phones[l.agent]
	before := e.gate.Highest()
	g := call.GateLeg{Dialog: dialogs[w.slot(l)], Call: callIDs[l.caller], Owner: ids[l.owner][l.ownerGen][0], Token: l.token}
	now, until := at(w.now), at(l.until)
	switch w.env.without { //nolint:exhaustive // the other rules are not the gate's
	case noGate:
		until = now.Add(time.Second)
		e.gate = call.Gate{}
	case noDeadline:
		until = now.Add(time.Second)
	case noHighest:
		if n := e.gate.Highest(); g.Token.Compare(n) <= 0 {
			g.Token = call.Token{Epoch: n.Epoch, N: n.N + 1}
		}
	case noLiveLeg:
		if x := e.gate.Leg(); x != nil {
			e.gate.Over(x.Dialog)
			e.gate.Free(x.Dialog)
		}
	}
	v := e.gate.Admit(g, 1, until, now)
	if e.gate.Highest().Compare(before) < 0 && w.env.without != noGate {
		w.broken = "a gate's highest token fell"
	}
	return v == call.GateOpen
}

func (w *world) slot(l *leg) int {
	for i := range w.legs {
		if &w.legs[i] == l {
			return i
		}
	}
	panic("a leg of no slot")
}

// resends is the edge's next sending of an INVITE that was lost on its way to the phone.
func (w *world) resends(l *leg) {
	if w.now < l.until {
		l.forward = flying
		return
	}
	w.edgeLearns(l, over)
}

// edgeLearns has the edge see what the phone has sent.
func (w *world) edgeLearns(l *leg, s stage) {
	g, d := &w.nodes[l.edge].phones[l.agent].gate, dialogs[w.slot(l)]
	l.edgeHas = s
	switch s { //nolint:exhaustive // the rest changes nothing at the gate
	case ringing:
		g.Rung(d, began)
	case talking:
		g.Rung(d, began)
		g.Answered(d, began)
	case over:
		g.Over(d)
	}
	if w.env.brisk && l.owner == l.edge && l.ownerGen == l.edgeGen && !l.ownerDone {
		w.learns(l)
	}
}

// delivers has an INVITE be at the phone.
func (w *world) delivers(l *leg) {
	l.forward, l.phone, l.phoneAt = arrived, ringing, w.now
	if w.env.strict && l.deed == told && w.book.view.claims[l.agent].Token != l.token {
		w.broken = "a phone is rung by a claim that is no more"
	}
}

// registers has a phone register at a node.
func (w *world) registers(a, n uint8) {
	p, e := &w.phones[a], &w.nodes[n].phones[a]
	p.at, p.gen = n, w.nodes[n].gen
	p.count++
	e.here, e.since, e.heldAt, e.asked, e.past = true, p.count, w.now, 0, call.GatePast{Agent: agentIDs[a]}
	e.gate.Hold()
	if w.env.without == noHold {
		e.gate.Seed(e.past)
	}
	if w.nodes[n].stands >= joining && w.nodes[n].stands != cut && w.serves(n) {
		w.say(n, a)
	}
	w.opens(n, a)
}

// asks reports whether a node may ask another what it knows of a phone.
func (w *world) asks(n, m, a uint8) bool {
	e := &w.nodes[n].phones[a]
	return n != m && w.env.without != noAsking && w.running(n) && w.running(m) && w.linked(n, m) &&
		e.here && e.gate.Held() && e.asked&(1<<m) == 0
}

// asked has a node answer what it knows, and give the phone up if it came to the other later.
func (w *world) asked(x ask) {
	m := &w.nodes[x.to]
	was := &m.phones[x.agent]
	e := &w.nodes[x.from].phones[x.agent]
	if was.here && was.since > x.since {
		if w.is(x.from, x.gen) && e.since == x.since {
			w.yields(x.from, x.agent)
		}
		return
	}
	w.yields(x.to, x.agent)
	if !w.is(x.from, x.gen) || e.since != x.since || !e.here {
		return
	}
	w.tellPast(x)
	e.asked |= 1 << x.to
	w.opens(x.from, x.agent)
}

// yields has a node give a phone up.
func (w *world) yields(n, a uint8) {
	e := &w.nodes[n].phones[a]
	e.gate.Yield(agentIDs[a])
	e.here, e.asked, e.past, e.heldAt = false, 0, call.GatePast{}, 0
}

// tellPast adds what a node answers to what the asker knows.
func (w *world) tellPast(x ask) {
	e := &w.nodes[x.from].phones[x.agent]
	past := w.past(x.to, x.from, x.agent)
	if past.Highest.Compare(e.past.Highest) > 0 {
		e.past.Highest = past.Highest
	}
	if past.Leg != nil {
		e.past.Leg = past.Leg
	}
}

// past is what a node tells another of a phone: its gate's, and the legs that it owns there, but for those that go through
// the other.
func (w *world) past(n, to, a uint8) call.GatePast {
	e := &w.nodes[n].phones[a]
	p := e.gate.Past(agentIDs[a])
	if w.far(e) && w.env.without != hearsay {
		p.Leg = nil
	}
	if p.Leg == nil {
		p.Leg = w.owned(n, to, a)
	}
	return p
}

// owned is a leg at a phone whose owner a node is, unless it goes through the other.
func (w *world) owned(n, to, a uint8) *call.GateLeg {
	if w.env.without == noOwnerLegs {
		return nil
	}
	for i := range w.legs {
		if l := &w.legs[i]; l.used && l.agent == a && l.owner == n && w.holds(l) && (l.edge != to || !w.is(to, l.edgeGen)) {
			return &call.GateLeg{Dialog: dialogs[i], Call: callIDs[l.caller], Owner: ids[n][l.ownerGen][0], Token: l.token}
		}
	}
	return nil
}

// opens opens the gate of a new phone if all has been told that can be.
func (w *world) opens(n, a uint8) {
	nd := &w.nodes[n]
	e := &nd.phones[a]
	if !e.here || !e.gate.Held() {
		return
	}
	switch nd.stands { //nolint:exhaustive // else it stays held
	case cut:
		if (nd.entered == never || !w.all(n, a)) && w.now < e.heldAt+doubt {
			return
		}
		w.doubted = w.doubted || !w.all(n, a)
	case joined:
		if !w.all(n, a) || w.now < nd.entered+deadline && nd.gen > 0 {
			return
		}
	default:
		return
	}
	if own := w.owned(n, n, a); own != nil {
		e.past.Leg = own
	}
	e.gate.Seed(e.past)
	e.past, e.asked, e.heldAt = call.GatePast{}, 0, 0
}

// all reports whether every process that may know of a phone has answered, or is dead and what it sent is over.
func (w *world) all(n, a uint8) bool {
	nd := &w.nodes[n]
	e := &nd.phones[a]
	for m := range uint8(nodes) {
		if m == n || e.asked&(1<<m) != 0 {
			continue
		}
		if w.env.without == noAsking {
			if w.now < e.heldAt+deadline {
				return false
			}
			continue
		}
		if w.asks(n, m, a) && w.env.without != noAskingDead {
			return false // it would answer
		}
		for g := range generations {
			died := nd.diedAt[m][g]
			if nd.lives[m][g] || died != never && (nd.stands == cut || w.now < died+deadline) {
				return false
			}
		}
	}
	return true
}

// frees tells a gate whose leg goes through another edge, or was told by its owner, that it is over.
func (w *world) frees(n, m, a uint8) bool {
	e := &w.nodes[n].phones[a]
	x := e.gate.Leg()
	if x == nil || !e.here || n == m || !w.far(e) || !w.running(n) || !w.running(m) || !w.linked(n, m) {
		return false
	}
	if own := w.owned(n, n, a); own != nil && own.Dialog == x.Dialog && own.Token == x.Token {
		return false
	}
	past := w.past(m, n, a)
	return past.Leg == nil || past.Leg.Dialog != x.Dialog || past.Leg.Token != x.Token
}

// far reports whether the leg of a gate goes through another edge.
func (w *world) far(e *edge) bool { return e.gate.Leg() != nil && len(e.gate.Legs()) == 0 }
