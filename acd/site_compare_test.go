package acd_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"hotline/acd"
	"hotline/call"
)

// siteDeeds are what may happen at a site, each as often as it stands here.
var siteDeeds = []string{
	"join", "join", "join", "alarm", "direct", "once", "front", "answer", "answer", "answer", "rings", "rings",
	"refuse", "busy", "hangup", "hangup", "hangup", "leave", "flow", "flow", "move", "pause", "ready", "login", "logout",
	"end-wrap-up", "extend", "outside", "outside-ends", "place", "pass", "pass", "pass", "pass",
}

type siteStep struct {
	Do   string
	Node int
	Who  int
	What int
}

var drawSiteStep = rapid.Custom(func(t *rapid.T) siteStep {
	if rapid.IntRange(0, 15).Draw(t, "something") == 0 {
		return siteStep{Do: "nothing"} // what a failing schedule shrinks to, where a step does not matter
	}
	return siteStep{
		rapid.SampledFrom(siteDeeds).Draw(t, "do"), rapid.IntRange(0, 2).Draw(t, "node"),
		rapid.IntRange(0, 11).Draw(t, "who"), rapid.IntRange(0, 11).Draw(t, "what"),
	}
})

var siteAgents = []string{"8001", "8002", "8003", "8004", "8005", "8006"}

// siteOptions have no two delays of which one is a multiple of a step's: what happens at two nodes in the same instant has
// no order, and one desk would give it one.
func siteOptions(strategy string) acd.Options {
	o := acd.Options{
		Ageing: 5 * time.Second, NoProgress: 2*time.Second + 101, Ring: acd.Ring{On: time.Second + 13, Off: 4 * time.Second}, Ladder: acd.Ladder{Queue: "gas", AllSkilled: 4*time.Second + 31, Everyone: 9*time.Second + 211, Duty: time.Hour},
		Queues: []acd.Queue{
			{
				Name: "repair", Priority: 2, Strategy: strategy, WrapUp: 3*time.Second + 1009, WrapUpMax: 10*time.Second + 37, AutoPause: 2,
				AfterNoAnswer: 2*time.Second + 307, AfterReject: 3*time.Second + 401, Rejoin: time.Minute, Level: 2,
				Widen: []acd.Widening{{After: 6*time.Second + 17, Level: 1}},
			},
			{
				Name: "sales", Strategy: strategy, WrapUp: time.Second + 2003, AfterBusy: 2*time.Second + 503, Limits: acd.Limits{MaxWaiting: 3, TurnWhenEmpty: true, MaxWait: 40*time.Second + 23},
				LastAgent: acd.LastAgent{Within: 10 * time.Minute, Wait: 5*time.Second + 19}, Progress: 4*time.Second + 29,
			},
			{Name: "gas", Alarm: true, Priority: 10, Strategy: strategy},
		},
	}
	for i := range o.Queues {
		q := &o.Queues[i]
		q.Unreachable = 1*time.Second + 41
		q.AfterNoAnswer = max(q.AfterNoAnswer, time.Second+59)
		q.AfterReject = max(q.AfterReject, time.Second+67)
		q.AfterBusy = max(q.AfterBusy, time.Second+83)
	}
	for i, id := range siteAgents {
		skills := map[string]int{"repair": 1 + i%3, "sales": 1}
		if i%2 == 0 {
			skills["gas"] = 1 + i%4
		}
		o.Agents = append(o.Agents, acd.Agent{ID: id, Skills: skills})
	}
	return o
}

// siteRun does the steps, at the nodes that they name or all at the only one.
type siteRun struct {
	*world
	joins int
}

func newSiteRun(tb testing.TB, nodes int, o acd.Options) *siteRun {
	r := &siteRun{world: newWorld(tb, nodes, o)}
	for _, a := range siteAgents {
		r.home[a] = -1
	}
	return r
}

func (r *siteRun) node(i int) *worldNode { return r.nodes[i%len(r.nodes)] }

func (r *siteRun) waiting() (names []string) {
	for _, name := range r.names {
		if !r.calls[name].over {
			names = append(names, name)
		}
	}
	return names
}

func pickOf(all []string, who int) string {
	if len(all) == 0 {
		return ""
	}
	return all[who%len(all)]
}

func (r *siteRun) come(s siteStep, t call.Ticket) {
	r.joins++
	t.CallID = fmt.Sprintf("c%04d", r.joins)
	t.Entered = r.now
	if t.From == "" && s.What%3 > 0 {
		t.From, t.Asserted = fmt.Sprint("1380000000", s.What), true
	}
	r.join(r.node(s.Node), t)
}

func (r *siteRun) do(s siteStep) {
	r.pass(100 * time.Microsecond)
	agent := siteAgents[s.Who%len(siteAgents)]
	queue := []string{"repair", "sales"}[s.What%2]
	switch s.Do {
	case "join":
		r.come(s, call.Ticket{Queue: queue})
	case "alarm":
		r.come(s, call.Ticket{Queue: "gas", From: []string{"119", "120", ""}[s.What%3]})
	case "front":
		r.come(s, call.Ticket{Queue: queue, Front: true})
	case "direct":
		r.come(s, call.Ticket{Queue: queue, Agent: agent})
	case "once":
		r.come(s, call.Ticket{Queue: []string{"", "repair"}[s.What%2], Agent: agent, Once: true})
	case "answer":
		if a := pickOf(r.ringing(), s.Who); a != "" {
			r.answer(a)
		}
	case "rings":
		if a := pickOf(r.ringing(), s.Who); a != "" {
			r.rings(a)
		}
	case "refuse":
		if a := pickOf(r.ringing(), s.Who); a != "" {
			r.refuse(a, call.CauseDeclined)
		}
	case "busy":
		if a := pickOf(r.ringing(), s.Who); a != "" {
			r.refuse(a, call.CauseBusy)
		}
	case "hangup":
		if a := pickOf(r.talking(), s.Who); a != "" {
			r.hangUp(a)
		}
	case "leave":
		if c := pickOf(r.waiting(), s.Who); c != "" {
			r.leave(c)
		}
	case "flow":
		r.toggle(agent, s.Node)
	case "move":
		r.move(agent, s.Node)
	case "pause":
		r.act(s.Node, func(c *acd.Center) error { return c.Pause(agent, "tea") })
	case "ready":
		r.act(s.Node, func(c *acd.Center) error { return c.Ready(agent) })
	case "login":
		r.act(s.Node, func(c *acd.Center) error { return c.Login(agent, []string{"", queue}[s.What/6]) })
	case "logout":
		r.act(s.Node, func(c *acd.Center) error { return c.Logout(agent, []string{"", queue}[s.What/6]) })
	case "end-wrap-up":
		r.act(s.Node, func(c *acd.Center) error { return c.EndWrapUp(agent) })
	case "extend":
		r.act(s.Node, func(c *acd.Center) error { return c.ExtendWrapUp(agent) })
	case "outside":
		r.outside(agent)
	case "outside-ends":
		if leg := r.engage[agent]; leg != nil {
			delete(r.engage, agent)
			leg.End(call.Far, call.CauseBye)
			r.settle()
		}
	case "place":
		r.place(pickOf(r.waiting(), s.Who))
	case "pass":
		r.pass([]time.Duration{100 * time.Millisecond, time.Second, 3 * time.Second, 7 * time.Second}[s.What%4])
	}
}

// act does something about a shift, which the desk answers by its next work.
func (r *siteRun) act(node int, do func(c *acd.Center) error) {
	n := r.node(node)
	err := n.sim.Do(func() error { return do(n.sim.Center()) })
	if err != nil {
		r.line("refused: %v", err)
	}
	r.settle()
}

// toggle has a phone be registered at a node, or at none any more.
func (r *siteRun) toggle(agent string, node int) {
	if at := r.home[agent]; at >= 0 {
		r.home[agent] = -1
		r.flow(r.node(at), agent, false)
		r.drop(agent)
		return
	}
	if r.engage[agent] != nil {
		return // of a leg at another edge the gate alone knows
	}
	r.home[agent] = node
	r.flow(r.node(node), agent, true)
}

// drop ends an offer whose phone is gone; a talk goes on.
func (r *siteRun) drop(agent string) {
	if p := r.phones[agent]; p != nil && p.leg == nil {
		r.refuse(agent, call.CauseUnreachable)
	}
}

// move has a phone register at another node, which then has the old one give it up.
func (r *siteRun) move(agent string, node int) {
	at := r.home[agent]
	if at < 0 || at == node || r.engage[agent] != nil {
		return
	}
	r.home[agent] = node
	if r.node(at) == r.node(node) {
		return
	}
	r.flow(r.node(node), agent, true)
	r.flow(r.node(at), agent, false)
}

// outside has a phone dial.
func (r *siteRun) outside(agent string) {
	at := r.home[agent]
	if at < 0 || r.engage[agent] != nil || r.phones[agent] != nil {
		return
	}
	n := r.node(at)
	leg := n.sim.Leg(agent + " outside")
	r.engage[agent] = leg
	n.sim.Center().Engaged(agent, leg)
	r.settle()
}

func (r *siteRun) place(name string) {
	c := r.calls[name]
	if c == nil {
		return
	}
	c.seat.AskPlace()
	r.settle()
	select {
	case p := <-c.seat.Placed():
		r.line("%s is at place %d", name, p.Position)
	default:
	}
}

// states is what a desk shows of its agents and queues.
func (n *worldNode) states() string {
	var b strings.Builder
	shown := n.sim.Shows()
	for _, a := range shown.Agents {
		fmt.Fprintf(&b, "%s %s %s %s\n", a.ID, a.State, a.Call, a.Shift.Reason)
	}
	for _, q := range shown.Queues {
		fmt.Fprintf(&b, "%s %d waiting, %d offering, %d of %d ready\n", q.Name, q.Waiting, q.Offering, q.AgentsReady, q.AgentsServing)
	}
	return b.String()
}

// coincided reports whether an offer ran out, or was taken back since another phone answered or the caller left, in the very
// instant in which phones rang for other callers: that phones are free again their own node knows first, and which of such things comes
// first one desk decides otherwise than three.
func (w *world) coincided() bool {
	for from := 0; from < len(w.lines); {
		at, to := w.lines[from].at, from
		ended, rung, left, freed := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
		for ; to < len(w.lines) && w.lines[to].at == at; to++ {
			var what, agent, id, why string
			_, _ = fmt.Sscan(w.lines[to].what, &what, &agent, &id, &why)
			switch {
			case what == "ring":
				rung[id] = true
			case what == "cancel" && (why == "unreachable" || why == "no-answer" || why == "elsewhere"):
				ended[id] = true
			case what == "cancel":
				freed[id] = true
			case what == "left":
				left[agent] = true // the caller's name is in its place
			}
		}
		for id := range ended {
			delete(rung, id)
		}
		for id := range left {
			if freed[id] && len(rung) > 1 {
				return true
			}
		}
		if len(ended) > 1 || len(ended) == 1 && (len(rung) > 0 || w.refusedAt[at]) {
			return true
		}
		from = to
	}
	return false
}

// repeatable are the strategies by which two desks choose alike: those that draw lots do not.
var repeatable = slices.DeleteFunc(slices.Clone(allStrategies), func(s string) bool { return s == acd.Random || s == acd.Weighted })

// TestSiteIsOneHotline: with words that take no time, three nodes ring the same phones for the same callers at the same
// instants as one desk that has everything, whatever happens and at whichever of them: no claim is refused, nobody is
// expected in vain, and after each step all desks show the same.
func TestSiteIsOneHotline(t *testing.T) {
	rung, compared, coincided := 0, 0, 0
	defer func() {
		t.Logf("== %d steps compared, %d phones rung; %d runs ended by what coincided", compared, rung, coincided)
	}()
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.SampledFrom([]int{10, 40, 120}).Draw(rt, "length")
		steps := rapid.SliceOfN(drawSiteStep, n, n).Draw(rt, "steps")
		o := siteOptions(rapid.SampledFrom(repeatable).Draw(rt, "strategy"))
		alone, site := newSiteRun(t, 1, o), newSiteRun(t, 3, o)
		for i, a := range siteAgents {
			alone.toggle(a, i%3)
			site.toggle(a, i%3)
		}
		for i, s := range steps {
			alone.do(s)
			site.do(s)
			if len(site.faults)+len(alone.faults) > 0 {
				rt.Fatalf("step %d %+v: %v %v", i, s, alone.faults, site.faults)
			}
			if alone.coincided() || site.coincided() {
				coincided++
				break
			}
			compared++
			want, got := alone.log(), site.log()
			if !slices.Equal(want, got) {
				from := max(0, min(len(want), len(got))-25)
				rt.Fatalf("step %d %+v: one desk\n%s\n\nthree nodes\n%s", i, s, strings.Join(want[from:], "\n"), strings.Join(got[from:], "\n"))
			}
			for _, node := range site.nodes {
				if want, got := alone.nodes[0].states(), node.states(); want != got {
					rt.Fatalf("step %d %+v: after\n%s\none desk shows\n%s\n%s\n%s", i, s, strings.Join(site.trace, "\n"), want, node.id, got)
				}
			}
			if site.refused+site.lapsed > 0 {
				rt.Fatalf("step %d %+v: %d claims refused, %d expected in vain, after\n%s", i, s, site.refused, site.lapsed, strings.Join(site.trace, "\n"))
			}
		}
		for _, l := range site.lines {
			if strings.HasPrefix(l.what, "ring") {
				rung++
			}
		}
	})
	require.Positive(t, rung)
	require.Greater(t, compared, 50*coincided, "most is compared")
}
