package acd_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"hotline/acd"
	"hotline/acd/model"
	"hotline/call"
)

// limitedStep is a step at a desk with limits: callers come by numbers that are known again.
var limitedStep = rapid.Custom(func(t *rapid.T) step {
	s := anyStep.Draw(t, "step")
	if s.Do == "join" || rapid.IntRange(0, 3).Draw(t, "call") == 0 {
		s.Do = "call"
	}
	return s
})

func limitedDesk() acd.Options {
	o := modelDesk()
	o.Queues[0].Limits = acd.Limits{MaxWaiting: 3, MaxWait: 25 * time.Second}
	o.Queues[0].Rejoin = 30 * time.Second
	o.Queues[1].Limits = acd.Limits{TurnWhenEmpty: true, MaxWaiting: 2}
	o.Queues[1].Rejoin = 7 * time.Second
	o.Queues[2].MaxWait = 8 * time.Second // for nobody: it is the alarm's
	return o
}

// TestLimitsAgainstModel is TestDeskAgainstModel at a desk with limits, to which callers come back: nobody is turned
// away who may stay, nobody stays who may not, and nobody is overtaken but by one in a place of before. It says how many
// steps it took; -rapid.checks=N has it take more.
func TestLimitsAgainstModel(t *testing.T) {
	events := 0
	defer func() { t.Logf("== %d events", events) }()
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.SampledFrom([]int{10, 100, 200}).Draw(rt, "length") // left alone, rapid prefers a handful
		steps := rapid.SliceOfN(limitedStep, n, n).Draw(rt, "steps")
		events += len(steps)
		var failure error
		synctest.Test(t, func(t *testing.T) {
			r := newPair(t, limitedDesk(), 0)
			failure = r.play(steps)
			r.lab.stop()
		})
		if failure != nil {
			rt.Fatal(failure)
		}
	})
}

func newPair(t *testing.T, o acd.Options, midnight time.Duration) *pair {
	t.Helper()
	o.Random = rand.New(rand.NewPCG(1, 2)) //nolint:gosec // lots that fall alike each time
	serving := map[string]int{}
	for _, a := range o.Agents {
		for queue := range a.Skills {
			serving[queue]++
		}
	}
	return &pair{
		serving: serving, exact: o.Ladder.Queue == "",
		lab: newLab(t, o),
		model: model.New(model.Options{
			Queues: o.Queues, Agents: o.Agents, Limit: 15 * time.Second, NoProgress: 2 * time.Second,
			Cycle: 5 * time.Second, Rescue: 10 * time.Second,
			Ageing: o.Ageing, Midnight: midnight, Ladder: o.Ladder,
		}),
	}
}

// call has a caller come by one of three numbers.
func (p *pair) call(s step) {
	p.joins++
	ticket := call.Ticket{
		CallID: fmt.Sprintf("c%d", p.joins), Queue: p.model.Queues()[s.Queue%len(p.model.Queues())],
		Front: s.Who == 5, Stay: s.Who == 6, From: fmt.Sprint(s.Who % 3), Asserted: true,
	}
	p.lab.join(ticket)
	p.model.Come(ticket.CallID, ticket.Queue, ticket.From, ticket.Front, ticket.Stay)
}

// compareLimits holds what became of a caller by the limits against the model.
func (p *pair) compareLimits(c string, visit call.Visit) error {
	p.lab.mu.Lock()
	turned := p.lab.turned[c]
	p.lab.mu.Unlock()
	if want := p.model.Turned(c); turned != want || visit.Overflow != want {
		return fmt.Errorf("%s turned away: %q (%q in the record), should be %q", c, turned, visit.Overflow, want)
	}
	if visit.Left == nil && visit.Rejoined != p.model.Back(c) {
		return fmt.Errorf("%s is back in a place of before: %t", c, visit.Rejoined)
	}
	return nil
}
