package site

import (
	"cmp"
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// arrivals are the phones that are registered here, and which of their gates are open. It is under the member's lock.
//
//	phone  | its gate                               | left by
//	held   | waits for what the other nodes know    | all have said, see seeds: open, or closed; it goes: unknown
//	open   | admits                                 | it goes, or registers elsewhere: unknown
//	closed | is open but for a leg at another edge  | that leg is over, see checkAway: open
type arrivals struct {
	held   map[string]*arrival
	open   map[string]bool
	closed map[string]*awayLeg
	asking map[string]bool // processes, one request each
	words  map[wordKey]*word
}

// arrival is a phone that has come.
type arrival struct {
	since time.Time
	// answered and silent are the processes that have, and have not, said what they know since then.
	answered, silent map[string]bool
	past             call.GatePast
	from             string // the process that told of the leg
}

const askAtOnce = 500 // phones in one request

func newArrivals() arrivals {
	return arrivals{
		held: map[string]*arrival{}, open: map[string]bool{}, closed: map[string]*awayLeg{}, asking: map[string]bool{},
		words: map[wordKey]*word{},
	}
}

// came notes a phone that is here, and reports whether it is new.
func (a *arrivals) came(agent string, now time.Time) bool {
	if a.open[agent] || a.held[agent] != nil {
		return false
	}
	a.held[agent] = &arrival{
		since: now, answered: map[string]bool{}, silent: map[string]bool{}, past: call.GatePast{Agent: agent},
	}
	return true
}

// left notes that a phone is not here any more.
func (a *arrivals) left(agent string) {
	delete(a.held, agent)
	delete(a.open, agent)
	delete(a.closed, agent)
}

// asks asks other nodes about phones, and seeds the gates of those that are new here.
func (m *Member) asks(ctx context.Context) {
	every := time.Minute
	for wait(ctx, m.wakeAsk, every) {
		every = 100 * time.Millisecond
		m.under(func() {
			now := time.Now()
			if m.state != call.SiteJoining && !m.left {
				m.checkAway(now)
				m.seeds(now)
			}
			if len(m.arrivals.held)+len(m.arrivals.closed)+len(m.arrivals.words) == 0 {
				every = time.Minute
			}
		})
	}
}

// seeds opens the gates of which all is known, and asks the nodes of which something is not. It needs mu.
func (m *Member) seeds(now time.Time) {
	known := m.known()
	want := map[string][]string{}
	m.inquiries(now, want)
	for agent, a := range m.arrivals.held {
		if m.outdated(m.own.flows[agent]) {
			m.yield(agent)
			continue
		}
		missing := 0
		for process, n := range known {
			if a.answered[process] {
				continue
			}
			want[process] = append(want[process], agent)
			if !m.passedOver(a, process, n, now) {
				missing++
			}
		}
		switch {
		case missing == 0 && !m.joined.IsZero() && !now.Before(m.joined.Add(m.o.Deliver)):
		case m.state == call.SiteCut && now.Sub(a.since) >= m.o.Doubt:
			m.doubt("not all nodes could be asked about a phone that is new here: it is rung all the same", agent, missing)
		default:
			continue
		}
		m.seed(agent, a, now)
	}
	for process, agents := range want {
		if n, is := known[process]; is {
			m.ask(process, n.Node, agents)
		}
	}
}

// passedOver reports whether a node that has not said what it knows of a phone need not be waited for: it is dead, was asked
// all the same, since it may have lost the book alone, and what it had under way is over. It needs mu.
func (m *Member) passedOver(a *arrival, process string, n other, now time.Time) bool {
	over := n.died.Add(m.o.Deliver + flight)
	if m.state == call.SiteCut { // whether it was dead is as old as the book that was read
		over = over.Add(m.o.Rings)
	}
	return !n.died.IsZero() && a.silent[process] && !now.Before(over)
}

// doubt notes that a phone is rung though not all is known of it. It needs mu.
func (m *Member) doubt(why, agent string, silent int) {
	m.doubts++
	m.figures.doubts.Inc()
	m.o.Logger.Warn(why, zap.String("agent", agent), zap.Int("silent", silent))
}

// outdated reports whether the book has a phone at another edge that lives, to which it went later than it came here. It
// needs mu.
func (m *Member) outdated(mine call.SiteFlow) bool {
	at, has := m.view.flows[mine.Agent]
	_, lives := m.view.nodes[at.Edge]
	return m.whole && has && lives && !m.self(at.Edge) && !at.Since.Before(mine.Since)
}

// others are the nodes of other processes that live, as far as is known. It needs mu.
func (m *Member) others() map[string]Node {
	others := map[string]Node{}
	for id, n := range m.view.nodes {
		if !m.self(id) {
			others[id.Process()] = n
		}
	}
	return others
}

// seed opens a phone's gate. It needs mu.
func (m *Member) seed(agent string, a *arrival, now time.Time) {
	delete(m.arrivals.held, agent)
	m.arrivals.open[agent] = true
	if c, claimed := m.view.claims[agent]; claimed && !m.self(c.Edge) && c.Token.Compare(a.past.Highest) > 0 {
		a.past.Highest = c.Token
	}
	m.see(a.past.Highest)
	if leg := m.owned(agent); leg != nil && !m.self(leg.Edge) && (a.past.Leg == nil || nearer(*leg, *a.past.Leg)) {
		a.past.Leg, a.from = leg, m.process
	}
	if c, is := m.echo(agent, a.answered, now); is && a.past.Leg == nil {
		a.past.Leg, a.from = legAt(c, c.Edge), c.Edge.Process()
	}
	if l := a.past.Leg; l != nil {
		m.arrivals.closed[agent] = &awayLeg{leg: *l, from: a.from, since: now}
	}
	m.o.Logger.Debug("the gate of a phone that is new here is opened", zap.String("agent", agent), zap.Stringer("highest", a.past.Highest),
		zap.Bool("but for a leg elsewhere", a.past.Leg != nil), zap.String("told by", a.from))
	m.o.Edge.Seed(a.past)
	m.figures.seeded.Observe(now.Sub(a.since).Seconds())
}

// echo is the claim by which a phone that comes here may ring, or talk, through an edge that has not answered. It needs mu.
func (m *Member) echo(agent string, answered map[string]bool, now time.Time) (call.SiteClaim, bool) {
	for _, c := range []call.SiteClaim{m.view.claims[agent], m.view.echoes[agent].claim} {
		edge := c.Edge.Process()
		if c.Agent == "" || m.self(c.Edge) || answered[edge] {
			continue
		}
		if m.view.lives(edge) || now.Before(m.lastEcho(c)) {
			return c, true
		}
	}
	return call.SiteClaim{}, false
}

// ask asks a node about phones. It needs mu.
func (m *Member) ask(process string, n Node, agents []string) {
	if m.arrivals.asking[process] {
		return
	}
	agents = m.foremost(process, agents)
	now := time.Now()
	for _, agent := range agents {
		if w := m.arrivals.words[wordKey{process, agent}]; w != nil {
			w.asked = now
		}
	}
	m.arrivals.asking[process] = m.start("ask a node", func(ctx context.Context) { m.inquire(ctx, process, n, agents) })
}

// inquire asks a node about phones.
func (m *Member) inquire(ctx context.Context, process string, n Node, agents []string) {
	heard := false
	defer m.under(func() {
		delete(m.arrivals.asking, process)
		if heard { // else it panicked, and is asked again with the next look
			wake(m.wakeAsk)
		}
	})
	began := time.Now()
	limited, stop := context.WithTimeout(ctx, askWithin)
	defer stop()
	pasts, err := m.o.Peers.Yield(limited, n, agents)
	stop()
	m.under(func() {
		m.heardOf(process, began, err == nil)
		if err != nil {
			m.unanswered(process, agents, time.Now())
		}
	})
	switch {
	case err == nil && len(pasts) < len(agents):
		pause(ctx, 20*time.Millisecond) // it waits for what the book says
	case err != nil:
		m.complain(ctx, "ask node "+n.Name+": phones that are new here are not rung until it answers or is dead", err)
		wake(m.wakeAsk)
		pause(ctx, time.Second) // before it is asked again
	}
	m.under(func() {
		for _, p := range pasts {
			m.told(process, p, began)
		}
	})
	heard = true
}

// foremost are as many of these phones as one request has, those first about which a process was not silent yet. It needs mu.
func (m *Member) foremost(process string, agents []string) []string {
	asked := func(agent string) int {
		if a := m.arrivals.held[agent]; a != nil && !a.silent[process] {
			return 0
		}
		return 1
	}
	slices.SortFunc(agents, func(a, b string) int { return cmp.Or(cmp.Compare(asked(a), asked(b)), cmp.Compare(a, b)) })
	agents = slices.Compact(agents)
	return agents[:min(len(agents), askAtOnce)]
}

// told takes in what a node knows of a phone, which it was asked at an instant. It needs mu.
func (m *Member) told(process string, p call.GatePast, asked time.Time) {
	if p.Leg != nil && m.self(p.Leg.Edge) { // its owner tells of a leg through here
		if away := m.arrivals.closed[p.Agent]; away == nil || !sameLeg(away.leg, *p.Leg) {
			p.Leg = nil // the gate knows of it; else it goes this way since its edge died
		}
	}
	m.spoke(process, p.Agent, p.Leg, time.Now())
	a := m.arrivals.held[p.Agent]
	if a == nil || a.since.After(asked) {
		return // or it was about an earlier stay
	}
	a.answered[process] = true
	if p.Highest.Compare(a.past.Highest) > 0 {
		a.past.Highest = p.Highest
	}
	if p.Leg != nil && (a.past.Leg == nil || nearer(*p.Leg, *a.past.Leg)) {
		a.past.Leg, a.from = p.Leg, process
	}
}

// nearer reports whether a leg is the one to be held against the phone: the later one, and of the same one what its edge, not
// its owner, tells.
func nearer(leg, than call.GateLeg) bool {
	by := leg.Token.Compare(than.Token)
	return by > 0 || by == 0 && leg.Edge == "" && than.Edge != ""
}

// gone notes that a phone is not here any more, or is to be asked about anew. Its gate is closed, or has no phone, so it may
// forget a leg at another edge: the phone's next edge asks that one. It needs mu.
func (m *Member) gone(agent string) {
	if _, is := m.arrivals.closed[agent]; is {
		m.freed(agent)
	}
	m.arrivals.left(agent)
}

// distrust closes the gates of all phones here until the others have told of them again: they may have been elsewhere since.
// It needs mu.
func (m *Member) distrust(now time.Time) {
	m.buriedAlive = false
	for agent := range m.arrivals.open {
		m.o.Edge.Hold(agent)
		m.gone(agent)
		m.arrivals.came(agent, now)
	}
	for _, a := range m.arrivals.held { // what was told before does not count
		clear(a.answered)
		clear(a.silent)
		a.since, a.past.Leg = now, nil
	}
	wake(m.wakeAsk)
}

// Yield is what another node asks, to which phones have gone that were here ([Peers]): they are given up, and what is known
// of each is told: what their gates know, and the legs that this node owns there by whatever edge, since with the book gone
// nobody else may know of one whose edge is dead. Passed over are those that came here only just, and those that the book
// has here: who asks may be the older edge of the two. It asks again, and meanwhile the log tells who has the phone.
func (m *Member) Yield(agents []string) []call.GatePast {
	m.mu.Lock()
	defer m.mu.Unlock()
	pasts := make([]call.GatePast, 0, len(agents))
	through := map[string]bool{} // here, by dialog: of a leg that this node was told of it tells nobody
	for _, l := range m.o.Edge.Legs() {
		through[l.Dialog] = true
	}
	for _, agent := range agents {
		if a := m.arrivals.held[agent]; a != nil && time.Since(a.since) < stale {
			continue
		}
		if _, here := m.own.flows[agent]; here && m.whole && m.self(m.view.flows[agent].Edge) {
			continue
		}
		past := m.yield(agent)
		if past.Leg != nil && !through[past.Leg.Dialog] {
			past.Leg = nil // its edge tells of it, who is asked as well
		}
		if past.Leg == nil {
			past.Leg = m.owned(agent)
		}
		pasts = append(pasts, past)
	}
	return pasts
}

// yield gives a phone up. It needs mu.
func (m *Member) yield(agent string) call.GatePast {
	past := m.o.Edge.Yield(agent)
	past.Agent = agent
	m.gone(agent)
	delete(m.own.flows, agent)
	return past
}
