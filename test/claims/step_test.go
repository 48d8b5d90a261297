package claims

import "slices"

// may appends the faults that can happen now.
func (w *world) may(out []event) []event {
	if w.left.faults == 0 {
		return out
	}
	for _, k := range w.env.faults {
		switch k { //nolint:exhaustive // faults alone
		case bookGone, bookEmpty, bookForgets:
			if w.bookUp && (k != bookForgets || w.before != nil && w.before != w.book) {
				out = append(out, event{kind: k})
			}
		case loseInvite, loseForward, delayInvite, doubleInvite:
			out = w.mayLeg(k, out)
		default:
			out = w.mayNode(k, out)
		}
	}
	return out
}

func (w *world) mayLeg(k kind, out []event) []event {
	for i := range w.legs {
		l := &w.legs[i]
		ok := false
		switch k { //nolint:exhaustive // these faults alone
		case loseInvite, delayInvite:
			ok = l.invite == flying
		case loseForward:
			ok = l.forward == flying
		case doubleInvite:
			ok = l.invite == arrived && l.owner != l.edge
		}
		if l.used && ok {
			out = append(out, event{kind: k, l: uint8(i)})
		}
	}
	return out
}

func (w *world) mayNode(k kind, out []event) []event {
	for n := range uint8(nodes) {
		nd := &w.nodes[n]
		ok := false
		switch k { //nolint:exhaustive // these faults alone
		case crash, sleep:
			ok = w.running(n)
		case cutBook:
			ok = w.running(n) && !nd.cutBook
		case cutPeers:
			ok = w.running(n) && !nd.cutPeers && n == 0 // it is the same from both sides
		case loseGrant:
			ok = w.running(n) && w.callers[n].stands == claiming
		case lateQuery:
			for a := range uint8(w.env.size.agents) {
				if !w.stale.used && w.asks(n, 1-n, a) {
					out = append(out, event{kind: k, n: n, a: a})
				}
			}
		}
		if ok {
			out = append(out, event{kind: k, n: n})
		}
	}
	return out
}

// do has one event happen.
func (w *world) do(e event) {
	switch {
	case e.kind == tick:
		w.tick()
	case e.kind >= restart:
		w.mend(e)
	case e.kind >= crash:
		w.left.faults--
		w.fault(e)
	case e.kind >= answer:
		w.people(e)
	default:
		w.happens(e)
	}
	w.check()
	w.forget()
}

func (w *world) happens(e event) {
	l := &w.legs[e.l]
	switch e.kind { //nolint:exhaustive // people and faults are elsewhere
	case pair:
		w.pair(e.n, e.a)
	case grant:
		w.granted(e.n)
	case reach:
		w.reach(l)
	case deliver:
		w.delivers(l)
	case resend:
		w.resends(l)
	case edgeLearn:
		w.edgeLearns(l, l.phone)
	case edgeEnd:
		l.phone = over
	case ownerLearn:
		w.learns(l)
	case ownerEnd:
		l.edgeEnds = true
	case giveUp:
		w.closes(l, abandon)
	case tell:
		w.tells(l)
	case act:
		w.act(e.n)
	case query:
		m := 1 - e.n
		w.asked(ask{from: e.n, gen: w.nodes[e.n].gen, to: m, agent: e.a, since: w.nodes[e.n].phones[e.a].since})
	case queryFar:
		g := &w.nodes[e.n].phones[e.a].gate
		g.Free(g.Leg().Dialog)
	case queryLate:
		w.asked(w.stale)
		w.stale = ask{}
	}
}

func (w *world) people(e event) {
	l := &w.legs[e.l]
	switch e.kind { //nolint:exhaustive // people alone
	case answer:
		l.phone = talking
	case refuse, phoneEnd:
		l.phone = over
	case callerEnd:
		w.hangUp(e.n)
	case move:
		if w.is(w.phones[e.a].at, w.phones[e.a].gen) && w.nodes[w.phones[e.a].at].phones[e.a].here {
			w.left.moves--
		}
		w.registers(e.a, e.n)
	}
}

func (w *world) fault(e event) {
	nd, l := &w.nodes[e.n], &w.legs[e.l]
	switch e.kind { //nolint:exhaustive // faults alone
	case crash:
		w.crashes(e.n)
	case sleep:
		nd.asleep = true
	case cutBook:
		nd.cutBook = true
	case cutPeers:
		nd.cutPeers = true
	case loseInvite:
		l.invite = dropped
	case loseForward:
		l.forward = dropped
	case delayInvite, doubleInvite:
		l.invite = late
	case loseGrant:
		x := &w.callers[e.n]
		x.stands = waits
		x.settle()
	case lateQuery:
		w.stale = ask{used: true, from: e.n, gen: nd.gen, to: 1 - e.n, agent: e.a, since: nd.phones[e.a].since}
	case bookGone:
		w.bookUp = false
	case bookEmpty:
		w.write(func(l *ledger) {
			l.book.Empty()
			clear(l.until)
			l.top.N, l.top.Epoch = 0, 0
		})
		w.before = nil
	case bookForgets:
		w.book, w.before = w.before, nil
	}
}

// crashes is the end of a process: with it go its callers, and what it knew.
func (w *world) crashes(n uint8) {
	gen := w.nodes[n].gen
	w.nodes[n] = node{gen: gen, entered: never}
	x := &w.callers[n]
	if x.stands != gone {
		x.left = true
		x.stands = gone
		x.settle()
	}
	for i := range w.legs {
		l := &w.legs[i]
		if l.used && l.owner == n && l.ownerGen == gen {
			l.ownerDone, l.deed = true, told
		}
	}
}

func (w *world) mend(e event) {
	nd := &w.nodes[e.n]
	switch e.kind { //nolint:exhaustive // their ends alone
	case restart:
		w.left.restarts--
		gen := nd.gen + 1
		*nd = node{gen: gen, up: true, entered: never, newBook: -leaseFor}
		nd.strangers()
		x := &w.callers[e.n]
		*x = caller{gen: gen, claims: w.env.size.claims[e.n]}
	case wake:
		nd.asleep = false
	case healBook:
		nd.cutBook = false
	case healPeers:
		nd.cutPeers = false
	case bookBack:
		w.bookUp = true
	}
}

// strangers: a new process has seen nobody.
func (nd *node) strangers() {
	for m := range nd.diedAt {
		for g := range nd.diedAt[m] {
			nd.diedAt[m][g] = never
		}
	}
}

// check holds the phones against the rules: no two live offers or legs at one phone. A talk with nobody at the other end
// does not count once nobody is left who could end it.
func (w *world) check() {
	var n [agents]int
	for i := range w.legs {
		l := &w.legs[i]
		if !l.used || l.phone != ringing && l.phone != talking || l.dozes {
			continue
		}
		if l.phone == ringing || w.holds(l) || w.is(l.edge, l.edgeGen) && w.running(l.edge) {
			n[l.agent]++
		}
	}
	if a := slices.Max(n[:]); a > 1 && w.broken == "" {
		w.broken = "two live offers or legs at one phone"
	}
}

// forget takes out legs that nobody has anything to do with any more.
func (w *world) forget() {
	for i := range w.legs {
		l := &w.legs[i]
		if !l.used || l.invite == flying || l.invite == late || l.forward == flying ||
			l.phone == ringing || l.phone == talking || l.deed == release || l.deed == abandon {
			continue
		}
		owner := !l.ownerDone && w.is(l.owner, l.ownerGen)
		edge := w.is(l.edge, l.edgeGen) && l.edgeHas != nothing && l.edgeHas != refused && l.edgeHas != over
		if !owner && !edge {
			*l = leg{}
		}
	}
}
