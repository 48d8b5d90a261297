package site

import (
	"cmp"
	"slices"
	"time"

	"hotline/call"
)

// view is what this node knows of the book, instants turned to its own clock.
type view struct {
	at   Place
	book string // of the lease under which it was read
	// reading is how often the whole was read by now.
	reading uint64
	nodes   map[call.NodeID]Node
	past    map[call.NodeID]pastNode
	// missing are those of which it cannot be told yet whether they are dead, see others.go.
	missing map[call.NodeID]pastNode
	flows   map[string]call.SiteFlow
	claims  map[string]call.SiteClaim
	orphans map[string]time.Time // since when this node knows a claim for one, by agent
	callers map[string]call.SiteCaller
	// echoes are the last claims whose phone's edge was not in the book any more, by agent: what they rang may ring yet, also
	// where the book has forgotten them.
	echoes map[string]echo
	// shared are facts that outlive who said them, by key: rests, shifts, places, regulars.
	shared map[string]call.SiteFact
	// thinned is when that was thinned last, thinAt at how many of them it is to be again.
	thinned time.Time
	thinAt  int
}

// echo is a claim, and when this node learned that its phone's edge is gone.
type echo struct {
	claim call.SiteClaim
	since time.Time
}

// pastNode is a node that left or was declared dead, and when this node learned that.
type pastNode struct {
	Node
	died time.Time
}

func newView() view {
	return view{
		nodes: map[call.NodeID]Node{}, past: map[call.NodeID]pastNode{}, missing: map[call.NodeID]pastNode{},
		flows: map[string]call.SiteFlow{}, echoes: map[string]echo{},
		claims: map[string]call.SiteClaim{}, orphans: map[string]time.Time{},
		callers: map[string]call.SiteCaller{}, shared: map[string]call.SiteFact{}, thinAt: thinBeyond,
	}
}

// keyOf names what a fact is about: of two with the same key the later is so.
func keyOf(f call.SiteFact) string {
	switch {
	case f.Flow != nil:
		return "flow\x00" + f.Flow.Agent
	case f.FlowGone != nil:
		return "flow\x00" + f.FlowGone.Agent
	case f.Caller != nil:
		return "call\x00" + f.Caller.Call
	case f.Gone != nil:
		return "call\x00" + f.Gone.Call
	case f.Rest != nil:
		return restKey(f.Rest.Agent)
	case f.Shift != nil:
		return "shift\x00" + f.Shift.Agent
	case f.Place != nil:
		return "place\x00" + f.Place.Queue + "\x00" + f.Place.Number
	case f.Regular != nil:
		return "regular\x00" + f.Regular.Queue + "\x00" + f.Regular.Number
	default:
		return ""
	}
}

func restKey(agent string) string { return "rest\x00" + agent }

// apply takes in a fact of the log.
func (v *view) apply(f call.SiteFact, now time.Time) {
	switch {
	case f.Flow != nil:
		v.flows[f.Flow.Agent] = *f.Flow
	case f.FlowGone != nil:
		if v.flows[f.FlowGone.Agent].Edge.Process() == f.FlowGone.Edge.Process() {
			delete(v.flows, f.FlowGone.Agent)
		}
	case f.Caller != nil:
		v.callers[f.Caller.Call] = *f.Caller
	case f.Gone != nil:
		delete(v.callers, f.Gone.Call)
	case f.Claim != nil:
		v.claim(*f.Claim, now)
	case f.Rest != nil:
		r := *f.Rest
		v.cleared(call.SiteClaim{Agent: r.Agent, Token: r.Token})
		v.share(f)
	default:
		v.share(f)
	}
}

func (v *view) claim(c call.SiteClaim, now time.Time) {
	v.claims[c.Agent] = c
	if !c.Orphan {
		delete(v.orphans, c.Agent)
	} else if _, known := v.orphans[c.Agent]; !known {
		v.orphans[c.Agent] = now
	}
}

// share remembers what outlives its speaker.
func (v *view) share(f call.SiteFact) {
	key := keyOf(f)
	switch {
	case f.Rest != nil:
		r := *f.Rest
		if was, ok := v.shared[key]; ok {
			r = Merge(*was.Rest, r)
		}
		r.Token = call.Token{}
		v.shared[key] = call.SiteFact{Rest: &r}
	case f.Place != nil && f.Place.Taken:
		delete(v.shared, key)
	case f.Shift != nil, f.Place != nil, f.Regular != nil:
		v.shared[key] = f
	}
}

// dead takes in that a node left or was declared dead; spared: which may mean nothing, see others.go.
func (v *view) dead(id call.NodeID, spared bool, now time.Time) {
	if n, ok := v.nodes[id]; ok {
		delete(v.nodes, id)
		v.lose(pastNode{Node: n, died: now}, spared)
	}
	for _, c := range v.claims {
		if c.Edge.Process() == id.Process() {
			v.echoes[c.Agent] = echo{claim: c, since: now}
		}
	}
	for agent, f := range v.flows {
		if f.Edge == id {
			delete(v.flows, agent)
		}
	}
	for name, c := range v.callers {
		if c.Owner == id {
			delete(v.callers, name)
		}
	}
	for _, c := range v.claims {
		if c.Owner == id && !c.Orphan {
			c.Orphan = true
			v.claim(c, now)
		}
	}
}

// lose takes in that a node is not in the book any more.
func (v *view) lose(n pastNode, spared bool) {
	if spared {
		v.missing[n.ID] = n
	} else {
		v.past[n.ID] = n
	}
}

// cleared takes in that a claim is no more: its phone is free of it.
func (v *view) cleared(c call.SiteClaim) {
	if c.Token == (call.Token{}) {
		return
	}
	if v.claims[c.Agent].Token == c.Token {
		delete(v.claims, c.Agent)
		delete(v.orphans, c.Agent)
	}
	if v.echoes[c.Agent].claim.Token == c.Token {
		delete(v.echoes, c.Agent)
	}
}

// forget drops dead nodes that are long dead, and what is shared and over, or too much.
func (v *view) forget(now time.Time) {
	for id, n := range v.past {
		if now.Sub(n.died) > pastFor || len(v.past) > maxPast {
			delete(v.past, id)
		}
	}
	for agent, e := range v.echoes {
		if now.Sub(e.since) > pastFor {
			delete(v.echoes, agent)
		}
	}
	if now.Sub(v.thinned) >= thinEvery || len(v.shared) > v.thinAt {
		v.thinned = now
		v.thin(now)
	}
}

// thin keeps as much of what is shared as the book does: the log does not tell what that drops by its [Bounds].
func (v *view) thin(now time.Time) {
	bounds := DefaultBounds()
	var places, regulars []string
	for key, f := range v.shared {
		switch {
		case f.Place != nil && f.Place.Until.Before(now), f.Regular != nil && now.Sub(f.Regular.At) >= bounds.RegularsFor:
			delete(v.shared, key)
		case f.Place != nil:
			places = append(places, key)
		case f.Regular != nil:
			regulars = append(regulars, key)
		}
	}
	v.newest(places, bounds.Places)
	v.newest(regulars, bounds.Regulars)
	v.thinAt = len(v.shared) + thinBeyond
}

// newest keeps at most n of these things that are shared, those that end last or were said last.
func (v *view) newest(keys []string, n int) {
	if len(keys) <= n {
		return
	}
	slices.SortFunc(keys, func(a, b string) int { return fresher(v.shared[a], v.shared[b]) })
	for _, key := range keys[n:] {
		delete(v.shared, key)
	}
}

// fresher orders what is shared: first what is of agents, then places and then regulars, each the newest first.
func fresher(a, b call.SiteFact) int {
	rank := func(f call.SiteFact) (int, time.Time) {
		switch {
		case f.Place != nil:
			return 1, f.Place.Until
		case f.Regular != nil:
			return 2, f.Regular.At
		default:
			return 0, time.Time{}
		}
	}
	ra, ta := rank(a)
	rb, tb := rank(b)
	return cmp.Or(cmp.Compare(ra, rb), tb.Compare(ta))
}

// Of what is shared: how often it is thinned, and by how much it may grow until then.
const (
	thinEvery  = time.Minute
	thinBeyond = 20_000
)

// lives reports whether a process is a living node.
func (v *view) lives(process string) bool {
	_, is := v.process(process)
	return is
}

// process is the living node of a process, if there is one.
func (v *view) process(p string) (Node, bool) {
	for id, n := range v.nodes {
		if id.Process() == p {
			return n, true
		}
	}
	return Node{}, false
}

// whole is a view as it was read: what died or became an orphan before is taken over from what was known.
func (v *view) whole(read View, book string, by func(time.Time) time.Time, spared bool, now time.Time) (view, []call.SiteFact) {
	next := newView()
	next.at, next.book, next.reading = read.At, book, v.reading+1
	for _, n := range read.Nodes {
		next.nodes[n.ID] = n
	}
	next.past, next.missing, next.echoes = v.past, v.missing, v.echoes
	for id, n := range v.nodes {
		if _, lives := next.nodes[id]; !lives {
			next.lose(pastNode{Node: n, died: now}, spared)
		}
	}
	for agent, c := range v.claims {
		if !next.lives(c.Edge.Process()) {
			next.echoes[agent] = echo{claim: c, since: now}
		}
	}
	facts := make([]call.SiteFact, 0, len(read.Facts))
	for _, f := range read.Facts {
		f = turned(f, by)
		facts = append(facts, f)
		next.apply(f, now)
	}
	for agent, since := range v.orphans {
		if _, still := next.orphans[agent]; still && next.claims[agent].Token == v.claims[agent].Token {
			next.orphans[agent] = since
		}
	}
	return next, facts
}
