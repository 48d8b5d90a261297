package acd_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/acd"
	"hotline/call"
)

// probe is one desk, told by the test what the other nodes say.
type probe struct {
	t     *testing.T
	sim   *acd.Sim
	said  []call.SiteFact
	given []call.SiteRest
	rings map[string]*probeRing // by agent; the newest
	rung  []string
	off   time.Duration // of the clock of the site, from the test's
}

type probeRing struct {
	request call.RingRequest
	tell    func(call.Leg, *call.RingError)
}

const (
	here  call.NodeID = "here.1"
	there call.NodeID = "there.1"
)

func newProbe(t *testing.T, o acd.Options) *probe {
	t.Helper()
	p := &probe{t: t, rings: map[string]*probeRing{}}
	o.Site = p
	o.OnPanic = func(where string, v any) { t.Errorf("%s: %v", where, v) }
	sim, err := acd.NewSim(o, p, time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	require.NoError(t, err)
	p.sim = sim
	p.learn(call.SiteNews{State: call.SiteJoined, Whole: true})
	return p
}

func (p *probe) Say(facts ...call.SiteFact) { p.said = append(p.said, facts...) }

// Order is this node's clock, off by what the test says.
func (p *probe) Order(at time.Time) int64 { return at.Add(p.off).UnixMicro() }

func (p *probe) Release(_, _ string, rest call.SiteRest) { p.given = append(p.given, rest) }

func (p *probe) Ring(r call.RingRequest, tell func(call.Leg, *call.RingError)) func(call.Cause) {
	p.rings[r.Agent] = &probeRing{r, tell}
	p.rung = append(p.rung, r.Agent+" "+r.CallID)
	return func(why call.Cause) { tell(nil, &call.RingError{Why: why}) }
}

func (p *probe) learn(n call.SiteNews) {
	n.Self = here
	if n.State == "" {
		n.State = call.SiteJoined
	}
	p.sim.Center().Learn(n)
	p.sim.Work()
}

func (p *probe) facts(facts ...call.SiteFact) { p.learn(call.SiteNews{Facts: facts}) }

// pass lets time go by, deadline by deadline.
func (p *probe) pass(d time.Duration) {
	for end := p.sim.Now().Add(d); ; {
		at, ok := p.sim.Next()
		if !ok || at.After(end) {
			at = end
		}
		p.sim.Set(at)
		p.sim.Work()
		if !p.sim.Now().Before(end) {
			return
		}
	}
}

func (p *probe) flow(agent string) {
	p.sim.Center().Flow(agent, true)
	p.sim.Work()
}

func (p *probe) join(t call.Ticket) call.Seat {
	p.t.Helper()
	if t.Entered.IsZero() {
		t.Entered = p.sim.Now()
	}
	seat, err := p.sim.Center().Join(p.t.Context(), t)
	require.NoError(p.t, err)
	p.sim.Work()
	return seat
}

// newRung is which phones were rung since it was asked last.
func (p *probe) newRung() []string {
	rung := p.rung
	p.rung = nil
	return rung
}

func (p *probe) agent(id string) call.AgentView {
	for _, a := range p.sim.Shows().Agents {
		if a.ID == id {
			return a
		}
	}
	p.t.Fatalf("no agent %s", id)
	return call.AgentView{}
}

func (p *probe) waiting(queue string) int {
	for _, q := range p.sim.Shows().Queues {
		if q.Name == queue {
			return q.Waiting
		}
	}
	return -1
}

// caller is one who waits at the other node since some time ago.
func (p *probe) caller(id, queue string, ago time.Duration) call.SiteFact {
	at := p.sim.Now().Add(-ago)
	return call.SiteFact{Caller: &call.SiteCaller{Call: id, Owner: there, Queue: queue, Entered: at, Came: at}}
}

func (p *probe) claim(agent, id string, n uint64) *call.SiteClaim {
	return &call.SiteClaim{
		Agent: agent, Call: id, Owner: there, Edge: there, Token: call.Token{Epoch: 1, N: n}, Since: p.sim.Now(),
	}
}

func (p *probe) away(agent string) call.SiteFact {
	return call.SiteFact{Flow: &call.SiteFlow{Agent: agent, Edge: there, Since: p.sim.Now()}}
}

func twoAgents() acd.Options {
	skills := map[string]int{"repair": 1}
	return acd.Options{
		Queues: []acd.Queue{{Name: "repair", WrapUp: 5 * time.Second, AutoPause: 1, Rejoin: time.Minute}},
		Agents: []acd.Agent{{ID: "8001", Skills: skills}, {ID: "8002", Skills: skills}},
	}
}
