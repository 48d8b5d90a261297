package acd_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestSiteOrder: an agent whose claim this node has given back is matched when the log says so, or a moment later if it does
// not: matched by each node in an order of its own, two agents would be given to one caller.
func TestSiteOrder(t *testing.T) {
	free := func(state call.SiteState) *probe {
		p := newProbe(t, twoAgents())
		p.learn(call.SiteNews{State: state})
		p.flow("8001")
		seat := p.join(call.Ticket{CallID: "a", Queue: "repair"})
		require.Equal(t, []string{"8001 a"}, p.newRung())
		p.join(call.Ticket{CallID: "b", Queue: "repair"})
		require.True(t, seat.Leave(call.CauseCancel))
		p.sim.Work()
		return p
	}
	p := free(call.SiteJoined)
	require.Empty(t, p.newRung())
	require.Equal(t, call.AgentWrapUp, p.agent("8001").State)
	rest := p.given[0]
	rest.Token = call.Token{Epoch: 1, N: 1}
	p.facts(call.SiteFact{Rest: &rest})
	require.Equal(t, []string{"8001 b"}, p.newRung())

	p = free(call.SiteJoined)
	p.pass(19 * time.Millisecond)
	require.Empty(t, p.newRung())
	p.pass(time.Millisecond)
	require.Equal(t, []string{"8001 b"}, p.newRung())

	require.Equal(t, []string{"8001 b"}, free(call.SiteCut).newRung(), "nobody else matches")
}

// TestSiteUnheard: an agent is not passed over because this node cannot reach the phone's, but the caller is, for longer each
// time, so that the agents there get to callers of nodes that can. So it is where that is seen from another node.
func TestSiteUnheard(t *testing.T) {
	o := twoAgents()
	o.Queues[0].Unreachable = time.Hour
	p := newProbe(t, o)
	p.facts(p.away("8001"))
	p.join(call.Ticket{CallID: "a", Queue: "repair"})
	require.Equal(t, []string{"8001 a"}, p.newRung())
	unheard := func() {
		p.rings["8001"].tell(nil, &call.RingError{Why: call.CauseUnreachable, At: p.sim.Now(), Unsure: true})
		p.sim.Work()
		rest := p.given[len(p.given)-1]
		require.Zero(t, rest.RestUntil)
		rest.Token = call.Token{Epoch: 1, N: uint64(len(p.given))}
		p.facts(call.SiteFact{Rest: &rest})
		require.Equal(t, call.AgentReady, p.agent("8001").State)
	}
	for _, seconds := range []int{2, 4, 8, 16, 16} {
		wait := time.Duration(seconds) * time.Second
		unheard()
		p.pass(wait - time.Millisecond)
		require.Empty(t, p.newRung(), wait)
		p.pass(time.Millisecond)
		require.Equal(t, []string{"8001 a"}, p.newRung(), wait)
	}
	unheard()
	p.join(call.Ticket{CallID: "b", Queue: "repair"})
	require.Equal(t, []string{"8001 b"}, p.newRung(), "others go before")

	p = newProbe(t, o)
	p.flow("8001")
	p.facts(p.caller("x", "repair", time.Minute))
	require.Equal(t, call.AgentRinging, p.agent("8001").State, "expected for x")
	p.facts(call.SiteFact{Claim: p.claim("8001", "x", 1)})
	p.join(call.Ticket{CallID: "a", Queue: "repair"})
	orphan := p.claim("8001", "x", 1)
	orphan.Orphan = true
	p.facts(call.SiteFact{Claim: orphan})
	p.learn(call.SiteNews{Cleared: []call.SiteClaim{*orphan}})
	require.Equal(t, []string{"8001 a"}, p.newRung(), "x is first, and its node was not heard here")
}

// TestSiteUnreachable: of a phone at this very node that says nothing, the phone is at fault, as it was.
func TestSiteUnreachable(t *testing.T) {
	o := twoAgents()
	o.Queues[0].Unreachable = time.Hour
	p := newProbe(t, o)
	p.flow("8001")
	p.join(call.Ticket{CallID: "a", Queue: "repair"})
	p.rings["8001"].tell(nil, &call.RingError{Why: call.CauseUnreachable, At: p.sim.Now(), Unsure: true})
	p.sim.Work()
	require.Equal(t, p.sim.Now().Add(time.Hour), p.given[0].RestUntil)
}
