package site

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

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

// resume goes on with what was pushed before Run.
func (o *outbox) resume(m *Member) {
	for _, agent := range slices.Collect(maps.Keys(o.lanes)) {
		o.launch(m, agent, o.lanes[agent])
	}
}

// lives waits for the node to live in the book, and returns as which run; false: ctx is done.
func (m *Member) lives(ctx context.Context) (call.NodeID, bool) {
	for {
		m.mu.Lock()
		id, dead, changed := m.node.ID, m.dead, m.changed
		m.mu.Unlock()
		if !dead {
			return id, ctx.Err() == nil
		}
		select {
		case <-ctx.Done():
			return "", false
		case <-changed:
		}
	}
}

// says writes facts.
func (m *Member) says(ctx context.Context) {
	failed := 0
	for {
		id, ok := m.lives(ctx)
		if !ok {
			return
		}
		n := batch
		if failed >= 3 {
			n = 1 // to find the one that the book does not take
		}
		m.mu.Lock()
		taken := m.out.next(n)
		facts := make([]call.SiteFact, 0, len(taken))
		for _, p := range taken {
			f := turned(p.fact, m.clock.there)
			if f.Rest != nil { // a copy
				f.Rest.By = id
			}
			facts = append(facts, f)
		}
		m.mu.Unlock()
		if len(taken) == 0 {
			failed = 0
			if !wait(ctx, m.wakeOut, time.Minute) {
				return
			}
			continue
		}
		limited, stop := context.WithTimeout(ctx, time.Second)
		err := m.o.Book.Say(limited, id, facts...)
		stop()
		answers := m.wrote(taken, err, failed >= 10)
		switch {
		case err == nil:
			failed = max(0, failed-1)
			continue
		case errors.Is(err, ErrDead):
			m.died(id)
			continue
		case answers:
			failed++
		}
		m.complain(ctx, "write facts into the site's book", err)
		pause(ctx, 100*time.Millisecond)
	}
}

// wrote takes in what came of writing facts, and reports whether the book answers at all. One alone that it does not take,
// though it was asked often, is given up, so that it is not in the way of all others.
func (m *Member) wrote(taken []pending, err error, often bool) (answers bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	answers = !m.cut && m.silent.IsZero()
	give := err != nil && answers && often && len(taken) == 1 && !errors.Is(err, ErrDead)
	if give {
		m.figures.lost.Inc()
	}
	m.out.sent(taken, err == nil || give)
	m.moved() // claims wait for flows
	return answers
}

// deeds does the deeds on an agent's claims, until there are none.
func (m *Member) deeds(ctx context.Context, agent string) {
	for tries := 0; ; tries++ {
		id, ok := m.lives(ctx)
		m.mu.Lock()
		l := m.out.lanes[agent]
		if !ok || len(l.deeds) == 0 {
			if ok {
				delete(m.out.lanes, agent)
				m.moved()
			}
			l.runs = false
			m.mu.Unlock()
			return
		}
		l.busy = true
		d := l.deeds[0]
		m.mu.Unlock()
		if d.gate || d.settled != nil {
			d = m.quiet(ctx, agent, d)
		}
		err := m.do(ctx, id, agent, d)
		done := err == nil || errors.Is(err, ErrTaken) || errors.Is(err, ErrRange) || ctx.Err() != nil
		m.mu.Lock()
		l.busy = false
		if done {
			l.deeds = l.deeds[1:]
			tries = 0
		} else {
			l.deeds[0] = d
		}
		m.mu.Unlock()
		switch {
		case done:
		case errors.Is(err, ErrDead):
			m.died(id)
		default:
			m.complain(ctx, "write a claim's deed into the site's book", err)
			pause(ctx, min(time.Second, 50*time.Millisecond<<min(tries, 5)))
		}
	}
}

// do does a deed.
func (m *Member) do(ctx context.Context, id call.NodeID, agent string, d deed) error {
	select {
	case m.out.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-m.out.slots }()
	ctx, stop := context.WithTimeout(ctx, time.Second)
	defer stop()
	m.mu.Lock()
	there := m.clock.there
	claim, rest := turnedClaim(d.claim, there), turnedRest(d.rest, there)
	rest.By = id
	m.mu.Unlock()
	switch d.kind {
	case doMark:
		claim.Owner = id
		return m.o.Book.Mark(ctx, claim)
	case doRaise:
		return m.o.Book.Raise(ctx, d.token)
	case doRelease:
		return m.o.Book.Release(ctx, id, rest)
	case doAbandon:
		return m.o.Book.Abandon(ctx, id, agent, d.token)
	case doClear:
		return m.o.Book.Clear(ctx, agent, d.token)
	case doResume:
		claim.Owner = id
		if m.self(claim.Edge) {
			claim.Edge = id
		}
		return m.o.Book.Resume(ctx, claim)
	case doRest:
		rest.Token = call.Token{}
		return m.o.Book.Say(ctx, id, call.SiteFact{Rest: &rest})
	}
	return nil
}

// quiet waits for a phone to be free of a claim before it is given back: BYE has been sent, and is answered in milliseconds
// by a phone that is there. One that is not is left to the edge: the claim is abandoned.
func (m *Member) quiet(ctx context.Context, agent string, d deed) deed {
	limited, stop := context.WithTimeout(ctx, settleWithin)
	defer stop()
	free := func() bool {
		past, _ := m.o.Edge.Past(agent)
		return !d.gate || past.Leg == nil || past.Leg.Token != d.token
	}
	sure := true
	if d.settled != nil {
		select {
		case <-d.settled:
		case <-limited.Done():
			sure = false
		}
	}
	for sure && !free() {
		sure = pause(limited, 10*time.Millisecond)
	}
	d.gate, d.settled = false, nil
	if sure || ctx.Err() != nil {
		return d
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forsake(agent, d.token)
	l := m.out.lanes[agent]
	rest := d.rest
	rest.Token = call.Token{}
	l.deeds = slices.Insert(l.deeds, 1, deed{kind: doRest, rest: rest})
	m.o.Logger.Warn("an agent's phone does not answer its BYE: the claim is left to the phone's edge", zap.String("agent", agent),
		zap.Stringer("token", d.token))
	return deed{kind: doAbandon, token: d.token}
}

// raise has the book's next tokens be greater than t. It needs mu.
func (m *Member) raise(agent string, t call.Token) {
	if t != (call.Token{}) {
		m.out.push(m, agent, deed{kind: doRaise, token: t})
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
