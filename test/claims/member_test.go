package claims

import (
	"slices"

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
		if (l.invite == flying || l.invite == late) && !w.nodes[l.edge].up {
			l.invite = dropped
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
	if l.phone == talking && !w.running(l.edge) && (!w.holds(l) || w.nodes[l.owner].asleep) {
		l.dozes = true
	}
	if l.phone != talking || w.holds(l) || w.is(l.edge, l.edgeGen) && w.running(l.edge) && !w.lonely {
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
		for a := range uint8(w.env.size.agents) {
			w.guard(n, a, nil)
			w.silence(n, a)
		}
		return
	}
	if nd.lease.Epoch != 0 && nd.until <= w.now {
		w.lapses(n)
	}
	if nd.stands == cut {
		nd.newBook = w.now
	}
	if nd.lease.Epoch == 0 {
		w.enter(n)
	} else if !w.renew(n) {
		nd.run++
		w.enter(n)
	} else if nd.stands == cut {
		nd.stands = joining
	}
	nd.view, nd.read = w.book.view, w.now
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
				if w.now < nd.newBook+leaseFor && w.env.without != absence {
					continue // it may not have entered the new book yet, or not renewed since the book is back
				}
				nd.diedAt[m][g] = w.now
			}
			nd.lives[m][g] = v.lives[m][g]
		}
	}
}

// flow holds a phone that is here against the book.
func (w *world) flow(n, a uint8, v *view) {
	e := &w.nodes[n].phones[a]
	f := v.flows[a]
	if !e.here || f.Edge == w.id(n) && f.Since.Equal(at(e.since)) {
		return
	}
	if f.Agent != "" && f.Edge.Process() != w.id(n).Process() && f.Since.After(at(e.since)) {
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
		if mine && l.token == c.Token && (l.deed != told || l.forsaken) {
			mine = false // it is known, or is being given back, or is its phone's edge's
			if l.deed == told && !c.Orphan {
				w.giveBack(l, abandon) // the book may have lost the word of it
			}
		}
		if !l.ownerDone && (c.Agent == "" || c.Token.Compare(l.token) < 0 || c.Token == l.token && (c.Orphan || c.Owner != w.id(n))) {
			w.resume(l)
		}
		if c.Agent != "" && !c.Orphan && c.Token.Compare(l.token) > 0 {
			w.surrenders(l)
		}
		l.dozes = l.dozes && (l.ownerEnds || w.nodes[n].read < w.now)
	}
	if mine && !busy && !c.Orphan {
		x := leg{agent: a, owner: n, token: c.Token}
		w.giveBack(&x, release)
	}
}

// surrenders ends a leg whose agent is another's: the node's lease was over meanwhile. Where it was not, the book has lost the
// claim, and the leg is claimed again.
func (w *world) surrenders(l *leg) {
	if w.env.without == noSurrender || !l.lapsed && w.env.without != rashness {
		return
	}
	if !l.lapsed && l.phone == talking && !l.ownerEnds {
		w.broken = "an owner ends its own talk, which nobody else can have"
	}
	l.ownerEnds = true
}

// lapses notes that a node's lease was over, whether the book says so or not.
func (w *world) lapses(n uint8) {
	for i := range w.legs {
		if l := &w.legs[i]; l.used && l.owner == n && w.holds(l) {
			l.lapsed = true
		}
	}
}

// guard holds the leg of a gate against the book: one that is not the claim's has an owner who says that he holds it, or
// is ended. Without the book (no view) the owner's word alone counts.
func (w *world) guard(n, a uint8, v *view) {
	e := &w.nodes[n].phones[a]
	for i := range w.legs {
		l := &w.legs[i]
		x := e.gate.Leg()
		if !l.used || l.agent != a || l.edge != n || !w.is(n, l.edgeGen) || x == nil || x.Dialog != dialogs[i] || w.far(e) {
			continue
		}
		if !w.keeps(n, l, v) {
			l.edgeEnds = true
			w.unjust(l)
		}
	}
}

// keeps is the edge's judgement of a leg.
func (w *world) keeps(n uint8, l *leg, v *view) bool {
	c := call.SiteClaim{}
	if v != nil {
		c = v.claims[l.agent]
	}
	same := c.Agent != "" && c.Token == l.token &&
		c.Owner.Process() == ids[l.owner][l.ownerGen][0].Process() && c.Call == callIDs[l.caller]
	switch {
	case same && !c.Orphan, !same && w.env.without == orphansOnly:
		return true
	case w.env.without == noOwnerAsked:
		return v == nil
	case w.running(l.owner) && w.linked(n, l.owner):
		return w.holds(l)
	case w.env.without == silenceIsNo:
		return false
	case v == nil:
		return true
	}
	abandoned := same && slices.Contains(v.ids, c.Owner)
	return !abandoned && w.nodes[n].lives[l.owner][l.ownerGen]
}

// unjust notes that an edge ends a talk that it must not end: the owner holds it, and is known to live.
func (w *world) unjust(l *leg) {
	if l.phone == talking && w.holds(l) && !l.ownerEnds && w.running(l.owner) &&
		(w.linked(l.owner, l.edge) || w.serves(l.owner) && w.book.view.lives[l.owner][l.ownerGen] && w.serves(l.edge)) {
		w.broken = "an edge ends a talk whose owner lives and holds it"
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
		if w.refuses(e, c.Token) {
			w.clear(a, c.Token)
		}
	case e.here && !nd.lives[p][g]:
		hold := deadline + expires
		if w.env.without == noRingHold {
			hold = deadline
		}
		if w.now < max(nd.diedAt[p][g], nd.entered)+hold {
			return
		}
		if x := e.gate.Leg(); x != nil && w.far(e) && claimOf(x, c) {
			if w.owned(n, n, a) != nil || w.answers(n, p) && !w.frees(n, p, a) { // it answers, and says that the leg lives
				return
			}
			e.gate.Free(x.Dialog)
		}
		if w.refuses(e, c.Token) {
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

// elsewhere frees a gate whose leg went through an edge that died: once that cannot ring any more, and its claim is
// no more.
func (w *world) elsewhere(n, a uint8, v *view) {
	nd := &w.nodes[n]
	e := &nd.phones[a]
	x := e.gate.Leg()
	if x == nil || !w.far(e) || claimOf(x, v.claims[a]) || w.answers(n, 1-n) && w.env.without != silenceIsNo {
		return
	}
	if w.owned(n, n, a) != nil {
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

// silence frees a gate without the book's word once nobody has answered for the leg that goes through another edge for so
// long that it is in doubt.
func (w *world) silence(n, a uint8) {
	e := &w.nodes[n].phones[a]
	if !w.far(e) || w.answers(n, 1-n) || w.owned(n, n, a) != nil {
		e.silent = 0
		return
	}
	if e.silent++; e.silent > doubt {
		e.gate.Free(e.gate.Leg().Dialog)
		e.silent = 0
	}
}

// claimOf reports whether a claim is a leg's: after a failover two may have the same token.
func claimOf(x *call.GateLeg, c call.SiteClaim) bool {
	return x.Token == c.Token && x.Call == c.Call && x.Owner.Process() == c.Owner.Process()
}

// answers reports whether a node gets an answer from the process that is at a place now.
func (w *world) answers(n, m uint8) bool { return n != m && w.running(m) && w.linked(n, m) }
