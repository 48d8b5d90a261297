package acd_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"hotline/acd"
	"hotline/call"
)

// anything is every kind of step: those of a desk with limits, and what they lack.
var anything = rapid.Custom(func(t *rapid.T) step {
	if rapid.IntRange(0, 15).Draw(t, "something") == 0 {
		return step{Do: "nothing"} // what a failing schedule shrinks to, where a step does not matter
	}
	s := limitedStep.Draw(t, "step")
	if rapid.IntRange(0, 2).Draw(t, "more") == 0 {
		s.Do = rapid.SampledFrom([]string{
			"reload", "reload", "alarm", "alarm", "elsewhere", "duty", "wrap-up", "back", "crossing", "answer", "answer", "hangup",
		}).Draw(t, "do more")
		s.Edit, s.Value = rapid.IntRange(0, edits-1).Draw(t, "edit"), rapid.IntRange(0, 19).Draw(t, "value")
	}
	return s
})

// everythingDesk is a desk at which everything may happen: limits, a ladder with numbers outside, automatic pauses.
func everythingDesk() acd.Options {
	o := limitedDesk()
	o.Queues[0].AutoPause, o.Queues[0].WrapUpMax = 2, 10*time.Second
	o.Queues[1].AutoPause = 1
	o.Ladder = acd.Ladder{
		Queue: "gas", AllSkilled: 4 * time.Second, Everyone: 9 * time.Second, Duty: 14 * time.Second,
		Numbers: []string{"99001", "99002", "99003", "99004", "99005"},
	}
	return o
}

// TestEverythingAgainstModel has every kind of event happen at one desk, in any order: callers come, come back, have
// one try or want one agent, leave and race; alarms climb; agents log in and out, pause, are paused, wrap up, lose their phones,
// talk outside, are taken elsewhere; phones ring, refuse, cross; numbers outside are called; and queues, skills,
// strategies, limits and the ladder are reloaded under all of it. After each, the desk is held against the model: no
// agent in two offers or calls; no caller lost, doubled or overtaken; agents busy as long as a leg lives; every offer
// ended once; the rules of docs/adr/0010-alarm.md; a claim for who rings or talks, and for nobody else. It says how many
// steps it took; -rapid.checks=N has it take more.
func TestEverythingAgainstModel(t *testing.T) {
	events := map[string]int{}
	defer func() { t.Logf("== %d events: %v", sum(events), events) }()
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.SampledFrom([]int{10, 100, 250}).Draw(rt, "length") // left alone, rapid prefers a handful
		steps := rapid.SliceOfN(anything, n, n).Draw(rt, "steps")
		strategy := rapid.SampledFrom(allStrategies).Draw(rt, "strategy")
		if rapid.Bool().Draw(rt, "all there") {
			steps = append(everybody(), steps...)
		}
		for _, s := range steps {
			if s.Do != "nothing" {
				events[s.Do]++
			}
		}
		var failure error
		var log []string
		synctest.Test(t, func(t *testing.T) {
			o := everythingDesk()
			o.Queues[0].Strategy, o.Queues[1].Strategy = strategy, strategy
			p := newChanging(t, o)
			failure = p.play(steps)
			log = p.lab.log()
			p.lab.stop()
		})
		if failure != nil {
			rt.Fatalf("%v, after:\n%s\nby:\n%+v", failure, strings.Join(log[max(0, len(log)-60):], "\n"),
				slices.DeleteFunc(steps, func(s step) bool { return s.Do == "nothing" }))
		}
	})
}

func sum(counts map[string]int) (n int) {
	for _, k := range counts {
		n += k
	}
	return n
}

// changing is a pair whose settings change.
type changing struct {
	*pair
	o      acd.Options
	claims *taking
	// gone are the agents and queues that a reload took out, to come back by another.
	gone struct {
		agents []acd.Agent
		queues []acd.Queue
	}
}

func newChanging(t *testing.T, o acd.Options) *changing {
	t.Helper()
	c := &changing{o: o, claims: &taking{MemoryClaims: acd.NewMemoryClaims(1), elsewhere: map[string]bool{}, held: map[string]bool{}}}
	o.Claims = c.claims
	b := keepBooks(&o)
	c.pair = newPair(t, o, 0)
	c.claims.lab, b.lab = c.lab, c.lab
	c.look = b.check
	c.more = c.change
	c.gone.agents = []acd.Agent{{ID: "5", Skills: map[string]int{"sales": 1, "gas": 1}}}
	c.gone.queues = []acd.Queue{{Name: "sales", Priority: 11, WrapUp: 2 * time.Second}}
	return c
}

// play is that of a pair, and wants nothing left behind.
func (c *changing) play(steps []step) error {
	if err := c.pair.play(steps); err != nil {
		return err
	}
	if held := c.claims.all(); len(held) > 0 {
		return fmt.Errorf("still claimed: %v", held)
	}
	if left := c.lab.center.Leftovers(); len(left) > 0 {
		return fmt.Errorf("left behind: %v", left)
	}
	return nil
}

// taking are claims shared with others, who take agents too.
type taking struct {
	*acd.MemoryClaims
	lab *lab

	mu              sync.Mutex
	elsewhere, held map[string]bool
}

// Claim implements acd.Claims.
func (k *taking) Claim(agent, id string) (call.Token, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.elsewhere[agent] {
		k.lab.logf("refused %s %s", agent, id)
		return call.Token{}, false
	}
	token, ok := k.MemoryClaims.Claim(agent, id)
	if !ok {
		k.lab.logf("RUNG %s, who is claimed", agent)
	}
	k.held[agent] = true
	return token, ok
}

// Release implements acd.Claims.
func (k *taking) Release(agent string, t call.Token) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.MemoryClaims.Release(agent, t)
	delete(k.held, agent)
}

// take has an agent taken elsewhere, or given back.
func (k *taking) take(agent string, taken bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.elsewhere[agent] = taken
}

func (k *taking) all() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Collect(maps.Keys(k.held))
}

// change does what only a changing pair knows; false for all else.
func (c *changing) change(s step) bool {
	agents, queues := c.model.Agents(), c.model.Queues()
	agent, queue := agents[s.Who%len(agents)], queues[s.Queue%len(queues)]
	switch s.Do {
	case "reload":
		c.reload(s)
	case "alarm": // by one of three numbers, or by none that is shown
		c.joins++
		ticket := call.Ticket{CallID: fmt.Sprintf("c%d", c.joins), Queue: "gas", From: []string{"0", "1", "2", ""}[s.Who%4]}
		c.lab.join(ticket)
		c.model.Come(ticket.CallID, ticket.Queue, ticket.From, false, false)
	case "elsewhere":
		c.claims.take(agent, s.Flag)
	case "wrap-up":
		do, want := c.lab.center.EndWrapUp, c.model.EndWrapUp
		if s.Flag {
			do, want = c.lab.center.ExtendWrapUp, c.model.ExtendWrapUp
		}
		err := do(agent)
		require.Equal(c.lab.t, want(agent), err == nil, "%v", err)
	case "back": // a callback, with a place that was kept
		c.joins++
		name, ago := fmt.Sprintf("c%d", c.joins), time.Duration(s.Who*s.Who)*time.Second
		c.lab.join(call.Ticket{CallID: name, Queue: queue, Entered: time.Now().Add(-ago)})
		c.model.JoinSince(name, queue, "", false, false, time.Since(c.lab.start)-ago)
	case "duty":
		if number := pick(s.Who, c.model.Calling(""), func(string) bool { return true }); number != "" {
			why := s.Why
			if s.Flag {
				why = ""
			}
			c.lab.phones.end(number, why)
			c.model.DutyEnded(number, s.Flag)
		}
	case "crossing": // its answer will cross, should it be taken back
		if a := pick(s.Who, agents, func(a string) bool { return c.model.Ringing(a) != "" }); a != "" {
			c.lab.phones.cross(a)
		}
	case "engage":
		if a := pick(s.Who, agents, func(a string) bool { return c.model.Legs(a) == 0 }); a != "" {
			c.lab.phones.uncross(a)
			c.lab.center.Engaged(a, c.lab.newLeg(a))
			c.model.Engage(a)
		}
	case "nothing":
	case "rest":
		for _, a := range agents {
			c.claims.take(a, false)
		}
	default:
		return false
	}
	return true
}
