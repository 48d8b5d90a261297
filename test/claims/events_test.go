package claims

import "fmt"

// kind is of what may happen.
type kind uint8

const (
	tick kind = iota
	// What happens by itself.
	pair
	grant
	reach
	deliver
	resend
	edgeLearn
	edgeEnd
	ownerLearn
	ownerEnd
	giveUp
	tell
	act
	query
	queryFar
	queryLate
	// What people do.
	answer
	refuse
	phoneEnd
	callerEnd
	move
	// Faults.
	crash
	sleep
	cutBook
	cutPeers
	loseInvite
	loseForward
	delayInvite
	doubleInvite
	loseGrant
	lateQuery
	bookGone
	bookEmpty
	bookForgets
	// Their ends.
	restart
	wake
	healBook
	healPeers
	bookBack
	kinds
)

var words = [kinds]string{
	"a second goes by", "node %n claims agent %a for its caller", "node %n has the book's grant, and acts", "leg %l: the INVITE is at the gate",
	"leg %l: the INVITE is at the phone", "leg %l: the edge sends the INVITE again", "leg %l: the edge hears of the phone", "leg %l: the edge ends it at the phone",
	"leg %l: the owner hears of the edge", "leg %l: the owner's CANCEL or BYE is at the edge", "leg %l: the owner has no answer, and gives up",
	"leg %l: the owner tells the book", "node %n acts upon what it read of the book", "node %n asks the other of agent %a", "node %n asks the other whether the leg of agent %a is over",
	"the delayed question arrives", "leg %l: answered", "leg %l: refused by the person", "leg %l: hung up at the phone", "caller %n hangs up",
	"phone %a registers at node %n", "FAULT node %n is killed", "FAULT node %n is stopped", "FAULT node %n is cut off from the book", "FAULT node %n is cut off from the other",
	"FAULT leg %l: the INVITE to the edge is lost", "FAULT leg %l: the INVITE to the phone is lost", "FAULT leg %l: the INVITE to the edge is late", "FAULT leg %l: the INVITE comes a second time",
	"FAULT node %n does not get the book's grant", "FAULT node %n's question of agent %a is late", "FAULT the book is gone", "FAULT the book is emptied", "FAULT the book forgets its last write",
	"node %n is started anew", "node %n goes on", "node %n reaches the book again", "node %n reaches the other again", "the book is back",
}

// event is one thing that happens: at a node, to an agent's phone, with a leg.
type event struct {
	kind    kind
	n, a, l uint8
}

func (e event) String() string {
	out := []byte{}
	text := words[e.kind]
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			out = append(out, text[i])
			continue
		}
		i++
		switch text[i] {
		case 'n':
			out = append(out, 'A'+e.n)
		case 'a':
			out = fmt.Appendf(out, "%d", e.a+1)
		case 'l':
			out = fmt.Appendf(out, "%d", e.l)
		}
	}
	return string(out)
}

// urgent appends what happens by itself before a second goes by, wherever a node is not stopped.
func (w *world) urgent(out []event) []event {
	for n := range uint8(nodes) {
		out = w.urgentAt(n, out)
	}
	for i := range w.legs {
		if w.legs[i].used {
			out = w.urgentOf(uint8(i), out)
		}
	}
	return out
}

func (w *world) urgentAt(n uint8, out []event) []event {
	if !w.running(n) {
		return out
	}
	if w.callers[n].stands == claiming && w.spare() >= 0 {
		out = append(out, event{kind: grant, n: n})
	}
	if w.nodes[n].view != nil {
		out = append(out, event{kind: act, n: n})
	}
	for a := range uint8(w.env.size.agents) {
		if w.asks(n, 1-n, a) {
			out = append(out, event{kind: query, n: n, a: a})
		}
		if w.frees(n, 1-n, a) {
			out = append(out, event{kind: queryFar, n: n, a: a})
		}
	}
	return out
}

func (w *world) urgentOf(i uint8, out []event) []event {
	l := &w.legs[i]
	add := func(k kind, when bool) {
		if when {
			out = append(out, event{kind: k, l: i})
		}
	}
	edge := w.is(l.edge, l.edgeGen) && w.running(l.edge)
	owner := w.is(l.owner, l.ownerGen) && w.running(l.owner)
	link := edge && owner && w.linked(l.owner, l.edge)
	add(reach, l.invite == flying && w.reaches(l))
	add(deliver, l.forward == flying)
	add(resend, edge && l.forward == dropped && l.edgeHas == trying)
	add(edgeLearn, edge && l.phone > l.edgeHas && l.edgeHas >= trying)
	add(edgeEnd, edge && l.edgeEnds && (l.phone == ringing || l.phone == talking))
	add(ownerLearn, link && !l.ownerDone && l.edgeHas > l.ownerHas)
	add(ownerEnd, link && !l.ownerDone && l.ownerEnds && !l.edgeEnds && l.edgeHas >= trying && l.edgeHas != over)
	add(giveUp, w.givesUp(l))
	add(tell, owner && (l.deed == release || l.deed == abandon) && w.serves(l.owner) && w.nodes[l.owner].stands >= joining && w.nodes[l.owner].stands != cut)
	return out
}

// free appends what may happen or not: what people do, and what ends a fault.
func (w *world) free(out []event) []event {
	for n := range uint8(callers) {
		for a := range uint8(w.env.size.agents) {
			if w.pairs(n, a) {
				out = append(out, event{kind: pair, n: n, a: a})
			}
		}
		if x := &w.callers[n]; !x.left && (x.stands == claiming || x.stands == offered) && w.running(n) {
			out = append(out, event{kind: callerEnd, n: n})
		}
	}
	for i := range w.legs {
		l := &w.legs[i]
		switch {
		case !l.used:
		case l.invite == late && w.reaches(l):
			out = append(out, event{kind: reach, l: uint8(i)})
		case l.phone == ringing:
			out = append(out, event{kind: answer, l: uint8(i)})
			if !w.env.brisk { // it is as if the ringing had ended by itself, but for the instant
				out = append(out, event{kind: refuse, l: uint8(i)})
			}
		case l.phone == talking:
			out = append(out, event{kind: phoneEnd, l: uint8(i)})
		}
	}
	out = w.moves(out)
	return w.mending(out)
}

// moves appends phones that register elsewhere: because they want to, or because their edge is dead.
func (w *world) moves(out []event) []event {
	for a := range uint8(w.env.size.agents) {
		p := &w.phones[a]
		for n := range uint8(nodes) {
			if !w.running(n) || w.nodes[n].phones[a].here && p.at == n {
				continue
			}
			if w.left.moves > 0 || !w.is(p.at, p.gen) || !w.nodes[p.at].phones[a].here {
				out = append(out, event{kind: move, n: n, a: a})
			}
		}
	}
	return out
}

// mending appends the ends of faults.
func (w *world) mending(out []event) []event {
	for n := range uint8(nodes) {
		nd := &w.nodes[n]
		if !nd.up && w.left.restarts > 0 && nd.gen+1 < generations {
			out = append(out, event{kind: restart, n: n})
		}
		if nd.up && nd.asleep {
			out = append(out, event{kind: wake, n: n})
		}
		if nd.cutBook {
			out = append(out, event{kind: healBook, n: n})
		}
		if nd.cutPeers {
			out = append(out, event{kind: healPeers, n: n})
		}
	}
	if !w.bookUp {
		out = append(out, event{kind: bookBack})
	}
	if w.stale.used && w.running(w.stale.to) {
		out = append(out, event{kind: queryLate})
	}
	return out
}
