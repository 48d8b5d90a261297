package site

import (
	"context"
	"slices"
	"time"

	"hotline/call"
)

// outbox is what is to be written into the book and is not yet: facts, of which the newest about each thing is enough, in
// the order in which they were said; and deeds on claims, in a lane for each agent, so that the book's delay with one is
// none of the others' and facts do not wait for deeds. A rest that is said while a deed on its agent's claim is under way
// follows it there. It is under the member's lock.
type outbox struct {
	facts   []pending
	index   map[string]int // of the newest about a thing, in facts
	dropped int            // of facts: older ones
	sending map[string]bool
	lanes   map[string]*lane
	slots   chan struct{} // deeds under way at once
	// first are agents whose claims are to be claimed again before anything is said, for a while at most.
	first      map[string]bool
	firstUntil time.Time
}

type pending struct {
	key  string
	fact call.SiteFact
	old  bool // a newer one follows
}

type lane struct {
	deeds []deed
	busy  bool // with the first of deeds
	runs  bool
}

type deedKind int

const (
	doMark deedKind = iota
	doRaise
	doRelease
	doAbandon
	doClear
	doResume
	doRest
)

// deed is one on an agent's claim, in this node's instants.
type deed struct {
	kind  deedKind
	token call.Token
	claim call.SiteClaim
	rest  call.SiteRest
	// gate: the phone is this edge's, and its gate is to be free first; settled, where it is not nil, is to be closed first:
	// BYE may not have been answered yet.
	gate    bool
	settled <-chan struct{}
}

const deedsAtOnce = 16

func newOutbox() outbox {
	return outbox{
		index: map[string]int{}, sending: map[string]bool{}, lanes: map[string]*lane{},
		slots: make(chan struct{}, deedsAtOnce),
	}
}

func (o *outbox) idle() bool { return len(o.index) == 0 && len(o.sending) == 0 && len(o.lanes) == 0 }

func (o *outbox) busy(agent string) bool { return o.lanes[agent] != nil }

// resumes reports whether an agent is to be claimed for a leg that lives.
func (o *outbox) resumes(agent string) bool {
	l := o.lanes[agent]
	return l != nil && slices.ContainsFunc(l.deeds, func(d deed) bool { return d.kind == doResume })
}

// awaits reports whether something about a thing is to be written yet.
func (o *outbox) awaits(key string) bool {
	_, is := o.index[key]
	return is || o.sending[key]
}

// say has a fact written.
func (o *outbox) say(m *Member, f call.SiteFact) {
	if f.Rest != nil && o.busy(f.Rest.Agent) {
		o.push(m, f.Rest.Agent, deed{kind: doRest, rest: *f.Rest})
		return
	}
	key := keyOf(f)
	if i, is := o.index[key]; is {
		if was := o.facts[i].fact.Rest; was != nil {
			r := Merge(*was, *f.Rest)
			f.Rest = &r
		}
		o.facts[i].old = true
		o.dropped++
	}
	o.index[key] = len(o.facts)
	o.facts = append(o.facts, pending{key: key, fact: f})
	if len(o.index) > maxPending {
		o.shed(m)
	}
	o.compact()
	wake(m.wakeOut)
}

// shed drops the oldest fact that nobody's call depends on.
func (o *outbox) shed(m *Member) {
	for i, p := range o.facts {
		if !p.old && (p.fact.Place != nil || p.fact.Regular != nil || p.fact.Gone != nil) {
			o.facts[i].old = true
			o.dropped++
			delete(o.index, p.key)
			m.figures.lost.Inc()
			return
		}
	}
}

func (o *outbox) compact() {
	if o.dropped > len(o.facts)/2 {
		o.facts = slices.DeleteFunc(o.facts, func(p pending) bool { return p.old })
		o.number()
	}
}

func (o *outbox) number() {
	o.dropped = 0
	clear(o.index)
	for i, p := range o.facts {
		o.index[p.key] = i
	}
}

// next takes facts out to be written, at most n.
func (o *outbox) next(n int) []pending {
	var taken []pending
	i := 0
	for ; i < len(o.facts) && len(taken) < n; i++ {
		if p := o.facts[i]; !p.old {
			taken = append(taken, p)
			o.sending[p.key] = true
		}
	}
	o.facts = slices.DeleteFunc(o.facts[i:], func(p pending) bool { return p.old })
	o.number()
	return taken
}

// sent takes in what became of facts that were taken out: those that were not written, and about which nothing newer was
// said, are to be written still.
func (o *outbox) sent(taken []pending, written bool) {
	clear(o.sending)
	if written {
		return
	}
	taken = slices.DeleteFunc(taken, func(p pending) bool { _, newer := o.index[p.key]; return newer })
	o.facts = append(taken, o.facts...)
	o.number()
}

// release has a claim given back by which nothing rings or talks.
func (o *outbox) release(m *Member, agent string, r call.SiteRest) {
	o.push(m, agent, deed{kind: doRelease, token: r.Token, rest: r})
}

func (o *outbox) abandon(m *Member, agent string, t call.Token) {
	o.push(m, agent, deed{kind: doAbandon, token: t})
}

func (o *outbox) mark(m *Member, c call.SiteClaim) {
	o.push(m, c.Agent, deed{kind: doMark, token: c.Token, claim: c})
}

// push adds a deed to an agent's lane. The same one does not wait twice, and a later mark takes the place of one that waits.
func (o *outbox) push(m *Member, agent string, d deed) {
	l := o.lanes[agent]
	if l == nil {
		l = &lane{}
		o.lanes[agent] = l
	}
	if i, is := o.index[restKey(agent)]; is && d.kind == doRelease { // said before, so written before, or with it
		d.rest = Merge(*o.facts[i].fact.Rest, d.rest)
		o.facts[i].old = true
		o.dropped++
		delete(o.index, restKey(agent))
	}
	from := 0
	if l.busy {
		from = 1
	}
	for i := from; i < len(l.deeds); i++ {
		if l.deeds[i].kind != d.kind || l.deeds[i].token != d.token {
			continue
		}
		if d.kind == doRest {
			d.rest = Merge(l.deeds[i].rest, d.rest)
		}
		l.deeds[i] = d
		return
	}
	l.deeds = append(l.deeds, d)
	o.launch(m, agent, l)
}

func (o *outbox) launch(m *Member, agent string, l *lane) {
	if !l.runs {
		l.runs = m.start("deeds", func(ctx context.Context) { m.deeds(ctx, agent) })
	}
}

// size is how much is to be written yet.
func (o *outbox) size() int {
	n := len(o.index) + len(o.sending)
	for _, l := range o.lanes {
		n += len(l.deeds)
	}
	return n
}
