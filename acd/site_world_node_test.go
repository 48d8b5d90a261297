package acd_test

import (
	"slices"
	"time"

	"hotline/call"
)

// deed is something that the node does to the book.
func (n *worldNode) deed(do func()) {
	id := n.id
	n.w.later(&n.up, func() {
		if !n.dead && !n.cut && n.id == id {
			do()
		}
	})
}

// Say implements acd.Site.
func (n *worldNode) Say(facts ...call.SiteFact) {
	facts = slices.Clone(facts)
	for _, f := range facts {
		switch {
		case f.Caller != nil:
			n.said[f.Caller.Call] = f.Caller
		case f.Gone != nil:
			delete(n.said, f.Gone.Call)
		}
	}
	n.deed(func() {
		facts = slices.DeleteFunc(facts, func(f call.SiteFact) bool {
			if !n.stamp(&f) {
				return true
			}
			n.w.tracedFact(n, &f)
			return false
		})
		n.w.append(call.SiteNews{Facts: facts})
	})
}

// stamp has a fact be this run's, and has the book know it; false if it changes nothing, such as a flow of a phone that another
// edge has by now, or a place taken up that the book was not told of.
func (n *worldNode) stamp(f *call.SiteFact) bool {
	switch {
	case f.Flow != nil:
		if at := n.w.flows[f.Flow.Agent]; at != nil && at.Edge.Process() != n.id.Process() && at.Since.After(f.Flow.Since) {
			return false
		}
		f.Flow.Edge = n.id
		n.w.flows[f.Flow.Agent] = f.Flow
	case f.FlowGone != nil:
		f.FlowGone.Edge = n.id
		if at := n.w.flows[f.FlowGone.Agent]; at != nil && at.Edge == n.id {
			delete(n.w.flows, f.FlowGone.Agent)
		}
	case f.Caller != nil:
		f.Caller.Owner = n.id
		n.w.callers[f.Caller.Call] = f.Caller
	case f.Gone != nil:
		f.Gone.Owner = n.id
		delete(n.w.callers, f.Gone.Call)
	case f.Rest != nil:
		f.Rest.By = n.id
		n.w.rests[f.Rest.Agent] = f.Rest
	case f.Shift != nil:
		n.w.shifts[f.Shift.Agent] = f.Shift
	case f.Place != nil:
		key := f.Place.Queue + " " + f.Place.Number
		was := n.w.places[key]
		if was != nil && was.Left.After(f.Place.Left) || was == nil && f.Place.Taken {
			return false
		}
		n.w.places[key] = f.Place
		if f.Place.Taken {
			delete(n.w.places, key)
		}
	}
	return true
}

// Order implements acd.Site: the clock of the site, as wrong as it is known here and now.
func (n *worldNode) Order(at time.Time) int64 {
	n.reckoned++
	return at.UnixMicro() + n.reckoned*997%201 - 100
}

// Release implements acd.Site.
func (n *worldNode) Release(agent, id string, rest call.SiteRest) {
	if p := n.w.phones[agent]; p != nil && p.node == n && p.call == id {
		n.w.fault("%s was given back for %s while the phone is in use", agent, id)
	}
	n.deed(func() {
		c := n.w.claims[agent]
		if c == nil || c.Owner != n.id || c.Call != id {
			return
		}
		delete(n.w.claims, agent)
		rest.Token, rest.By = c.Token, n.id
		n.w.rests[agent] = &rest
		n.w.traced("  book: %s gives %s back for %s: %s", n.id, agent, id, rest.How)
		n.w.append(call.SiteNews{Facts: []call.SiteFact{{Rest: &rest}}})
	})
}

// Ring implements acd.Bells: the claim, and then the phone.
func (n *worldNode) Ring(r call.RingRequest, tell func(call.Leg, *call.RingError)) func(call.Cause) {
	p := &worldPhone{agent: r.Agent, call: r.CallID, node: n, progress: r.Progress, tell: tell}
	withdrawn := false
	fail := func(why call.Cause) { tell(nil, &call.RingError{Why: why, At: n.w.now}) }
	claim := func() {
		w := n.w
		flow := w.flows[r.Agent]
		switch {
		case withdrawn:
			fail(call.CauseWithdrawn)
			return
		case w.alone(n):
			if at := w.home[r.Agent]; w.phones[r.Agent] != nil || n.cut && (at < 0 || w.nodes[at] != n) {
				fail(call.CauseTaken) // the gate, or there is none here
				return
			}
		case flow == nil || w.claims[r.Agent] != nil:
			w.refused++
			w.refusedAt[w.now.Sub(w.start)] = true
			w.traced("  book: refused %s %s of %s", r.Agent, r.CallID, n.id)
			fail(call.CauseTaken)
			return
		default:
			w.n++
			c := &call.SiteClaim{
				Agent: r.Agent, Call: r.CallID, Owner: n.id, Edge: flow.Edge, Token: call.Token{Epoch: 1, N: w.n}, Since: w.now,
			}
			w.claims[r.Agent], p.token = c, c.Token
			w.claimed(c)
		}
		if other := w.phones[r.Agent]; other != nil {
			if !w.broken {
				w.fault("%s is rung for %s and for %s", r.Agent, other.call, r.CallID)
			}
			fail(call.CauseTaken) // the gate refuses, for what the book does not know
			return
		}
		w.phones[r.Agent] = p
		w.line("ring %s %s", r.Agent, r.CallID)
	}
	if n.w.alone(n) {
		claim()
	} else {
		n.w.later(&n.up, func() {
			if n.dead {
				return
			}
			claim()
		})
	}
	return func(why call.Cause) {
		withdrawn = true
		if n.w.phones[r.Agent] == p && p.leg == nil {
			n.w.line("cancel %s %s %s", r.Agent, r.CallID, why)
			delete(n.w.phones, r.Agent)
			fail(why)
		}
	}
}

// alone reports whether the node is one without others, or cut off from them.
func (w *world) alone(n *worldNode) bool { return len(w.nodes) == 1 || n.cut }

// claimed writes what a claim is now.
func (w *world) claimed(c *call.SiteClaim) {
	told := *c
	w.traced("  book: claim %s %s of %s", c.Agent, c.Call, c.Owner)
	w.append(call.SiteNews{Facts: []call.SiteFact{{Claim: &told}}})
}

// mark has the phone's node write down what the phone did.
func (p *worldPhone) mark(what func(c *call.SiteClaim)) {
	w := p.node.w
	p.node.deed(func() {
		if c := w.claims[p.agent]; c != nil && c.Token == p.token {
			what(c)
			w.claimed(c)
		}
	})
}
