package acd_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/acd"
	"hotline/call"
)

const redials = "13800000000"

// TestSiteRedial: a caller whose node died and who has called again before anybody was told of it is in the old place as soon
// as that is: in the order, in the record, and in what the other nodes are told.
func TestSiteRedial(t *testing.T) {
	p := newProbe(t, twoAgents())
	lost := p.caller("x", "repair", 30*time.Second)
	lost.Caller.From, lost.Caller.Asserted = redials, true
	p.facts(lost)
	p.join(call.Ticket{CallID: "y", Queue: "repair", From: "13800000001", Asserted: true})
	p.pass(10 * time.Second)
	again := p.join(call.Ticket{CallID: "x2", Queue: "repair", From: redials, Asserted: true})
	later := p.join(call.Ticket{CallID: "x3", Queue: "repair", From: redials, Asserted: true})
	p.pass(3 * time.Second)
	visit, _ := again.Visit()
	require.False(t, visit.Rejoined, "the node may live")
	select {
	case <-again.Changed():
	default:
	}
	p.said = nil
	p.learn(call.SiteNews{Dead: []call.NodeID{there}})
	require.Len(t, again.Changed(), 1, "the record is to be written")
	visit, _ = again.Visit()
	require.True(t, visit.Rejoined)
	require.Equal(t, lost.Caller.Entered, *visit.Since)
	require.Equal(t, 3*time.Second, p.sim.Now().Sub(visit.Entered), "the wait of this call")
	decisions := again.Decisions()
	require.Equal(t, "rejoin", decisions[len(decisions)-1].Rule)
	told := map[string]call.SiteFact{}
	for _, f := range p.said {
		switch {
		case f.Caller != nil:
			told["caller"] = f
		case f.Place != nil:
			told["place"] = f
		}
	}
	require.Equal(t, []any{"x2", lost.Caller.Entered, true, visit.Entered},
		[]any{told["caller"].Caller.Call, told["caller"].Caller.Entered, told["caller"].Caller.Rejoined, told["caller"].Caller.Came})
	require.True(t, told["place"].Place.Taken)
	for seat, position := range map[call.Seat]int{again: 1, later: 3} {
		seat.AskPlace()
		p.sim.Work()
		require.Equal(t, position, (<-seat.Placed()).Position)
	}
	p.flow("8001")
	p.flow("8002")
	require.Equal(t, []string{"8001 x2", "8002 y"}, p.newRung())
}

// TestSiteRedialNot: who waited before the node can have died is another of that number, and stays where they are; who calls
// again once it is dead has the place.
func TestSiteRedialNot(t *testing.T) {
	p := newProbe(t, twoAgents())
	lost := p.caller("x", "repair", 30*time.Second)
	lost.Caller.From, lost.Caller.Asserted = redials, true
	p.facts(lost)
	for _, c := range []call.Ticket{
		{CallID: "colleague", From: redials, Asserted: true},
		{CallID: "hidden", From: redials, Asserted: true, Private: true},
		{CallID: "said", From: redials},
	} {
		c.Queue = "repair"
		seat := p.join(c)
		if c.CallID == "colleague" {
			p.pass(11 * time.Second)
		}
		t.Cleanup(func() {
			visit, _ := seat.Visit()
			require.False(t, visit.Rejoined, c.CallID)
		})
	}
	p.learn(call.SiteNews{Dead: []call.NodeID{there}})
	seat := p.join(call.Ticket{CallID: "x2", Queue: "repair", From: redials, Asserted: true})
	visit, _ := seat.Visit()
	require.True(t, visit.Rejoined)
}

// TestSiteRedialRings: a phone that rings for the one who has called again rings on, and no second one does.
func TestSiteRedialRings(t *testing.T) {
	p := newProbe(t, twoAgents())
	lost := p.caller("x", "repair", 30*time.Second)
	lost.Caller.From, lost.Caller.Asserted = redials, true
	p.flow("8001")
	p.join(call.Ticket{CallID: "x2", Queue: "repair", From: redials, Asserted: true})
	require.Equal(t, []string{"8001 x2"}, p.newRung())
	p.facts(lost)
	p.learn(call.SiteNews{Dead: []call.NodeID{there}})
	p.flow("8002")
	require.Empty(t, p.newRung())
	require.Equal(t, "x2", p.agent("8001").Call)
}

// TestSiteRedialElsewhere: all desks see the caller in the old place, so that they agree on who is next; and the place is
// given once.
func TestSiteRedialElsewhere(t *testing.T) {
	o := twoAgents()
	for _, id := range []string{"8003", "8004"} {
		o.Agents = append(o.Agents, acd.Agent{ID: id, Skills: o.Agents[0].Skills})
	}
	w := newWorld(t, 3, o)
	come := func(node int, id, from string) *worldCall {
		w.pass(time.Second)
		return w.join(w.nodes[node], call.Ticket{CallID: id, Queue: "repair", From: from, Asserted: true, Entered: w.now})
	}
	come(0, "first", redials)
	come(2, "second", "13800000001")
	come(1, "third", "13800000002")
	w.kill(w.nodes[0])
	again := come(1, "first again", redials)
	w.pass(worldLease)
	visit, _ := again.seat.Visit()
	require.True(t, visit.Rejoined)
	other := come(2, "another of that number", redials)
	visit, _ = other.seat.Visit()
	require.False(t, visit.Rejoined, "the place has been taken up")
	for _, n := range w.nodes[1:] {
		require.Equal(t, 4, waitingAt(n, "repair"), n.id)
	}
	for i, want := range []string{"first again", "second", "third", "another of that number"} {
		w.flow(w.nodes[2-i%2], o.Agents[i].ID, true)
		w.pass(10 * time.Millisecond)
		require.Equal(t, want, w.phones[o.Agents[i].ID].call)
	}
	require.Zero(t, w.lapsed+w.refused, "nobody expected another")
	require.Empty(t, w.faults)
}

func waitingAt(n *worldNode, queue string) int {
	for _, q := range n.sim.Shows().Queues {
		if q.Name == queue {
			return q.Waiting
		}
	}
	return -1
}
