package acd_test

import (
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"hotline/call"
)

const (
	worldLease = 5 * time.Second
	// worldClears is after how long the edge is sure that an orphan's phone is free.
	worldClears = 2 * time.Second
)

// inOrder goes through a map in the order of its keys, so that a schedule is the same each time.
func inOrder[T any](m map[string]T) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if v, there := m[key]; there && !yield(key, v) {
				return
			}
		}
	}
}

// kill has a node die; the others learn of it when its lease is over, and its edge's phones are nowhere.
func (w *world) kill(n *worldNode) {
	n.dead, w.broken = true, true
	id := n.id
	for _, name := range w.names {
		if c := w.calls[name]; c.node == n {
			c.over = true
		}
	}
	w.at(w.now.Add(worldLease), func() {
		w.bury(id)
		w.at(w.now.Add(worldClears), func() {
			for agent, p := range inOrder(w.phones) {
				if p.node == n {
					delete(w.phones, agent)
				}
			}
			for _, c := range inOrder(w.claims) {
				if c.Owner == id {
					w.cleared(c)
				}
			}
		})
	})
	w.settle()
}

// bury declares a node dead.
func (w *world) bury(id call.NodeID) {
	for agent, f := range inOrder(w.flows) {
		if f.Edge == id {
			delete(w.flows, agent)
		}
	}
	for name, c := range inOrder(w.callers) {
		if c.Owner == id {
			delete(w.callers, name)
		}
	}
	for _, c := range inOrder(w.claims) {
		if c.Owner == id {
			c.Orphan = true
		}
	}
	w.append(call.SiteNews{Dead: []call.NodeID{id}})
}

func (w *world) cleared(c *call.SiteClaim) {
	if w.claims[c.Agent] == c {
		delete(w.claims, c.Agent)
		w.append(call.SiteNews{Cleared: []call.SiteClaim{*c}})
	}
}

// cut cuts a node off from the book, for longer than its lease.
func (w *world) cut(n *worldNode) {
	n.cut, w.broken = true, true
	id := n.id
	n.learn(call.SiteNews{Self: n.id, State: call.SiteCut})
	w.at(w.now.Add(worldLease), func() { w.bury(id) })
	w.pass(worldLease + time.Second)
}

// back has a node that was cut off take another run: it says what is so, has the claims of the legs that live, gives the
// others back, and reads the whole.
func (w *world) back(n *worldNode, phones []string) {
	n.cut = false
	n.runs++
	n.id = call.NodeID(fmt.Sprintf("%s.%d", n.id.Process(), n.runs))
	for agent, c := range inOrder(w.claims) {
		if c.Owner.Process() != n.id.Process() {
			continue
		}
		if p := w.phones[agent]; p == nil || p.node != n || p.token != c.Token {
			w.cleared(c)
			continue
		}
		c.Owner, c.Orphan = n.id, false
		w.claimed(c)
	}
	for _, agent := range phones {
		f := call.SiteFact{Flow: &call.SiteFlow{Agent: agent, Since: w.now}}
		n.stamp(&f)
		w.append(call.SiteNews{Facts: []call.SiteFact{f}})
		if p := w.phones[agent]; p != nil && p.node == n && w.claims[agent] == nil { // rung without the book
			w.n++
			p.token = call.Token{Epoch: 1, N: w.n}
			c := &call.SiteClaim{Agent: agent, Call: p.call, Owner: n.id, Edge: n.id, Token: p.token, Since: w.now}
			if p.leg != nil {
				c.Answered = p.since
			}
			w.claims[agent] = c
			w.claimed(c)
		}
	}
	for _, c := range inOrder(n.said) {
		told := *c
		f := call.SiteFact{Caller: &told}
		n.stamp(&f)
		w.append(call.SiteNews{Facts: []call.SiteFact{f}})
	}
	n.down = time.Time{}
	w.later(&n.down, func() {
		whole := call.SiteNews{Self: n.id, State: call.SiteJoined, Whole: true, Facts: w.whole()}
		n.learn(whole)
	})
	w.pass(500 * time.Millisecond)
}

// whole is the book as it is.
func (w *world) whole() (facts []call.SiteFact) {
	for _, f := range inOrder(w.flows) {
		facts = append(facts, call.SiteFact{Flow: f})
	}
	for _, c := range inOrder(w.claims) {
		told := *c
		facts = append(facts, call.SiteFact{Claim: &told})
	}
	for _, c := range inOrder(w.callers) {
		facts = append(facts, call.SiteFact{Caller: c})
	}
	for _, r := range inOrder(w.rests) {
		facts = append(facts, call.SiteFact{Rest: r})
	}
	for _, s := range inOrder(w.shifts) {
		facts = append(facts, call.SiteFact{Shift: s})
	}
	for _, p := range inOrder(w.places) {
		facts = append(facts, call.SiteFact{Place: p})
	}
	return facts
}

// at are the phones whose edge a node is.
func (r *siteRun) phonesAt(n *worldNode) (agents []string) {
	for _, a := range siteAgents {
		if i := r.home[a]; i >= 0 && r.node(i) == n {
			agents = append(agents, a)
		}
	}
	return agents
}

func (r *siteRun) alive() (nodes []*worldNode) {
	return slices.DeleteFunc(slices.Clone(r.nodes), func(n *worldNode) bool { return n.dead })
}

// doFault does a step at a living node, or a fault.
func (r *siteRun) doFault(s siteStep) {
	n := r.node(s.Node)
	switch {
	case s.Do == "kill" && !n.dead && len(r.alive()) > 1:
		for _, a := range r.phonesAt(n) {
			r.home[a] = -1
			delete(r.engage, a)
		}
		r.kill(n)
	case s.Do == "cut" && !n.dead && !n.cut:
		r.cut(n)
	case s.Do == "back" && n.cut && !n.dead:
		r.back(n, r.phonesAt(n))
	case n.dead, s.Do == "kill", s.Do == "cut", s.Do == "back":
	default:
		r.do(s)
	}
}

// finish ends all faults and has everybody be served: by agents who all work, whose phones answer and soon hang up.
func (r *siteRun) finish() error {
	for _, n := range r.alive() {
		if n.cut {
			r.back(n, r.phonesAt(n))
		}
	}
	for _, a := range siteAgents {
		if leg := r.engage[a]; leg != nil {
			delete(r.engage, a)
			leg.End(call.Far, call.CauseBye)
		}
		if i := r.home[a]; i < 0 {
			at := slices.Index(r.nodes, r.alive()[0])
			r.home[a] = at
			r.flow(r.node(at), a, true)
		}
		n := r.alive()[0]
		_ = n.sim.Do(func() error { return n.sim.Center().Login(a, "") })
		_ = n.sim.Do(func() error { return n.sim.Center().Ready(a) })
	}
	for range 150 {
		r.pass(time.Second)
		for _, a := range r.ringing() {
			if p := r.phones[a]; p != nil && p.leg == nil { // another answered
				r.answer(a)
			}
		}
		for _, a := range r.talking() {
			r.hangUp(a)
		}
	}
	r.pass(15 * time.Second)
	if left := r.waiting(); len(left) > 0 {
		return fmt.Errorf("nobody was rung for %v", left)
	}
	if len(r.claims)+len(r.phones) > 0 {
		return fmt.Errorf("claims left: %v, phones in use: %v", r.claims, r.phones)
	}
	want := ""
	for i, n := range r.alive() {
		if got := n.states(); i == 0 {
			want = got
		} else if got != want {
			return fmt.Errorf("%s shows\n%s\n%s shows\n%s", r.alive()[0].id, want, n.id, got)
		}
	}
	return nil
}

// TestSiteThroughFaults: words take their time, nodes die, are cut off and come back, at any point of anything. No phone is
// ever rung for two, none is given back while it is in use; and once the faults are over nobody is forgotten: every caller
// of a living node is served, no agent is stuck, and all desks show the same.
func TestSiteThroughFaults(t *testing.T) {
	faults, refused, lapsed := map[string]int{}, 0, 0
	defer func() {
		t.Logf("== faults %v; %d claims refused, %d claims that did not come", faults, refused, lapsed)
	}()
	drawn := rapid.Custom(func(t *rapid.T) siteStep {
		s := drawSiteStep.Draw(t, "step")
		if rapid.IntRange(0, 14).Draw(t, "fault") == 14 {
			s.Do = rapid.SampledFrom([]string{"cut", "cut", "back", "back", "kill"}).Draw(t, "do fault")
		}
		return s
	})
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.SampledFrom([]int{10, 40, 120}).Draw(rt, "length")
		steps := rapid.SliceOfN(drawn, n, n).Draw(rt, "steps")
		delays := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "delays"), 1))
		slowest := rapid.SampledFrom([]int64{1, 30, 400}).Draw(rt, "slowest")
		r := newSiteRun(t, 3, siteOptions(rapid.SampledFrom(allStrategies).Draw(rt, "strategy")))
		r.delay = func() time.Duration { return time.Duration(delays.Int64N(slowest * int64(time.Millisecond))) }
		for i, a := range siteAgents {
			r.toggle(a, i%3)
		}
		for i, s := range steps {
			r.doFault(s)
			faults[s.Do]++
			if len(r.faults) > 0 {
				rt.Fatalf("step %d %+v: %v after\n%s", i, s, r.faults, strings.Join(r.trace, "\n"))
			}
		}
		if err := r.finish(); err != nil {
			rt.Fatalf("%v %v after\n%s", err, r.faults, strings.Join(r.trace, "\n"))
		}
		if len(r.faults) > 0 {
			rt.Fatalf("%v after\n%s", r.faults, strings.Join(r.trace, "\n"))
		}
		refused += r.refused
		lapsed += r.lapsed
	})
	require.Positive(t, faults["kill"]*faults["cut"]*faults["back"]*lapsed*refused, "everything has happened")
}
