package site

import (
	"context"
	"strings"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// judgement is a leg at work that is to be ended.
//
// Judged are the legs of claims that go through this edge, each second, unless the book has the claim as a living owner's; and
// orphans: this edge's own, and those of a dead edge whose phone is here, once nothing of it can ring any more and it does not
// say that the leg lives. What was read of the book may be older than the leg, so its owner has the word:
//
//	the gate                  | the owner, when it is asked                                      | then
//	has no leg of the claim   | (is not asked, but where the edge is a dead one)                 | the token is refused from now on; clear
//	has one                   | holds the claim                                                  | it stays
//	has one                   | does not                                                         | the leg is ended; clear
//	has one                   | does not answer, but lives in the book and has abandoned it      | the leg is ended; clear
//	has one                   | does not answer, is dead by the book (not just missing)          | the leg is ended; clear
//	has one                   | does not answer, and is neither; or there is no book             | it stays, and is judged again
//
// A leg that goes through a dead edge cannot be ended: what keeps the gate closed for it is taken away.
type judgement struct {
	running bool
	at      time.Time
}

// charge is a claim that is to be judged, and the key by which its owner is asked.
type charge struct {
	claim call.SiteClaim
	key   string
}

// answer is what an owner says.
type answer int

const (
	silence answer = iota
	holds
	holdsNot
)

// keyOfClaim is a claim as nodes ask each other about it.
func keyOfClaim(agent string, t call.Token) string { return t.String() + " " + agent }

// Held are those of these claims that this node holds, as their owner: another node asks, see [Peers].
func (m *Member) Held(keys []string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var held []string
	for _, key := range keys {
		token, agent, _ := strings.Cut(key, " ")
		if t, err := call.ParseToken(token); err == nil && m.holding(agent, t) {
			held = append(held, key)
		}
	}
	return held
}

// holding needs mu.
func (m *Member) holding(agent string, t call.Token) bool {
	for _, h := range m.holds {
		if h.agent == agent && h.token == t && h.lives() && !h.unsure {
			return true
		}
	}
	return false
}

// legOf reports whether a leg is that of a claim. The token alone does not tell, after a book that failed over and forgot.
func legOf(l *call.GateLeg, c call.SiteClaim) bool {
	return l != nil && l.Token == c.Token && l.Call == c.Call && l.Owner.Process() == c.Owner.Process()
}

// charges collects what is to be judged, by the owners' processes: each is asked about all of its own at once.
type charges map[string][]charge

// judge has a leg or an orphan judged, unless that is under way. It needs mu.
func (m *Member) judge(of charges, c call.SiteClaim, now time.Time) {
	key := keyOfClaim(c.Agent, c.Token)
	j := m.judged[key]
	if j == nil {
		j = &judgement{}
		m.judged[key] = j
	}
	j.at = now
	switch {
	case j.running:
	case m.self(c.Owner) && m.out.busy(c.Agent): // it is being given back, or claimed again
	case !m.self(c.Edge): // its owner may have lost the book alone, and hold it by an edge that has as well
		m.accuse(of, c, key)
	case !m.hasLeg(c):
		m.acquit(c)
	default:
		m.accuse(of, c, key)
	}
}

// accuse has the owner asked. It needs mu.
func (m *Member) accuse(of charges, c call.SiteClaim, key string) {
	if !m.self(c.Owner) {
		of[c.Owner.Process()] = append(of[c.Owner.Process()], charge{c, key})
		return
	}
	said := holdsNot
	if m.holding(c.Agent, c.Token) {
		said = holds // it is claimed again
	}
	m.sentence(charge{c, key}, said, time.Now())
}

// hasLeg reports whether the gate has a claim's leg, be it one that goes through here. It needs mu.
func (m *Member) hasLeg(c call.SiteClaim) bool {
	past, _ := m.o.Edge.Past(c.Agent)
	return legOf(past.Leg, c)
}

// acquit refuses a claim's token, and clears it: no leg of it lives. It needs mu.
func (m *Member) acquit(c call.SiteClaim) {
	m.o.Edge.Refuse(c.Agent, c.Token)
	if m.hasLeg(c) { // it came in this instant
		return
	}
	m.clear(c)
}

// clear needs mu.
func (m *Member) clear(c call.SiteClaim) {
	m.figures.cleared.Inc()
	m.out.push(m, c.Agent, deed{kind: doClear, token: c.Token})
}

const chargesAtOnce = 5000 // in one request

// prosecute asks the owners, each about all that is its own. It needs mu.
func (m *Member) prosecute(of charges) {
	known := m.known()
	for process, all := range of {
		n, is := known[process]
		switch {
		case !is: // nobody knows where to ask
			for _, c := range all {
				m.sentence(c, silence, time.Now())
			}
		case !m.questioned[process]:
			m.questioned[process] = m.start("ask an owner", func(ctx context.Context) {
				m.question(ctx, process, n.Node, all[:min(len(all), chargesAtOnce)])
			})
		}
	}
}

// question asks an owner about its claims.
func (m *Member) question(ctx context.Context, process string, n Node, all []charge) {
	keys := make([]string, 0, len(all))
	for _, c := range all {
		keys = append(keys, c.key)
	}
	defer m.under(func() { delete(m.questioned, process) })
	began := time.Now()
	limited, stop := context.WithTimeout(ctx, askWithin)
	defer stop()
	held, err := m.o.Peers.Holds(limited, n, keys)
	is := make(map[string]bool, len(held))
	for _, key := range held {
		is[key] = true
	}
	if ctx.Err() != nil {
		return
	}
	m.under(func() {
		m.heardOf(process, began, err == nil)
		for _, c := range all {
			said := holdsNot
			switch {
			case err != nil:
				said = silence
			case is[c.key]:
				said = holds
			}
			m.sentence(c, said, time.Now())
		}
	})
}

// sentence ends a leg, and clears its claim, if it is nobody's. It needs mu.
func (m *Member) sentence(x charge, said answer, now time.Time) {
	c := x.claim
	if said == holds || said == silence && !m.nobodys(c, now) {
		return
	}
	j := m.judged[x.key]
	if j == nil || j.running {
		return
	}
	if away, is := m.arrivals.closed[c.Agent]; is && legOf(&away.leg, c) && !m.self(c.Edge) {
		m.freed(c.Agent)
	}
	if !m.hasLeg(c) {
		m.acquit(c)
		return
	}
	m.o.Logger.Info("a leg at an agent's phone whose owner does not hold it is ended", zap.String("agent", c.Agent),
		zap.String("call", c.Call), zap.Stringer("token", c.Token), zap.String("owner", string(c.Owner)),
		zap.Bool("answered", said != silence))
	m.o.Edge.Refuse(c.Agent, c.Token)
	j.running = m.start("end a leg", func(ctx context.Context) {
		defer m.under(func() { j.running, j.at = false, time.Now() })
		limited, stop := context.WithTimeout(ctx, endWithin)
		defer stop()
		if err := m.o.Edge.End(limited, c.Agent, c.Token); err != nil {
			m.complain(ctx, "end an orphan's leg", err)
			return
		}
		m.under(func() { m.clear(c) })
	})
}

// nobodys reports whether a claim whose owner does not answer is nobody's: it has abandoned it, or it is dead. Without the
// book that cannot be told. It needs mu.
func (m *Member) nobodys(c call.SiteClaim, now time.Time) bool {
	if !m.whole {
		return false
	}
	at := m.view.claims[c.Agent]
	if at.Token == c.Token && at.Call == c.Call && at.Owner.Process() == c.Owner.Process() && at.Orphan {
		if _, lives := m.view.nodes[at.Owner]; lives { // that very run; another has not claimed it again yet
			return true
		}
	}
	return m.deadByBook(c.Owner.Process(), now)
}

// checkLegs: a leg at a phone here that the book does not have as a living owner's is its owner's, or nobody's. It is done
// without the book too, and does not trust that to know of orphans: it may have been emptied. It needs mu.
func (m *Member) checkLegs(of charges, now time.Time) {
	for _, l := range m.o.Edge.Legs() {
		if l.Token == (call.Token{}) || l.Agent == "" || now.Sub(l.Since) <= stale {
			continue
		}
		if c := m.view.claims[l.Agent]; m.whole && legOf(&l, c) && !c.Orphan {
			continue
		}
		m.judge(of, call.SiteClaim{
			Agent: l.Agent, Call: l.Call, Owner: l.Owner, Edge: m.node.ID, Token: l.Token, Since: l.Since,
			Rung: l.Rung, Answered: l.Answered,
		}, now)
	}
}

// checkOrphans: those whose phone's edge this node is. It needs mu, and is for a node that knows the whole.
func (m *Member) checkOrphans(of charges, now time.Time) {
	for agent := range m.view.orphans {
		c := m.view.claims[agent]
		edge := c.Edge.Process()
		switch {
		case m.self(c.Edge):
			m.judge(of, c, now)
		case !m.deadByBook(edge, now), !m.self(m.view.flows[agent].Edge), !m.arrivals.open[agent]:
		case m.testifies(edge, c, now): // its edge is dead, and the phone has come here
		case m.hungUp(c, now):
			m.judge(of, c, now)
		case now.Before(m.lastEcho(c)):
		default:
			m.judge(of, c, now)
		}
	}
	for key, j := range m.judged {
		if !j.running && now.Sub(j.at) > time.Minute {
			delete(m.judged, key)
		}
	}
}

// testifies reports whether an edge that is dead by the book says that the leg of an orphan lives there, or is only being
// asked: it may have lost the book alone. It needs mu.
func (m *Member) testifies(edge string, c call.SiteClaim, now time.Time) bool {
	if _, is := m.known()[edge]; !is {
		return false
	}
	w := m.word(edge, c.Agent, now)
	return w.counts(now) && legOf(w.leg, c) || w.answered.IsZero() && w.silent.IsZero()
}

// hungUp reports whether the owner of a talk that it has abandoned says that its phone has heard the end, or had its time to
// (see parting). It needs mu.
func (m *Member) hungUp(c call.SiteClaim, now time.Time) bool {
	if _, lives := m.view.nodes[c.Owner]; !lives || c.Answered.IsZero() {
		return false
	}
	if m.self(c.Owner) {
		own := m.owned(c.Agent)
		return own == nil || !legOf(own, c)
	}
	w := m.word(c.Owner.Process(), c.Agent, now)
	return w.counts(now) && w.answered.After(m.view.orphans[c.Agent]) && !legOf(w.leg, c)
}
