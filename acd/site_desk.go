package acd

import (
	"time"

	"hotline/call"
)

// What a desk does with what the other nodes of its site say (docs/cluster.md, "What a desk sees"). Their callers and their
// agents' phones are among its own in every order, so that the match is that of the whole hotline; what differs is told
// here and in the other files of this name:
//
//	site_desk.go   how this node stands to the others, and which of what they say counts
//	site_say.go    what this desk is the first to know
//	site_agent.go  phones at other nodes, what claims leave on agents, shifts
//	site_caller.go callers at other nodes, places, regulars
//	site_order.go  the order of all callers
//	site_claim.go  agents claimed by others, or expected to be
//	site_apart.go  what is said of agents and queues that this node does not know
//
// How a node stands, and what its desk then goes by:
//
//	state   | others' callers | others' phones     | others' claims | turned away as nobody serves the queue
//	joining | as known        | not rung           | as known       | not yet
//	joined  | yes             | yes                | yes            | yes
//	fading  | yes             | not rung           | yes            | not yet
//	cut     | none            | none               | none           | yes
//	sole    | none            | none               | none           | yes

// expectWithin is for how long an agent is kept for another node's caller with whom the match has paired them.
const expectWithin = 250 * time.Millisecond

// siteCall is a call of another node, by that one's process: it may be of a later run by now.
type siteCall struct{ process, call string }

func keyOf(owner call.NodeID, id string) siteCall { return siteCall{owner.Process(), id} }

// siteDesk is what a desk knows of its site.
type siteDesk struct {
	told  Site
	self  call.NodeID
	state call.SiteState
	// callers are those of other nodes, and claimed the agents whom other nodes have, by the call.
	callers map[siteCall]*caller
	claimed map[siteCall][]*agent
	apart   map[apartKey]call.SiteFact
	// chose are the agents whose shifts were changed here while the others could not be told.
	chose map[string]bool
	// newest is who of ours entered last, by both clocks.
	newest struct{ entered, common time.Duration }
	// stepped: the site's clock was set meanwhile.
	stepped bool
}

func newSiteDesk(o *Options) *siteDesk {
	if o.Site == nil {
		return nil
	}
	return &siteDesk{
		told: o.Site, state: call.SiteJoining, callers: map[siteCall]*caller{}, claimed: map[siteCall][]*agent{},
		apart: map[apartKey]call.SiteFact{}, chose: map[string]bool{},
	}
}

// ours reports whether an id is this node's, of this run or one before.
func (s *siteDesk) ours(id call.NodeID) bool {
	return id != "" && id.Process() == s.self.Process()
}

// alone reports whether nothing that other nodes have counts.
func (s *siteDesk) alone() bool {
	return s.state == call.SiteCut || s.state == call.SiteSole
}

// unsure reports whether there may be others who are not known of, or whose phones may not be rung just now.
func (s *siteDesk) unsure() bool {
	return s != nil && s.state != call.SiteJoined && !s.alone()
}

// learn takes in what the site has to tell. What is told of one thing costs no other, should it panic: do contains it. Whoever is
// given back is matched, by pair, before the next is looked at: how much of the log is read at once differs between the nodes, and
// must not make the pairs differ.
func (d *desk) learn(n *call.SiteNews, do func(f func()), pair func()) {
	s := d.site
	s.self = n.Self
	if n.State != s.state {
		do(func() { d.stand(n.State) })
	}
	if s.alone() {
		return // it is read whole when they are back
	}
	var whole *census
	if n.Whole {
		whole = newCensus()
		clear(s.apart)
	}
	for i := range n.Facts {
		do(func() { d.learnFact(&n.Facts[i], whole) })
		if whole == nil && n.Facts[i].Rest != nil {
			pair()
		}
	}
	for i := range n.Cleared {
		do(func() { d.learnCleared(&n.Cleared[i]) })
	}
	for _, id := range n.Dead {
		do(func() { d.learnDead(id) })
	}
	if whole != nil {
		do(func() { d.sweep(whole) })
	}
}

// stand takes in how this node stands to the others from now on.
func (d *desk) stand(state call.SiteState) {
	s := d.site
	s.state = state
	if s.alone() {
		d.sweep(newCensus())
		clear(s.apart)
	}
	for _, a := range d.agents {
		a.doubt, a.doubts, a.echo = time.Time{}, 0, time.Time{}
		d.reached(a, d.now, false)
		d.refresh(a)
	}
	if !s.alone() {
		d.reorder()
	}
	for _, q := range d.queues { // who was not turned away while it was not known who serves
		d.deserted(q)
	}
}

// learnFact takes in one fact; whole is not nil where it is one of all there are.
func (d *desk) learnFact(f *call.SiteFact, whole *census) {
	switch {
	case f.Flow != nil:
		d.learnFlow(f.Flow, whole)
	case f.FlowGone != nil:
		d.learnFlowGone(f.FlowGone)
	case f.Caller != nil:
		d.learnCaller(f.Caller, whole)
	case f.Gone != nil:
		d.learnGone(f.Gone)
	case f.Claim != nil:
		d.learnClaim(f.Claim, whole)
	case f.Rest != nil:
		d.learnRest(f.Rest, whole)
	case f.Shift != nil:
		d.learnShift(f.Shift, whole)
	case f.Place != nil:
		d.learnPlace(f.Place)
	case f.Regular != nil:
		d.learnRegular(f.Regular)
	}
}

// learnDead takes in that a node is no more: its callers keep their places, as after a cut, its phones are gone, and its
// claims are orphans.
func (d *desk) learnDead(id call.NodeID) {
	s := d.site
	if s.ours(id) {
		return // it is taken for dead, and goes on by another run
	}
	for _, c := range s.of(id) {
		d.outlive(c)
	}
	for _, a := range d.agents {
		if a.beyond != nil && a.beyond.Edge == id {
			a.beyond = nil
			d.reached(a, d.now, true)
		}
		if a.taken != nil && a.taken.Owner == id {
			a.taken.Orphan = true
			d.refresh(a)
		}
	}
	s.buryApart(id)
}

// census is who was named in a reading of the whole: others' callers, phones and claims that were not are no more.
type census struct {
	callers map[*caller]bool
	phones  map[*agent]bool
	claims  map[*agent]bool
}

func newCensus() *census {
	return &census{callers: map[*caller]bool{}, phones: map[*agent]bool{}, claims: map[*agent]bool{}}
}

// sweep forgets what others do not have any more.
func (d *desk) sweep(named *census) {
	for _, c := range d.site.all() {
		if !named.callers[c] {
			d.dropRemote(c, howWithdrawn, d.now)
		}
	}
	for _, a := range d.agents {
		if a.taken != nil && !named.claims[a] {
			d.untake(a, howWithdrawn, d.now)
		}
		if a.beyond != nil && !named.phones[a] {
			a.beyond = nil
			d.reached(a, d.now, false)
		}
		d.refresh(a)
	}
	d.sayChosen()
}
