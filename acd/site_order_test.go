package acd_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestSiteCommonOrder: callers of two nodes are served in the order of the numbers that they have at all nodes, however wrong this
// one is in turning the others' instants to its own clock.
func TestSiteCommonOrder(t *testing.T) {
	for name, first := range map[string]string{"theirs": "y", "ours": "a"} {
		t.Run(name, func(t *testing.T) {
			p := newProbe(t, twoAgents())
			p.join(call.Ticket{CallID: "a", Queue: "repair"})
			ours := p.order("a")
			require.Equal(t, p.sim.Now().UnixMicro(), ours)
			theirs := p.caller("y", "repair", 0)
			// By the instants it is the other way round.
			if theirs.Caller.Order = ours - 20; first == "y" {
				theirs.Caller.Entered = theirs.Caller.Entered.Add(50 * time.Microsecond)
			} else {
				theirs.Caller.Order = ours + 20
				theirs.Caller.Entered = theirs.Caller.Entered.Add(-50 * time.Microsecond)
			}
			p.facts(theirs)
			p.flow("8001")
			want := []string(nil) // it is their node's to ring for them
			if first == "a" {
				want = []string{"8001 a"}
			}
			require.Equal(t, want, p.newRung())
		})
	}
}

// TestSiteClockSet: our callers' numbers are told anew when the clock of the site is another, and not for what it is off from one time
// to the next; who came later is not told to have been earlier.
func TestSiteClockSet(t *testing.T) {
	p := newProbe(t, twoAgents())
	p.join(call.Ticket{CallID: "a", Queue: "repair"})
	a := p.order("a")
	p.off = -100 * time.Microsecond
	p.pass(20 * time.Microsecond)
	p.join(call.Ticket{CallID: "b", Queue: "repair"})
	require.Equal(t, a, p.order("b"))
	p.learn(call.SiteNews{State: call.SiteFading})
	p.learn(call.SiteNews{})
	require.Equal(t, a, p.order("a"))
	for name, set := range map[string]func(){
		"found when it joins":       func() { p.learn(call.SiteNews{State: call.SiteFading}); p.learn(call.SiteNews{}) },
		"found when a caller comes": func() { p.join(call.Ticket{CallID: "c", Queue: "repair"}) },
	} {
		p.off -= time.Hour
		p.said = nil
		set()
		require.Less(t, p.order("a"), a-int64(59*time.Minute/time.Microsecond), name)
		require.GreaterOrEqual(t, p.order("b"), p.order("a"), name)
		a = p.order("a")
	}
	// Another node's callers get theirs by what that node says.
	theirs := p.caller("y", "repair", time.Minute)
	theirs.Caller.Order = a + 1e6
	p.facts(theirs)
	again := *theirs.Caller
	again.Order = a - 1e6
	p.facts(call.SiteFact{Caller: &again})
	p.flow("8001")
	require.Empty(t, p.newRung(), "y is first now")
}

// order is the number that was told of a caller last.
func (p *probe) order(id string) (order int64) {
	p.t.Helper()
	for _, f := range p.said {
		if f.Caller != nil && f.Caller.Call == id {
			order = f.Caller.Order
		}
	}
	require.NotZero(p.t, order)
	return order
}

// TestSiteFactByFact: whom the log gives back first is matched first, however much of it one reading brings.
func TestSiteFactByFact(t *testing.T) {
	p := newProbe(t, twoAgents())
	p.flow("8001")
	p.flow("8002")
	p.facts(call.SiteFact{Claim: p.claim("8001", "x", 1)}, call.SiteFact{Claim: p.claim("8002", "y", 2)})
	p.join(call.Ticket{CallID: "a", Queue: "repair"})
	p.pass(time.Second)
	p.join(call.Ticket{CallID: "b", Queue: "repair"})
	p.pass(10 * time.Second)
	require.Empty(t, p.newRung())
	back := func(agent string, n uint64, idle time.Duration) call.SiteFact {
		return call.SiteFact{Rest: &call.SiteRest{
			Agent: agent, By: there, Token: call.Token{Epoch: 1, N: n}, How: "withdrawn", Idle: p.sim.Now().Add(-idle),
		}}
	}
	p.facts(back("8002", 2, 0), back("8001", 1, 5*time.Second)) // the one who is idle for longer comes second
	require.Equal(t, []string{"8002 a", "8001 b"}, p.newRung())
}
