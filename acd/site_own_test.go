package acd_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/acd"
	"hotline/call"
)

// TestLongest: no offer lasts longer than its options say, also where the first 18x comes at the last moment: other nodes
// leave a phone alone for so long whose node has died.
func TestLongest(t *testing.T) {
	for _, o := range []acd.Options{{}, {Rings: 5, Ring: acd.Ring{On: 2 * time.Second, Off: time.Second}, NoProgress: 4 * time.Second}} {
		full := twoAgents()
		full.Rings, full.Ring, full.NoProgress = o.Rings, o.Ring, o.NoProgress
		p := newProbe(t, full)
		p.flow("8001")
		seat := p.join(call.Ticket{CallID: "a", Queue: "repair"})
		began := p.sim.Now()
		wait := 2 * time.Second
		if o.NoProgress > 0 {
			wait = o.NoProgress
		}
		p.pass(wait - time.Millisecond)
		p.rings["8001"].request.Progress(180, p.sim.Now())
		p.sim.Work()
		p.pass(began.Add(o.Longest()).Sub(p.sim.Now()) - 10*time.Millisecond)
		_, offers := seat.Visit()
		require.Empty(t, offers[0].How, "it rings yet")
		p.pass(10 * time.Millisecond)
		_, offers = seat.Visit()
		require.Equal(t, "unanswered", offers[0].How)
	}
}

// TestSiteOwnOrphan: a node that was taken for dead finds claims of its own as orphans when it is back. Of a call that is over
// here its membership gives them back, and the agent is free by that.
func TestSiteOwnOrphan(t *testing.T) {
	p := newProbe(t, twoAgents())
	p.flow("8001")
	orphan := p.claim("8001", "y", 3)
	orphan.Owner, orphan.Edge, orphan.Orphan = here, here, true
	p.learn(call.SiteNews{Whole: true, Facts: []call.SiteFact{{Claim: orphan}}})
	require.True(t, p.agent("8001").Orphan)
	p.join(call.Ticket{CallID: "a", Queue: "repair"})
	earlier := call.SiteRest{Agent: "8001", By: here, Token: call.Token{Epoch: 1, N: 2}, How: "withdrawn"}
	p.facts(call.SiteFact{Rest: &earlier})
	require.Empty(t, p.newRung(), "that was another claim")
	rest := call.SiteRest{Agent: "8001", By: here, Token: orphan.Token, How: "withdrawn"}
	p.facts(call.SiteFact{Rest: &rest})
	require.False(t, p.agent("8001").Orphan)
	require.Equal(t, []string{"8001 a"}, p.newRung())
}
