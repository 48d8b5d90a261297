package claims

import (
	"hotline/call"
)

// Over what a node does each second: it renews its lease, reads the book, and holds what it has against what that says.

// tick lets a second go by.
func (w *world) tick() {
	w.now++
	w.before = nil // a replica is no more than a second behind
	for i := range w.legs {
		l := &w.legs[i]
		if !l.used {
			continue
		}
		if l.phone == ringing && w.now >= l.phoneAt+expires {
			l.phone = over
		}
		w.dies(l)
	}
	for n := range uint8(nodes) {
		if w.running(n) {
			w.second(n)
		}
		w.nodes[n].slept = w.nodes[n].asleep
	}
	for n := range uint8(nodes) {
		for a := range uint8(w.env.size.agents) {
			if w.running(n) {
				w.opens(n, a)
			}
		}
	}
}

// dies ends a talk with nobody at the other end once nobody is left who could.
func (w *world) dies(l *leg) {
	if l.phone != talking || w.holds(l) || w.is(l.edge, l.edgeGen) {
		l.deadAt = 0
		return
	}
	if l.deadAt == 0 {
		l.deadAt = w.now
	}
	if w.now >= l.deadAt+session {
		l.phone = over
	}
}

// second is what a node does once in a second, before anything else of it.
func (w *world) second(n uint8) {
	nd := &w.nodes[n]
	if !w.serves(n) {
		if nd.stands != cut {
			w.cutOff(n)
		}
		return
	}
	if nd.lease.Epoch == 0 {
		w.enter(n)
	} else if !w.renew(n) {
		nd.run++
		w.enter(n)
	} else if nd.stands == cut {
		nd.stands = joining
	}
	nd.view = w.book.view
}

// cutOff has a node go on alone. One that slept does not trust what it has.
func (w *world) cutOff(n uint8) {
	nd := &w.nodes[n]
	nd.stands, nd.view = cut, nil
	if nd.until > w.now && !nd.slept || w.env.without == noSleepCheck {
		return
	}
	for a := range nd.phones {
		if e := &nd.phones[a]; e.here {
			e.gate.Hold()
			e.heldAt, e.asked, e.past = w.now, 0, call.GatePast{Agent: agentIDs[a]}
		}
	}
}

// act is what a node does upon what it read: maybe a good while after.
func (w *world) act(n uint8) {
	nd := &w.nodes[n]
	v := nd.view
	nd.view = nil
	w.mourns(n, v)
	if !w.serves(n) || w.env.without == noReconcile {
		if nd.stands == joining {
			nd.stands = joined
		}
		return
	}
	for a := range uint8(w.env.size.agents) {
		w.flow(n, a, v)
		w.own(n, a, v)
		w.guard(n, a, v)
		w.orphan(n, a, v)
		w.elsewhere(n, a, v)
	}
	if nd.stands == joining {
		nd.stands = joined
	}
	for a := range uint8(w.env.size.agents) {
		w.opens(n, a)
	}
}

// mourns notes who lives, and who has died.
func (w *world) mourns(n uint8, v *view) {
	nd := &w.nodes[n]
	for m := range nodes {
		for g := range generations {
			if nd.lives[m][g] && !v.lives[m][g] {
				nd.diedAt[m][g] = w.now
			}
		}
	}
	nd.lives = v.lives
}

// flow holds a phone that is here against the book.
func (w *world) flow(n, a uint8, v *view) {
	e := &w.nodes[n].phones[a]
	f := v.flows[a]
	if !e.here || f.Edge == w.id(n) && f.Since.Equal(at(e.since)) {
		return
	}
	if f.Agent != "" && f.Edge.Process() != w.id(n).Process() && f.Since.After(at(e.since)) && w.env.without != noSince {
		w.yields(n, a)
		return
	}
	w.say(n, a)
}

// own holds a claim of this node, and its legs, against each other.
func (w *world) own(n, a uint8, v *view) {
	c := v.claims[a]
	busy := w.callers[n].stands == claiming && w.callers[n].agent == a
	mine := c.Agent != "" && c.Owner.Process() == w.id(n).Process()
	for i := range w.legs {
		l := &w.legs[i]
		if !l.used || l.agent != a || l.owner != n || !w.is(n, l.ownerGen) {
			continue
		}
		if mine && l.token == c.Token && l.deed != told {
			mine = false // it is known, or is being given back
		}
		if !l.ownerDone && w.env.without != noResume &&
			(c.Agent == "" || c.Token.Compare(l.token) < 0 || c.Token == l.token && (c.Orphan || c.Owner != w.id(n))) {
			w.resume(l)
		}
	}
	if mine && !busy && !c.Orphan {
		x := leg{agent: a, owner: n, token: c.Token}
		w.giveBack(&x, release)
	}
}

// guard holds the leg of a gate against the book: one that is not the claim's has an owner who says that he holds it, or
// is ended.
func (w *world) guard(n, a uint8, v *view) {
	c := v.claims[a]
	g := &w.nodes[n].phones[a].gate
	for i := range w.legs {
		l := &w.legs[i]
		x := g.Leg()
		if !l.used || l.agent != a || l.edge != n || !w.is(n, l.edgeGen) || x == nil || x.Dialog != dialogs[i] || w.far(&w.nodes[n].phones[a]) {
			continue
		}
		same := c.Agent != "" && c.Token == l.token &&
			(w.env.without == noDialogMatch || c.Owner.Process() == ids[l.owner][l.ownerGen][0].Process() && c.Call == callIDs[l.caller])
		if same && !c.Orphan || w.env.without == orphansOnly && !same {
			continue
		}
		if w.holds(l) && w.running(l.owner) && w.linked(n, l.owner) && w.env.without != noOwnerAsked {
			continue
		}
		l.edgeEnds, l.judged = true, true
	}
}

// orphan is what a node does about an orphan.
func (w *world) orphan(n, a uint8, v *view) {
	c := v.claims[a]
	if !c.Orphan {
		return
	}
	nd := &w.nodes[n]
	e := &nd.phones[a]
	p, g := place(c.Edge)
	switch {
	case c.Edge.Process() == w.id(n).Process(), w.env.without == anyEdge:
		if w.refuses(e, c.Token) || w.env.without == noEnding {
			w.clear(a, c.Token)
		}
	case e.here && !nd.lives[p][g]:
		hold := deadline + expires
		if w.env.without == noRingHold {
			hold = deadline
		}
		if died := nd.diedAt[p][g]; w.now >= max(died, nd.entered)+hold && w.refuses(e, c.Token) {
			w.clear(a, c.Token)
		}
	}
}

// refuses has a gate never admit a token; it reports whether the phone is free of it.
func (w *world) refuses(e *edge, t call.Token) bool {
	if w.env.without == noRefuse {
		return e.gate.Leg() == nil
	}
	return e.gate.Refuse(t)
}

func (w *world) clear(a uint8, t call.Token) {
	w.write(func(l *ledger) { must(l.book.Clear(background, agentIDs[a], t)) })
}

// elsewhere frees a gate whose leg went through an edge that died: once that cannot ring any more, and nobody has a
// claim on the agent.
func (w *world) elsewhere(n, a uint8, v *view) {
	nd := &w.nodes[n]
	e := &nd.phones[a]
	x := e.gate.Leg()
	if x == nil || !w.far(e) || v.claims[a].Agent != "" {
		return
	}
	for m := range nodes {
		for g := range generations {
			if m != int(n) && (nd.lives[m][g] || nd.diedAt[m][g] != never && w.now < nd.diedAt[m][g]+expires) {
				return
			}
		}
	}
	e.gate.Free(x.Dialog)
}
