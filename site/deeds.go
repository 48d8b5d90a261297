package site

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

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
		if !m.resumed(ctx) {
			continue
		}
		written, err := m.writeFacts(ctx, id, n, failed >= 10)
		switch {
		case written == 0:
			failed = 0
			if !wait(ctx, m.wakeOut, time.Minute) {
				return
			}
			continue
		case err == nil:
			failed = max(0, failed-1)
			continue
		case errors.Is(err, ErrDead):
			m.died(id)
			continue
		case m.answers():
			failed++
		}
		m.complain(ctx, "write facts into the site's book", err)
		pause(ctx, 100*time.Millisecond)
	}
}

// writeFacts writes the next facts, at most n, and returns how many it tried.
func (m *Member) writeFacts(ctx context.Context, id call.NodeID, n int, often bool) (tried int, err error) {
	var taken []pending
	var facts []call.SiteFact
	err = errPanic
	defer func() {
		if len(taken) > 0 {
			m.wrote(taken, err, often)
		}
	}()
	m.under(func() {
		taken = m.out.next(n)
		for _, p := range taken {
			f := turned(p.fact, m.clock.there)
			if f.Rest != nil { // a copy
				f.Rest.By = id
			}
			facts = append(facts, f)
		}
	})
	if len(taken) == 0 {
		return 0, nil
	}
	limited, stop := context.WithTimeout(ctx, time.Second)
	defer stop()
	err = m.o.Book.Say(limited, id, facts...)
	return len(taken), err
}

var errPanic = errors.New("a panic")

// answers reports whether the book answers at all.
func (m *Member) answers() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.cut && m.silent.IsZero()
}

// resumed waits for claims that are to be claimed again before anything is said; false: it is to be looked at anew.
func (m *Member) resumed(ctx context.Context) bool {
	m.mu.Lock()
	changed, left, limit := m.changed, len(m.out.first), m.out.firstUntil
	m.mu.Unlock()
	wait := time.Until(limit)
	if left == 0 || wait <= 0 {
		return true
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-changed:
	case <-t.C:
	}
	return false
}

// wrote takes in what came of writing facts. One alone that the book does not take, though it answers and was asked often, is
// given up, so that it is not in the way of all others.
func (m *Member) wrote(taken []pending, err error, often bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	give := err != nil && !m.cut && m.silent.IsZero() && often && len(taken) == 1 && !errors.Is(err, ErrDead)
	if give {
		m.figures.lost.Inc()
	}
	m.out.sent(taken, err == nil || give)
	m.moved() // claims wait for flows
}

// deeds does the deeds on an agent's claims, until there are none.
func (m *Member) deeds(ctx context.Context, agent string) {
	over := false
	defer func() {
		if !over {
			m.under(func() { m.derailed(agent) })
		}
	}()
	for tries := (attempts{}); !over; {
		id, ok := m.lives(ctx)
		var l *lane
		var d deed
		m.under(func() { l, d, over = m.nextDeed(agent, ok) })
		if over {
			return
		}
		if d.gate || d.settled != nil {
			d = m.quiet(ctx, agent, d)
		}
		if ctx.Err() != nil { // it is not known whether the phone is free
			continue
		}
		m.under(func() { d = m.kept(agent, d) })
		err := m.do(ctx, id, agent, d)
		var next step
		m.under(func() { next = m.doneWith(ctx, agent, l, d, &tries, err) })
		switch {
		case next == stepOn:
		case next == stepGiven:
			m.o.Logger.Error("the site's book does not take what is to be written of an agent's claim: it is given up",
				zap.String("agent", agent), zap.Error(err))
		case next == stepSoon:
			pause(ctx, 100*time.Millisecond)
		case errors.Is(err, ErrDead):
			m.died(id)
		default:
			m.complain(ctx, "write a claim's deed into the site's book", err)
			pause(ctx, min(time.Second, 50*time.Millisecond<<min(tries.all-1, 5)))
		}
	}
}

// attempts are how often a deed was tried, and how often a book did not take it that answered all the same.
type attempts struct{ all, refused int }

// step is what follows an attempt.
type step int

const (
	stepAgain step = iota // the same deed is tried again, after a while
	stepSoon              // the same, in an instant
	stepOn                // it is done: the next one
	stepGiven             // it is given up: the next one
)

// nextDeed is the first of an agent's lane; over: there is none, or nothing is done any more. It needs mu.
func (m *Member) nextDeed(agent string, lives bool) (l *lane, d deed, over bool) {
	l = m.out.lanes[agent]
	if lives && len(l.deeds) > 0 {
		l.busy = true
		return l, l.deeds[0], false
	}
	if lives {
		delete(m.out.lanes, agent)
		m.moved()
	}
	l.busy, l.runs = false, false
	return l, deed{}, true
}

// doneWith takes in what came of an attempt. It needs mu.
func (m *Member) doneWith(ctx context.Context, agent string, l *lane, d deed, tries *attempts, err error) step {
	l.busy = false
	tries.all++
	if err != nil && !errors.Is(err, ErrDead) && !m.cut && m.silent.IsZero() {
		tries.refused++
	}
	switch {
	case errors.Is(err, ErrTaken) && d.kind == doResume && tries.all <= 4:
		// Another's claim on an agent who talks here is refused by the gate in milliseconds, and given back.
		l.deeds[0] = d
		return stepSoon
	case err == nil || errors.Is(err, ErrTaken) || errors.Is(err, ErrRange) || ctx.Err() != nil:
		if ctx.Err() == nil {
			m.did(agent, d, err)
		}
		m.shift(agent, l, d)
		*tries = attempts{}
		return stepOn
	case tries.refused >= triesMost: // what it was for is done again when things are looked over, and others wait behind it
		m.figures.lost.Inc()
		m.shift(agent, l, d)
		*tries = attempts{}
		return stepGiven
	default:
		l.deeds[0] = d
		return stepAgain
	}
}

// shift takes the first deed from a lane. It needs mu.
func (m *Member) shift(agent string, l *lane, d deed) {
	l.deeds = l.deeds[1:]
	if d.kind == doResume && len(m.out.first) > 0 {
		delete(m.out.first, agent)
		m.moved() // facts wait for that
	}
}

// derailed has an agent's lane go on after a panic: the deed that it was about is given up, since it would panic again. It needs
// mu.
func (m *Member) derailed(agent string) {
	l := m.out.lanes[agent]
	if l == nil {
		return
	}
	if l.busy && len(l.deeds) > 0 {
		m.figures.lost.Inc()
		m.shift(agent, l, l.deeds[0])
	}
	l.busy, l.runs = false, false
	m.out.launch(m, agent, l)
}

// did takes in what the book made of a deed. It needs mu.
func (m *Member) did(agent string, d deed, err error) {
	if d.kind == doAbandon {
		m.forsakenWritten(agent, d.token)
	}
	if d.kind != doResume {
		return
	}
	wake(m.wakeCheck) // the agent's flow may wait for it
	if errors.Is(err, ErrTaken) {
		m.usurped(agent, d.token)
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
	m.forsake(agent, d.rest.Call, d.token, false)
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
