package site

import (
	"context"
	"time"

	"hotline/call"
)

// checks holds what this node says against what is so, each second and when there is reason to.
func (m *Member) checks(ctx context.Context) {
	for wait(ctx, m.wakeCheck, time.Second) {
		m.under(func() { m.check(time.Now()) })
		m.under(func() { m.checkCallers(ctx) })
		pause(ctx, 20*time.Millisecond)
	}
}

// check needs mu. What was not written, was refused or got lost with a book that failed over is so done again; what is under
// way is left alone.
func (m *Member) check(now time.Time) {
	if m.left {
		return
	}
	m.view.forget(now)
	m.checkHolds(now)
	of := charges{}
	m.checkLegs(of, now)
	joined := m.whole && !m.dead
	if joined {
		m.checkTroubles(now)
		m.mourn(now)
		m.checkClaims(now) // first: an agent who has a flow and no claim can be another's at once
	}
	m.checkFlows(now)
	if joined {
		m.checkOrphans(of, now)
	}
	m.checkPartings()
	m.prosecute(of)
	m.publish()
}

// checkFlows: the registrar has the phones, and the desk knows of the legs that came from no claim.
func (m *Member) checkFlows(now time.Time) {
	there := map[string]bool{}
	for _, f := range m.o.Edge.Flows() {
		there[f.Agent] = true
		if mine, known := m.own.flows[f.Agent]; known {
			f.Legs = mine.Legs
		}
		m.own.flows[f.Agent] = f
		if m.arrivals.came(f.Agent, now) {
			wake(m.wakeAsk)
		}
		at, has := m.view.flows[f.Agent]
		switch {
		case !m.whole:
		case m.outdated(f):
			if !m.out.awaits(keyOf(call.SiteFact{Flow: &f})) {
				m.yield(f.Agent)
			}
		case m.out.resumes(f.Agent):
		case has && at.Edge == m.node.ID && at.Legs == f.Legs && at.At == f.At: // as nearly always
		case !m.out.awaits(keyOf(call.SiteFact{Flow: &f})):
			m.out.say(m, call.SiteFact{Flow: &f})
		}
	}
	for agent, f := range m.own.flows {
		if !there[agent] {
			delete(m.own.flows, agent)
			m.gone(agent)
			m.out.say(m, call.SiteFact{FlowGone: &f})
		}
	}
	for agent, f := range m.view.flows {
		if m.whole && m.self(f.Edge) && !there[agent] && !m.out.awaits(keyOf(call.SiteFact{Flow: &f})) {
			m.out.say(m, call.SiteFact{FlowGone: &f})
		}
	}
}

// checkCallers: callers who wait here, and those who do not any more. It needs mu, and gives it away now and then: there may be
// tens of thousands of them, and whoever rings a phone waits for mu.
func (m *Member) checkCallers(ctx context.Context) {
	reading, seen := m.view.reading, 0
	good := func() bool {
		if seen++; seen%breath == 0 {
			m.mu.Unlock()
			pause(ctx, breathe)
			m.mu.Lock()
		}
		return m.whole && !m.dead && !m.left && m.view.reading == reading
	}
	for name := range m.own.callers {
		if !good() {
			return
		}
		f, is := m.own.callers[name] // as it is now
		if !is {
			continue
		}
		at, has := m.view.callers[name]
		mine := has && m.self(at.Owner)
		switch {
		case f.Caller != nil && mine && at.Owner == m.node.ID: // as nearly always
		case m.out.awaits(keyOf(f)):
		case f.Caller != nil, f.Gone != nil && mine:
			m.out.say(m, f)
		case f.Gone != nil:
			delete(m.own.callers, name)
		}
	}
	for name := range m.view.callers {
		if !good() {
			return
		}
		c, is := m.view.callers[name]
		if _, known := m.own.callers[name]; is && !known && m.self(c.Owner) {
			f := call.SiteFact{Gone: &call.SiteCallerGone{Call: name, How: howLost, At: time.Now()}}
			m.own.callers[name] = f
			m.out.say(m, f)
		}
	}
}

// breath is of how many things mu is held at once, where many are looked over, some 100 µs; breathe is for how long it is given away
// then. Whoever rings a phone needs it a dozen times: if it were taken again at once, each of them would wait.
const (
	breath  = 128
	breathe = 2 * time.Millisecond
)

// howLost is how a stay ended of which only the book knows, in the words of [call.Visit.How].
const howLost = "abandoned"

// checkHolds gives claims back that no desk had rung, such as a supervisor's phone.
func (m *Member) checkHolds(now time.Time) {
	for _, h := range m.holds {
		switch over := now.Sub(h.ended); {
		case h.phase != ended:
		case over > time.Minute:
			m.drop(h)
		case over > given && !h.given:
			m.give(h, call.SiteRest{How: howStray})
			h.given = true
			m.holds[holdKey{h.agent, h.call}] = h // the desk's rest may come yet
		}
	}
}

// checkClaims: claims of this process's whose leg lives are its own again, those of which it knows nothing are given back.
func (m *Member) checkClaims(now time.Time) {
	held := map[string]bool{}
	for _, h := range m.holds {
		held[h.agent] = held[h.agent] || h.phase == claiming || h.token != (call.Token{}) && !h.given
		if h.lives() && !m.out.busy(h.agent) && m.estranged(h, now) {
			h.local = false
			m.out.push(m, h.agent, deed{kind: doResume, token: h.token, claim: h.claim(m.node.ID)})
		}
	}
	for agent, c := range m.view.claims {
		if !m.self(c.Owner) || held[agent] || m.out.busy(agent) {
			continue
		}
		if !m.forsook(agent, c.Call, c.Token) {
			m.out.release(m, agent, call.SiteRest{Agent: agent, Call: c.Call, Token: c.Token, How: howStray})
		} else if !c.Orphan {
			m.out.abandon(m, agent, c.Token)
		}
	}
}

// estranged reports whether the book does not have a claim whose leg lives as this node's.
func (m *Member) estranged(h *hold, now time.Time) bool {
	c, has := m.view.claims[h.agent]
	if has && c.Token == h.token && m.self(c.Owner) {
		return c.Orphan || c.Owner != m.node.ID
	}
	return h.local || now.Sub(h.since) > stale
}
