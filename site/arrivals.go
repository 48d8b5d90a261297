package site

import (
	"context"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// arrivals are the phones that are registered here, and which of their gates are open. It is under the member's lock.
//
//	phone  | its gate                               | left by
//	held   | waits for what the other nodes know    | all that live have answered, see seeds: open; it goes: unknown
//	open   | admits                                 | it goes, or registers elsewhere: unknown
//	closed | is open but for a leg at another edge  | that leg is over: open
type arrivals struct {
	held   map[string]*arrival
	open   map[string]bool
	closed map[string]awayLeg
	asking map[string]bool // processes, one request each
}

// arrival is a phone that has come.
type arrival struct {
	since    time.Time
	answered map[string]bool // processes
	past     call.GatePast
	from     string // the process that told of the leg
}

// awayLeg is a leg through another edge of a phone that is here now.
type awayLeg struct {
	dialog  string
	token   call.Token
	process string
	since   time.Time
}

const askAtOnce = 500 // phones in one request

func newArrivals() arrivals {
	return arrivals{
		held: map[string]*arrival{}, open: map[string]bool{}, closed: map[string]awayLeg{}, asking: map[string]bool{},
	}
}

// came notes a phone that is here, and reports whether it is new.
func (a *arrivals) came(agent string, now time.Time) bool {
	if a.open[agent] || a.held[agent] != nil {
		return false
	}
	a.held[agent] = &arrival{since: now, answered: map[string]bool{}, past: call.GatePast{Agent: agent}}
	return true
}

// left notes that a phone is not here any more.
func (a *arrivals) left(agent string) {
	delete(a.held, agent)
	delete(a.open, agent)
	delete(a.closed, agent)
}

// asks seeds the gates of phones that are new here.
func (m *Member) asks(ctx context.Context) {
	every := time.Minute
	for wait(ctx, m.wakeAsk, every) {
		every = time.Minute
		m.mu.Lock()
		m.seeds(time.Now())
		if len(m.arrivals.held)+len(m.arrivals.closed) > 0 {
			every = 100 * time.Millisecond
		}
		m.mu.Unlock()
	}
}

// seeds opens the gates of which all is known, and asks the nodes of which something is not. It needs mu.
func (m *Member) seeds(now time.Time) {
	if len(m.arrivals.held) == 0 || m.state == call.SiteJoining || m.left {
		return
	}
	others := m.others()
	buried := m.buried()
	want := map[string][]string{}
	for agent, a := range m.arrivals.held {
		if m.outdated(m.own.flows[agent]) {
			m.yield(agent)
			continue
		}
		missing := 0
		for process := range others {
			if !a.answered[process] {
				missing++
				want[process] = append(want[process], agent)
			}
		}
		doubtful := m.state == call.SiteCut && now.Sub(a.since) >= m.o.Doubt
		switch {
		case missing == 0 && !now.Before(buried):
		case doubtful:
			m.doubts++
			m.figures.doubts.Inc()
			m.o.Logger.Warn("not all nodes could be asked about a phone that is new here: it is rung all the same",
				zap.String("agent", agent), zap.Int("silent", missing))
		default:
			continue
		}
		m.seed(agent, a, now)
	}
	for process, agents := range want {
		m.ask(process, others[process], agents)
	}
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

// buried is until when INVITEs may be in flight by way of a node that is dead. It needs mu.
func (m *Member) buried() (until time.Time) {
	for id, n := range m.view.past {
		_, again := m.view.process(id.Process()) // then it is asked
		if over := n.died.Add(m.o.Deliver); over.After(until) && !m.self(id) && !again {
			until = over
		}
	}
	return until
}

// seed opens a phone's gate. It needs mu.
func (m *Member) seed(agent string, a *arrival, now time.Time) {
	delete(m.arrivals.held, agent)
	m.arrivals.open[agent] = true
	if c, claimed := m.view.claims[agent]; claimed && !m.self(c.Edge) && c.Token.Compare(a.past.Highest) > 0 {
		a.past.Highest = c.Token
	}
	m.see(a.past.Highest)
	if own := m.owned(agent); own != nil && a.past.Leg == nil {
		a.past.Leg, a.from = own, m.process
	}
	if l := a.past.Leg; l != nil {
		m.arrivals.closed[agent] = awayLeg{dialog: l.Dialog, token: l.Token, process: a.from, since: now}
	}
	m.o.Edge.Seed(a.past)
	m.figures.seeded.Observe(now.Sub(a.since).Seconds())
}

// ask asks a node about phones. It needs mu.
func (m *Member) ask(process string, n Node, agents []string) {
	if m.arrivals.asking[process] {
		return
	}
	slices.Sort(agents)
	agents = agents[:min(len(agents), askAtOnce)]
	m.arrivals.asking[process] = m.start("ask a node", func(ctx context.Context) {
		limited, stop := context.WithTimeout(ctx, askWithin)
		pasts, err := m.o.Peers.Yield(limited, n, agents)
		stop()
		switch {
		case err == nil && len(pasts) < len(agents):
			pause(ctx, 20*time.Millisecond) // it waits for what the book says
		case err != nil:
			m.complain(ctx, "ask node "+n.Name+" about phones that are new here: they are not rung until it answers or is dead", err)
			pause(ctx, time.Second) // before it is asked again
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.arrivals.asking, process)
		for _, p := range pasts {
			m.told(process, p)
		}
		wake(m.wakeAsk)
	})
}

// told takes in what a node knows of a phone. It needs mu.
func (m *Member) told(process string, p call.GatePast) {
	if away, is := m.arrivals.closed[p.Agent]; is && away.process == process && (p.Leg == nil || p.Leg.Dialog != away.dialog) {
		m.freed(p.Agent)
	}
	a := m.arrivals.held[p.Agent]
	if a == nil {
		return
	}
	a.answered[process] = true
	if p.Highest.Compare(a.past.Highest) > 0 {
		a.past.Highest = p.Highest
	}
	if p.Leg != nil && (a.past.Leg == nil || a.past.Leg.Token.Compare(p.Leg.Token) < 0) {
		a.past.Leg, a.from = p.Leg, process
	}
}

// freed opens a gate that a leg at another edge kept closed. It needs mu.
func (m *Member) freed(agent string) {
	away := m.arrivals.closed[agent]
	delete(m.arrivals.closed, agent)
	m.o.Edge.Free(agent, away.dialog)
}

// gone notes that a phone is not here any more, or is to be asked about anew. Its gate is closed, or has no phone, so it may
// forget a leg at another edge: the phone's next edge asks that one. It needs mu.
func (m *Member) gone(agent string) {
	if _, is := m.arrivals.closed[agent]; is {
		m.freed(agent)
	}
	m.arrivals.left(agent)
}

// checkAway looks at legs at other edges: over when their edge says so, or is dead and the book has no such claim. It needs
// mu, and is for a node that knows the whole.
func (m *Member) checkAway(now time.Time) {
	others := m.others()
	want := map[string][]string{}
	for agent, away := range m.arrivals.closed {
		_, lives := others[away.process]
		switch {
		case away.process == m.process:
			if own := m.owned(agent); own == nil || own.Dialog != away.dialog {
				m.freed(agent)
			}
		case lives && m.self(m.view.flows[agent].Edge):
			want[away.process] = append(want[away.process], agent)
		case !lives && m.view.claims[agent].Token != away.token && now.Sub(away.since) > stale,
			!lives && away.token == (call.Token{}):
			m.freed(agent)
		}
	}
	for process, agents := range want {
		m.ask(process, others[process], agents)
	}
}

// Yield is what another node asks, to which phones have gone that were here ([Peers]): they are given up, and what is known
// of each is told: the leg that goes through here, or that this node owns there by way of another edge. Passed over are those that came here only just, and those that the book has here: who asks may be the
// older edge of the two. It asks again, and meanwhile the log tells who has the phone.
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

// nodes are the processes' ids in order, for whoever lists them.
func sortedNodes(nodes map[call.NodeID]Node) []Node {
	return slices.SortedFunc(maps.Values(nodes), func(a, b Node) int { return compareNodes(a, b) })
}
