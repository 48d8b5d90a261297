package acd_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"hotline/acd"
	"hotline/call"
	"hotline/call/calltest"
)

// TestSiteTaken: a ring that another call was first to is nobody's fault. The agent is not passed over by the queue's
// delay, nothing is counted as missed, the caller keeps the place and has the next agent at once; the one taken is left
// alone until the log tells of it, or for a quarter of a second, and twice as long each time.
func TestSiteTaken(t *testing.T) {
	p := newProbe(t, twoAgents())
	p.flow("8001")
	seat := p.join(call.Ticket{CallID: "a", Queue: "repair"})
	taken := func() {
		p.rings["8001"].tell(nil, &call.RingError{Why: call.CauseTaken, At: p.sim.Now()})
		p.sim.Work()
	}
	taken()
	require.Equal(t, []string{"8001 a"}, p.newRung())
	require.Equal(t, call.AgentRinging, p.agent("8001").State, "left alone")
	p.pass(249 * time.Millisecond)
	require.Empty(t, p.newRung())
	p.pass(time.Millisecond)
	require.Equal(t, []string{"8001 a"}, p.newRung())
	taken()
	p.pass(499 * time.Millisecond)
	require.Empty(t, p.newRung())
	p.flow("8002")
	require.Equal(t, []string{"8002 a"}, p.newRung(), "the caller has whoever is free")
	p.pass(time.Minute)
	_, offers := seat.Visit()
	require.Equal(t, "taken", offers[0].How)
	require.Zero(t, offers[0].Rings)
	require.False(t, p.agent("8001").Shift.Paused, "nothing was missed")
}

// TestSiteTakenIsNoOffer: the promise clock does not begin with an offer that rang nothing.
func TestSiteTakenIsNoOffer(t *testing.T) {
	p := newProbe(t, twoAgents())
	p.flow("8001")
	seat := p.join(call.Ticket{CallID: "a", Queue: "repair"})
	p.rings["8001"].tell(nil, &call.RingError{Why: call.CauseTaken})
	p.sim.Work()
	p.pass(1100 * time.Millisecond)
	require.Len(t, p.newRung(), 2)
	require.Zero(t, seat.PromiseClock(), "the phone has rung for less than a second, and gave no sign")
	p.pass(time.Second)
	require.Equal(t, p.sim.Now().Add(-2100*time.Millisecond+1250*time.Millisecond), seat.PromiseClock())
}

// TestSiteExpects: another node's caller who is first has the agent kept for a quarter of a second; when no claim
// comes the next one has the agent, and that caller is passed over for a second.
func TestSiteExpects(t *testing.T) {
	p := newProbe(t, twoAgents())
	p.facts(p.caller("x", "repair", time.Minute))
	seat := p.join(call.Ticket{CallID: "a", Queue: "repair"})
	p.flow("8001")
	require.Equal(t, call.AgentRinging, p.agent("8001").State)
	require.Equal(t, 2, p.waiting("repair"))
	seat.AskPlace()
	p.sim.Work()
	require.Equal(t, 2, (<-seat.Placed()).Position, "behind the other node's")
	p.pass(249 * time.Millisecond)
	require.Empty(t, p.newRung())
	p.pass(time.Millisecond)
	require.Equal(t, []string{"8001 a"}, p.newRung())
	p.flow("8002")
	require.Equal(t, call.AgentReady, p.agent("8002").State, "passed over")
	p.pass(time.Second)
	require.Equal(t, call.AgentRinging, p.agent("8002").State, "expected again")
	p.facts(call.SiteFact{Claim: p.claim("8002", "x", 1)})
	p.pass(time.Second)
	v := p.agent("8002")
	require.Equal(t, []any{call.AgentRinging, "x", there}, []any{v.State, v.Call, v.Owner})
	answered := p.claim("8002", "x", 1)
	answered.Answered = p.sim.Now()
	p.facts(call.SiteFact{Claim: answered})
	require.Equal(t, call.AgentTalking, p.agent("8002").State)
	require.Equal(t, 1, p.waiting("repair"))
	rest := call.SiteRest{
		Agent: "8002", By: there, Token: answered.Token, How: "answered", Queue: "repair", Talked: 9 * time.Second,
		WrapUntil: p.sim.Now().Add(5 * time.Second), Idle: p.sim.Now().Add(5 * time.Second),
	}
	p.facts(call.SiteFact{Rest: &rest})
	require.Equal(t, call.AgentWrapUp, p.agent("8002").State)
	require.Equal(t, 1, p.agent("8002").Calls)
	require.Equal(t, 1, p.agent("8002").Today.Calls)
	p.pass(5 * time.Second)
	require.Equal(t, call.AgentReady, p.agent("8002").State)
}

// TestSiteDead: the callers of a node that died have their places kept here, its phones are gone, and an agent whom it
// had is an orphan's until that is cleared.
func TestSiteDead(t *testing.T) {
	p := newProbe(t, twoAgents())
	lost := p.caller("x", "repair", 30*time.Second)
	lost.Caller.From, lost.Caller.Asserted = "13800000000", true
	p.facts(lost, p.away("8002"))
	p.flow("8001")
	p.facts(call.SiteFact{Claim: p.claim("8001", "y", 3)})
	require.Equal(t, call.AgentRinging, p.agent("8002").State, "expected for x")
	p.learn(call.SiteNews{Dead: []call.NodeID{there}})
	require.Equal(t, call.AgentOffline, p.agent("8002").State)
	require.Zero(t, p.waiting("repair"))
	v := p.agent("8001")
	require.Equal(t, []any{call.AgentRinging, true, there}, []any{v.State, v.Orphan, v.Owner})
	p.pass(20 * time.Second)
	seat := p.join(call.Ticket{CallID: "x2", Queue: "repair", From: "13800000000", Asserted: true})
	visit, _ := seat.Visit()
	require.True(t, visit.Rejoined)
	require.Equal(t, 50*time.Second, p.sim.Now().Sub(*visit.Since))
	require.Empty(t, p.newRung())
	decisions := seat.Decisions()
	require.Equal(t, 1, decisions[len(decisions)-1].Excluded["orphan"])
	p.learn(call.SiteNews{Cleared: []call.SiteClaim{*p.claim("8001", "y", 3)}})
	require.Equal(t, []string{"8001 x2"}, p.newRung())
}

// TestSiteStates: while the lease fades no agent of another edge is rung, and nobody is turned away for that; cut off, only
// this node's agents and callers are there; and the whole brings all back.
func TestSiteStates(t *testing.T) {
	o := twoAgents()
	o.Queues[0].TurnWhenEmpty = true
	p := newProbe(t, o)
	p.facts(p.away("8002"), p.caller("x", "repair", time.Minute))
	p.facts(call.SiteFact{Claim: p.claim("8002", "x", 1)})
	require.Equal(t, there, p.agent("8002").Edge)
	p.learn(call.SiteNews{State: call.SiteFading})
	require.Equal(t, 1, p.waiting("repair"))
	p.facts(call.SiteFact{Rest: &call.SiteRest{Agent: "8002", By: there, Token: call.Token{Epoch: 1, N: 1}, How: "withdrawn"}},
		call.SiteFact{Gone: &call.SiteCallerGone{Call: "x", Owner: there, How: "abandoned", At: p.sim.Now()}})
	p.learn(call.SiteNews{State: call.SiteFading})
	seat := p.join(call.Ticket{CallID: "a", Queue: "repair"})
	require.Empty(t, p.newRung(), "of another edge")
	require.Equal(t, call.AgentOffline, p.agent("8002").State)
	require.Empty(t, seat.Turned(), "somebody serves the queue")
	p.learn(call.SiteNews{State: call.SiteCut})
	require.Equal(t, call.QueueEmpty, <-seat.Turned(), "nobody here does")
	p.flow("8001")
	p.join(call.Ticket{CallID: "b", Queue: "repair"})
	require.Equal(t, []string{"8001 b"}, p.newRung())
	p.facts() // joined, but nothing was read yet
	p.learn(call.SiteNews{Whole: true, Facts: []call.SiteFact{p.away("8002"), p.caller("z", "repair", 0)}})
	require.Equal(t, 2, p.waiting("repair"))
	require.Equal(t, call.AgentRinging, p.agent("8002").State, "expected for z")
	p.learn(call.SiteNews{Whole: true})
	require.Equal(t, 1, p.waiting("repair"))
	require.Equal(t, call.AgentOffline, p.agent("8002").State)
}

// TestSiteOffersGoOn: an offer at a phone of another edge goes on while this node is cut off from the book alone, and fails
// at once when the phone's edge dies.
func TestSiteOffersGoOn(t *testing.T) {
	p := newProbe(t, twoAgents())
	p.facts(p.away("8002"))
	seat := p.join(call.Ticket{CallID: "a", Queue: "repair"})
	p.rings["8002"].request.Progress(180, p.sim.Now())
	p.learn(call.SiteNews{State: call.SiteCut})
	p.rings["8002"].tell(p.sim.Leg("8002"), nil)
	p.sim.Work()
	require.Equal(t, "8002", (<-seat.Answered()).Agent)

	p = newProbe(t, twoAgents())
	p.facts(p.away("8002"))
	seat = p.join(call.Ticket{CallID: "a", Queue: "repair"})
	p.learn(call.SiteNews{Dead: []call.NodeID{there}})
	_, offers := seat.Visit()
	require.Equal(t, "unreachable", offers[0].How)
	require.Equal(t, "unreachable", p.given[0].How)
}

// TestSiteRegulars: who talked to a number at another node is preferred here, and a place that was taken up at one node
// is gone at all.
func TestSiteRegularsAndPlaces(t *testing.T) {
	o := twoAgents()
	o.Queues[0].LastAgent = acd.LastAgent{Within: time.Hour, Wait: 10 * time.Second}
	w := newWorld(t, 2, o)
	a, b := w.nodes[0], w.nodes[1]
	w.flow(a, "8001", true)
	w.join(a, call.Ticket{CallID: "c1", Queue: "repair", From: "13800000001", Asserted: true})
	w.answer("8001")
	w.pass(time.Second)
	w.flow(a, "8002", true)
	w.hangUp("8001")
	w.join(b, call.Ticket{CallID: "c2", Queue: "repair", From: "13800000001", Asserted: true})
	w.pass(4 * time.Second)
	require.Empty(t, w.phones, "8001 wraps up")
	w.pass(time.Second)
	require.Equal(t, []string{"8001"}, w.ringing())

	w.join(a, call.Ticket{CallID: "c3", Queue: "repair"})
	w.answer("8001")
	w.answer("8002")
	first := w.join(a, call.Ticket{CallID: "c4", Queue: "repair", From: "13800000002", Asserted: true, Entered: w.now})
	came := w.now
	w.pass(5 * time.Second)
	w.leave(first.CallID)
	again := w.join(b, call.Ticket{CallID: "c5", Queue: "repair", From: "13800000002", Asserted: true, Entered: w.now})
	visit, _ := again.seat.Visit()
	require.True(t, visit.Rejoined)
	require.Equal(t, came, *visit.Since)
	third := w.join(a, call.Ticket{CallID: "c6", Queue: "repair", From: "13800000002", Asserted: true, Entered: w.now})
	visit, _ = third.seat.Visit()
	require.False(t, visit.Rejoined, "it was taken up at the other node")
	require.Empty(t, w.faults)
}

// TestSiteApart: what is said of agents and queues that this node does not know yet is true once a reload has made them
// known, and what has ended meanwhile is not.
func TestSiteApart(t *testing.T) {
	o := twoAgents()
	p := newProbe(t, o)
	p.facts(p.caller("x", "sales", 0), p.caller("gone", "sales", 0), p.away("8003"), p.away("8004"),
		call.SiteFact{Claim: p.claim("8003", "y", 1)}, call.SiteFact{Shift: &call.Shift{Agent: "8003", Paused: true, Reason: "tea"}},
		call.SiteFact{Gone: &call.SiteCallerGone{Call: "gone", Owner: there}}, call.SiteFact{FlowGone: p.away("8004").Flow})
	require.Equal(t, -1, p.waiting("sales"))
	more := twoAgents()
	more.Queues = append(more.Queues, acd.Queue{Name: "sales"})
	more.Agents = append(more.Agents, acd.Agent{ID: "8003", Skills: map[string]int{"sales": 1}}, acd.Agent{ID: "8004"})
	reload := func(o acd.Options) {
		put, err := p.sim.Center().Reload(o)
		require.NoError(t, err)
		put()
		p.sim.Work()
	}
	reload(more)
	require.Equal(t, 1, p.waiting("sales"))
	v := p.agent("8003")
	require.Equal(t, []any{call.AgentRinging, "y", "tea"}, []any{v.State, v.Call, v.Shift.Reason})
	require.Equal(t, call.AgentOffline, p.agent("8004").State)
	reload(o)
	p.facts(call.SiteFact{Rest: &call.SiteRest{Agent: "8003", By: there, Token: call.Token{Epoch: 1, N: 1}}})
	reload(more)
	require.Equal(t, call.AgentPaused, p.agent("8003").State, "there again, and free")
}

// TestSiteFigures: a caller is counted by the metrics of one node, and a talk once by each desk's view.
func TestSiteFigures(t *testing.T) {
	registry := prometheus.NewRegistry()
	o := twoAgents()
	o.Registry = registry
	p := newProbe(t, o)
	p.facts(p.caller("x", "repair", 7*time.Second))
	p.join(call.Ticket{CallID: "a", Queue: "repair"})
	require.Equal(t, 2, p.waiting("repair"))
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP hotline_queue_waiting Callers of this node waiting now.
# TYPE hotline_queue_waiting gauge
hotline_queue_waiting{queue="repair"} 1
`), "hotline_queue_waiting"))
	p.flow("8001")
	p.facts(call.SiteFact{Claim: p.claim("8001", "x", 1)})
	p.facts(call.SiteFact{Rest: &call.SiteRest{Agent: "8001", By: there, Token: call.Token{Epoch: 1, N: 1}, How: "refused"}})
	n, err := testutil.GatherAndCount(registry, "hotline_offers_total")
	require.NoError(t, err)
	require.Zero(t, n, "its own node counts it")
}

// TestSiteAlarmElsewhere: an alarm of another node climbs here as there, and who talks here can be told of it; those who
// were to hear of a new alarm hear of it from its own node.
func TestSiteAlarmElsewhere(t *testing.T) {
	o := twoAgents()
	o.Queues = append(o.Queues, acd.Queue{Name: "gas", Alarm: true})
	o.Agents[1].Skills = map[string]int{"repair": 1, "gas": 1}
	o.Ladder = acd.Ladder{Queue: "gas", AllSkilled: time.Second, Everyone: 4 * time.Second, Duty: time.Hour}
	var told []string
	o.OnAlarm = func(s acd.AlarmStep) { t.Errorf("told of %s", s.Call) }
	o.OnAlarmElsewhere = func(s acd.AlarmStep) {
		for _, a := range s.Talking {
			told = append(told, string(s.Step)+" "+a.Agent)
		}
	}
	p := newProbe(t, o)
	p.flow("8001")
	p.join(call.Ticket{CallID: "a", Queue: "repair"})
	p.rings["8001"].tell(p.sim.Leg("8001"), nil)
	p.flow("8002")
	p.join(call.Ticket{CallID: "b", Queue: "repair"})
	require.Equal(t, []string{"8001 a", "8002 b"}, p.newRung())
	p.facts(p.caller("x", "gas", 0))
	p.pass(time.Second)
	require.Equal(t, []string{"skilled 8001", "all-skilled 8001"}, told)
	require.Equal(t, "withdrawn", p.given[0].How, "the lesser call's phone is given to the alarm")
	require.Equal(t, "x", p.agent("8002").Call, "and kept for it")
}

// TestSiteEchoes: what this desk said itself changes nothing when it comes back, and what it said is all there is to know.
func TestSiteEchoes(t *testing.T) {
	p := newProbe(t, twoAgents())
	p.flow("8001")
	p.join(call.Ticket{CallID: "a", Queue: "repair"})
	p.rings["8001"].request.Progress(180, p.sim.Now())
	p.pass(15 * time.Second)
	rest := p.given[0]
	require.Equal(t, []any{"unanswered", 1, p.sim.Now().Add(time.Second)}, []any{rest.How, rest.Missed, rest.RestUntil})
	require.True(t, p.agent("8001").Shift.Paused, "after one that was missed")
	p.said = nil
	require.NoError(t, p.sim.Do(func() error { return p.sim.Center().Ready("8001") }))
	kinds := []string{}
	for _, f := range p.said {
		switch {
		case f.Rest != nil:
			kinds = append(kinds, "rest")
			require.Zero(t, f.Rest.Missed)
			require.Zero(t, f.Rest.Token)
		case f.Shift != nil:
			kinds = append(kinds, "shift")
			require.False(t, f.Shift.Paused)
		}
	}
	require.Equal(t, []string{"rest", "shift"}, kinds)
	before := p.agent("8001")
	rest.Token = call.Token{Epoch: 1, N: 1}
	p.facts(append(slices.Clone(p.said), call.SiteFact{Rest: &rest})...)
	require.Equal(t, before, p.agent("8001"))
}

// TestSiteNone: without a site nothing that is learnt means anything.
func TestSiteNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, twoAgents())
		l.center.Learn(call.SiteNews{State: call.SiteCut, Facts: []call.SiteFact{
			{Caller: &call.SiteCaller{Call: "x", Owner: there, Queue: "repair"}},
		}})
		require.Zero(t, l.queue("repair").Waiting)
		l.stop()
	})
}

// settlingLeg knows when its phone is free.
type settlingLeg struct {
	*calltest.Leg
	settled chan struct{}
}

func (l settlingLeg) Settled() <-chan struct{} { return l.settled }

// TestSettling: an agent whose talk has ended is not free before the phone is, as its leg says, or two seconds have passed.
func TestSettling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, twoAgents())
		for _, says := range []bool{true, false} {
			leg := settlingLeg{l.newLeg("8001"), make(chan struct{})}
			l.center.Flow("8001", true)
			l.center.Engaged("8001", leg)
			synctest.Wait()
			leg.End(call.Far, call.CauseBye)
			<-time.After(1999 * time.Millisecond)
			synctest.Wait()
			require.Equal(t, call.AgentTalking, l.state("8001"))
			if says {
				close(leg.settled)
			} else {
				<-time.After(time.Millisecond)
			}
			synctest.Wait()
			require.Equal(t, call.AgentReady, l.state("8001"))
		}
		l.stop()
	})
}
