package claims

import (
	"hotline/call"
	"hotline/site"
)

// pairs reports whether an owner may offer its caller to an agent now.
func (w *world) pairs(c, a uint8) bool {
	x, nd := &w.callers[c], &w.nodes[c]
	if x.stands != waits || x.left || x.claims == 0 || !w.is(c, x.gen) || nd.asleep || w.spare() < 0 {
		return false
	}
	for i := range w.legs { // the desk knows its own calls
		if l := &w.legs[i]; l.used && l.agent == a && l.owner == c && w.holds(l) {
			return false
		}
	}
	for o := range w.callers {
		if y := &w.callers[o]; o == int(c) && y.stands == claiming {
			return false
		}
	}
	switch nd.stands { //nolint:exhaustive // else it claims nothing
	case joined:
		v := w.book.view
		return w.serves(c) && nd.until-w.now >= margin && v.claims[a].Agent == "" && v.flows[a].Agent != "" && w.book.until[w.id(c)] > w.now
	case cut:
		return nd.phones[a].here
	default:
		return false
	}
}

func (w *world) spare() int {
	for i := range w.legs {
		if !w.legs[i].used {
			return i
		}
	}
	return -1
}

// pair is step 1 and, in the book, step 2. The book's answer is on its way then. A node that is cut off has its gate hand
// out the token.
func (w *world) pair(c, a uint8) {
	x := &w.callers[c]
	if w.nodes[c].stands == cut {
		token, ok := w.nodes[c].phones[a].gate.Next(call.Token{Epoch: max(w.nodes[c].lease.Epoch, 1)})
		if !ok {
			return
		}
		x.claims--
		x.agent, x.grant, x.sent = a, site.Grant{Token: token, Edge: w.id(c)}, w.now
		w.invite(c)
		return
	}
	w.write(func(l *ledger) {
		g, err := l.book.Claim(background, w.id(c), agentIDs[a], callIDs[c])
		if err != nil {
			return
		}
		if g.Token.Compare(l.top) <= 0 && g.Token.Epoch == l.top.Epoch {
			w.broken = "the book gave a token that is not above those before"
		}
		l.saw(g.Token)
		x.stands, x.agent, x.grant, x.sent = claiming, a, g, w.now
		x.claims--
	})
}

// granted is step 3: the book's answer has come.
func (w *world) granted(c uint8) {
	x, nd := &w.callers[c], &w.nodes[c]
	other, _ := place(x.grant.Edge)
	if x.left || other != c && nd.until-w.now < margin || other == c && nd.until <= w.now {
		w.ungranted(c)
		return
	}
	w.invite(c)
}

// ungranted gives a claim back that nothing was sent by.
func (w *world) ungranted(c uint8) {
	x := &w.callers[c]
	l := w.open(c)
	l.invite, l.edgeHas, l.ownerDone, l.deed = dropped, refused, true, release
	x.stands = waits
	x.settle()
}

// settle has a caller who hung up be gone.
func (x *caller) settle() {
	if x.left {
		x.stands = gone
	}
	x.grant, x.agent, x.sent = site.Grant{}, 0, 0
}

// open makes the leg of a caller's claim.
func (w *world) open(c uint8) *leg {
	x := &w.callers[c]
	e, eg := place(x.grant.Edge)
	l := &w.legs[w.spare()]
	*l = leg{
		used: true, agent: x.agent, caller: c, owner: c, ownerGen: w.nodes[c].gen, edge: e, edgeGen: eg,
		edgeID: x.grant.Edge, token: x.grant.Token, invite: flying,
	}
	return l
}

// invite sends the INVITE. That of a phone of the node itself is at the gate at once.
func (w *world) invite(c uint8) {
	x := &w.callers[c]
	l := w.open(c)
	l.until = x.sent + deadline
	if w.nodes[c].stands == joined {
		l.until = min(l.until, w.nodes[c].until)
	}
	x.stands, x.grant, x.sent = offered, site.Grant{}, 0
	if l.edge == c && l.edgeGen == w.nodes[c].gen {
		w.reach(l)
	}
}

// learns has the owner hear what its leg's edge has passed on.
func (w *world) learns(l *leg) {
	l.ownerHas = l.edgeHas
	x := &w.callers[l.caller]
	switch l.ownerHas { //nolint:exhaustive // the rest is progress
	case refused:
		w.closes(l, release)
		if e := &w.nodes[l.edge]; w.is(l.edge, l.edgeGen) && w.env.without != noRaise && w.env.without != noEpoch && w.serves(l.owner) {
			highest := e.phones[l.agent].gate.Highest()
			w.write(func(b *ledger) {
				must(b.book.Raise(background, highest))
				b.saw(highest)
			})
		}
	case over:
		w.closes(l, release)
	case talking:
		if x.left {
			l.ownerEnds = true
		}
	}
}

// closes ends the owner's part in a leg. What it does to the book comes later.
func (w *world) closes(l *leg, how deed) {
	talked := l.ownerHas == talking || l.phone == over && l.deadAt != 0
	l.ownerDone, l.deed = true, how
	if how == abandon && w.env.without == noSureness {
		l.deed = release
	}
	l.forsaken = l.deed == abandon && w.env.without != amnesia
	x := &w.callers[l.caller]
	if x.stands != offered {
		return
	}
	x.stands = waits
	if talked {
		x.left = true
	}
	x.settle()
}

// givesUp reports whether an owner may be in want of an answer from its leg's edge.
func (w *world) givesUp(l *leg) bool {
	if l.ownerDone || !w.is(l.owner, l.ownerGen) || w.nodes[l.owner].asleep {
		return false
	}
	answers := w.is(l.edge, l.edgeGen) && w.running(l.edge) && w.linked(l.owner, l.edge)
	switch {
	case l.owner == l.edge && l.ownerGen == l.edgeGen:
		return false
	case l.ownerHas == nothing && l.edgeHas == nothing && (l.invite == dropped || l.invite == late || !answers):
		return w.now >= l.until || l.ownerEnds
	case answers:
		return false
	case l.ownerHas == talking:
		return l.ownerEnds
	}
	return w.now >= l.until
}

// hangUp has a caller leave.
func (w *world) hangUp(c uint8) {
	x := &w.callers[c]
	x.left = true
	if x.stands == waits {
		x.settle()
	}
	for i := range w.legs {
		if l := &w.legs[i]; l.used && l.caller == c && w.holds(l) {
			l.ownerEnds = true
		}
	}
}

// tells tells the book of a claim that is given back.
func (w *world) tells(l *leg) {
	w.giveBack(l, l.deed)
	l.deed = told
}
