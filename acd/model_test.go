package acd_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"hotline/acd"
	"hotline/acd/model"
	"hotline/call"
)

// step is something that callers, agents and phones do, after a while. Which agent or caller is meant
// is taken modulo those for whom it makes sense then; if there is nobody, nothing is done.
type step struct {
	After time.Duration
	Do    string
	Who   int
	Queue int
	Flag  bool
	Why   call.Cause
}

var anyStep = rapid.Custom(func(t *rapid.T) step {
	return step{
		After: rapid.OneOf(
			rapid.Just(time.Duration(0)),
			rapid.Map(rapid.IntRange(1, 1999), func(ms int) time.Duration { return time.Duration(ms) * time.Millisecond }),
			rapid.Map(rapid.IntRange(1, 20), func(s int) time.Duration { return time.Duration(s) * time.Second }),
		).Draw(t, "after"),
		Do: rapid.SampledFrom([]string{
			"flow", "flow", "pause", "log", "log", "join", "join", "join", "again", "again", "want", "once", "once", "person", "leave", "move", "progress", "progress",
			"answer", "answer", "fail", "hangup", "hangup", "engage", "cross", "race",
		}).Draw(t, "do"),
		Who:   rapid.IntRange(0, 6).Draw(t, "who"),
		Queue: rapid.IntRange(0, 2).Draw(t, "queue"),
		Flag:  rapid.Bool().Draw(t, "flag"),
		Why: rapid.SampledFrom([]call.Cause{
			call.CauseBusy, call.CauseDeclined, call.CauseUnreachable, call.CauseNoAnswer, call.CauseError,
		}).Draw(t, "why"),
	}
})

func modelDesk() acd.Options {
	return acd.Options{
		Queues: []acd.Queue{
			{Name: "consult", Priority: 10, WrapUp: 3 * time.Second, AfterReject: 4 * time.Second, AfterBusy: 5 * time.Second, AfterNoAnswer: 6 * time.Second, LastAgent: acd.LastAgent{Within: time.Hour, Wait: 6 * time.Second}},
			{Name: "repair", Priority: 12, Strategy: acd.RingProgressively, Progress: 7 * time.Second, AfterReject: 7 * time.Second, Unreachable: 9 * time.Second},
			{Name: "gas", Priority: 100, Alarm: true, Strategy: acd.RingAll, WrapUp: 5 * time.Second},
		},
		Agents: []acd.Agent{
			{ID: "1", Skills: map[string]int{"consult": 1, "repair": 2}},
			{ID: "2", Skills: map[string]int{"consult": 1, "gas": 1}},
			{ID: "3", Skills: map[string]int{"repair": 1, "gas": 5}},
			{ID: "4", Skills: map[string]int{"consult": 3, "repair": 2, "gas": 2}},
		},
	}
}

// anyDesk is the desk of modelDesk with a strategy, and any ageing and widening.
func anyDesk(t *rapid.T, strategy string) acd.Options {
	o := modelDesk()
	o.Queues[0].Strategy, o.Queues[1].Strategy = strategy, strategy
	o.Ageing = rapid.SampledFrom([]time.Duration{0, time.Second, 6 * time.Second}).Draw(t, "ageing")
	if rapid.Bool().Draw(t, "widens") {
		o.Queues[0].Level = 3
		o.Queues[0].Widen = []acd.Widening{{After: 5 * time.Second, Level: 2}, {After: 9 * time.Second, Level: 1}}
		o.Queues[1].Level = 2
		o.Queues[1].Widen = []acd.Widening{{After: 7 * time.Second, Level: 1}}
	}
	return o
}

// everybody comes to work.
func everybody() (steps []step) {
	for i := range modelDesk().Agents {
		steps = append(steps, step{Do: "flow", Who: i, Flag: true})
	}
	return steps
}

// daysBeginAfter is a zone in which a day begins so long after now.
func daysBeginAfter(wait time.Duration) *time.Location {
	now := time.Now().UTC()
	midnight := now.Truncate(24 * time.Hour).Add(24 * time.Hour)
	return time.FixedZone("test", int((midnight.Sub(now) - wait).Seconds()))
}

// TestDeskAgainstModel drives the desk and the model with the same steps, and compares them after
// each one and at each deadline; in the end, all is at rest. So it is for each strategy.
func TestDeskAgainstModel(t *testing.T) {
	for _, strategy := range []string{
		acd.LongestIdle, acd.FewestCalls, acd.LeastTalk, acd.RoundRobin, acd.Linear, acd.Random, acd.Weighted,
		acd.RingAll, acd.RingProgressively,
	} {
		t.Run(strategy, func(t *testing.T) { deskAgainstModel(t, strategy) })
	}
}

func deskAgainstModel(t *testing.T, strategy string) {
	t.Helper()
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(anyStep, 1, 60).Draw(rt, "steps")
		o := anyDesk(rt, strategy)
		if rapid.Bool().Draw(rt, "all there") {
			steps = append(everybody(), steps...)
		}
		midnight := time.Duration(rapid.IntRange(1, 120).Draw(rt, "midnight")) * time.Second
		var failure error
		synctest.Test(t, func(t *testing.T) {
			o.Location = daysBeginAfter(midnight)
			r := newPair(t, o, midnight)
			failure = r.play(steps)
			r.lab.stop()
		})
		if failure != nil {
			rt.Fatal(failure)
		}
	})
}

// pair is a desk and the model of it.
type pair struct {
	lab   *lab
	model *model.Desk
	seen  int // events of the lab compared
	joins int
	rings map[string]int // by caller
}

func (p *pair) play(steps []step) error {
	p.rings = map[string]int{}
	agents := []string{"1", "2", "3", "4"}
	for i, s := range steps {
		if err := p.advance(time.Since(p.lab.start) + s.After); err != nil {
			return fmt.Errorf("before step %d %+v: %w", i, s, err)
		}
		p.do(s, agents)
		synctest.Wait()
		if err := p.compare(); err != nil {
			return fmt.Errorf("after step %d %+v: %w", i, s, err)
		}
	}
	return p.rest(agents)
}

// advance lets time pass, stopping at each deadline that the model knows of.
func (p *pair) advance(to time.Duration) error {
	for {
		next, ok := p.model.Next()
		if !ok || next > to {
			next = to
		}
		<-time.After(next - time.Since(p.lab.start))
		synctest.Wait()
		p.model.Advance(next)
		if err := p.compare(); err != nil {
			return err
		}
		if next == to {
			return nil
		}
	}
}

// pick is one of those for whom something makes sense; empty when there is nobody.
func pick(who int, all []string, sensible func(string) bool) string {
	var some []string
	for _, x := range all {
		if sensible(x) {
			some = append(some, x)
		}
	}
	if len(some) == 0 {
		return ""
	}
	return some[who%len(some)]
}

func (p *pair) do(s step, agents []string) {
	ringing := func(a string) bool { return p.model.Ringing(a) != "" }
	switch s.Do {
	case "flow":
		p.lab.center.Flow(agents[s.Who%4], s.Flag)
		p.model.Flow(agents[s.Who%4], s.Flag)
	case "pause":
		p.pause(agents[s.Who%4], s.Flag)
	case "log":
		p.log(agents[s.Who%4], s.Queue+s.Who/4*3, s.Flag) // every other one of all queues
	case "join", "again", "want", "once", "person":
		p.joins++
		ticket := call.Ticket{CallID: fmt.Sprintf("c%d", p.joins), Queue: modelDesk().Queues[s.Queue].Name, Front: s.Flag}
		if s.Do == "again" {
			busy := func(a string) bool { return p.model.Legs(a) > 0 || p.model.Ringing(a) != "" }
			p.again(&ticket, cmp.Or(pick(s.Who, agents, busy), agents[s.Who%4]))
			break
		}
		if s.Do != "join" {
			ticket.Agent = agents[s.Who%4]
		}
		if s.Do == "person" {
			ticket.Queue = ""
		}
		ticket.Once = s.Do == "once" || s.Do == "person"
		p.lab.join(ticket)
		p.model.Join(ticket.CallID, ticket.Queue, ticket.Agent, ticket.Front, ticket.Once)
	case "move":
		if a := pick(s.Who, agents, func(a string) bool { return p.model.Legs(a) > 0 }); a != "" {
			queue := modelDesk().Queues[s.Queue].Name
			p.lab.center.Moved(a, p.lab.leg(a).ID(), "moved", queue)
			p.model.Move(a, queue)
		}
	case "leave":
		if c := pick(s.Who, p.model.Waiting(), func(string) bool { return true }); c != "" {
			require.True(p.lab.t, p.lab.seats[c].Leave(call.CauseBye))
			p.model.Abandon(c)
		}
	case "call":
		p.call(s)
	case "hangup":
		if a := pick(s.Who, agents, func(a string) bool { return p.model.Legs(a) > 0 }); a != "" {
			p.lab.leg(a).End(call.Far, call.CauseBye)
			p.model.HangUp(a)
		}
	case "engage":
		if a := pick(s.Who, agents, func(a string) bool { return p.model.Legs(a) == 0 }); a != "" {
			p.lab.center.Engaged(a, p.lab.newLeg(a))
			p.model.Engage(a)
		}
	default:
		if a := pick(s.Who, agents, ringing); a != "" {
			p.phone(s, a)
		}
	}
}

// phone is what a phone does that rings.
func (p *pair) phone(s step, a string) {
	switch s.Do {
	case "progress":
		p.lab.phones.progress(a, 180)
		p.model.Progress(a)
	case "answer":
		p.lab.phones.end(a, "")
		p.model.Answer(a)
	case "fail":
		p.lab.phones.end(a, s.Why)
		p.model.Fail(a, s.Why)
	case "cross": // the caller leaves, and the phone answers all the same
		p.lab.phones.cross(a)
		c := p.model.Ringing(a)
		p.lab.seats[c].Leave(call.CauseBye)
		p.model.Abandon(c)
	case "race": // the phone answers and the caller leaves in one instant: either may win
		c := p.model.Ringing(a)
		p.lab.phones.end(a, "")
		if p.lab.seats[c].Leave(call.CauseBye) {
			p.model.Abandon(c)
		} else {
			p.model.Answer(a)
		}
	}
}

// again has a caller join who was talked to before by an agent, for the queue that remembers that.
func (p *pair) again(ticket *call.Ticket, agent string) {
	ticket.From, ticket.Queue = fmt.Sprintf("139%08d", p.joins), "consult"
	ended := time.Now()
	p.lab.center.Finished(call.Record{
		From: ticket.From, Started: ended, Ended: &ended,
		Talks: []call.TalkRecord{{Agent: agent, Queue: ticket.Queue, Ended: &ended}},
	})
	p.lab.join(*ticket)
	p.model.Join(ticket.CallID, ticket.Queue, "", ticket.Front, false)
	p.model.Prefer(agent)
}

// pause has an agent pause, or be ready; desk and model agree on whether that may be.
func (p *pair) pause(agent string, on bool) {
	do := p.lab.center.Ready
	if on {
		do = func(agent string) error { return p.lab.center.Pause(agent, "") }
	}
	err := do(agent)
	require.Equal(p.lab.t, p.model.Pause(agent, on), err == nil, "%v", err)
}

// log has an agent log in or out; a queue beyond the last means all of them.
func (p *pair) log(agent string, queue int, in bool) {
	name, do := "", p.lab.center.Logout
	if in {
		do = p.lab.center.Login
	}
	if queues := modelDesk().Queues; queue < len(queues) {
		name = queues[queue].Name
	}
	err := do(agent, name)
	require.Equal(p.lab.t, p.model.Log(agent, name, in), err == nil, "%v", err)
}

// compare takes in which phones were rung, and holds the desk against the model.
func (p *pair) compare() error {
	events := p.lab.since(p.seen)
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Compare(p.later(a), p.later(b)) })
	for _, e := range events {
		p.seen++
		words := strings.Fields(e.what)
		if words[0] == "RUNG" || words[0] == "ring" && e.at != time.Since(p.lab.start) {
			return fmt.Errorf("unexpected: %v %s", e.at, e.what)
		}
		if words[0] != "ring" {
			continue
		}
		p.rings[words[2]]++
		if err := p.model.Rang(words[1], words[2]); err != nil {
			return err
		}
	}
	if err := p.model.Settled(); err != nil {
		return err
	}
	for _, a := range p.lab.center.Agents() {
		if want := p.model.State(a.ID); a.State != want {
			return fmt.Errorf("agent %s is %s, should be %s", a.ID, a.State, want)
		}
		if rings := p.lab.phones.bell(a.ID) != nil; rings != (p.model.Ringing(a.ID) != "") {
			return fmt.Errorf("agent %s: phone rings: %t", a.ID, rings)
		}
	}
	return p.compareSeats()
}

// later is 0 for the ring of an agent whom a caller waits for, which decides before others may be rung for them.
func (p *pair) later(e event) int {
	words := strings.Fields(e.what)
	if words[0] == "ring" && p.model.Prefers(words[2], words[1]) {
		return 0
	}
	return 1
}

func (p *pair) compareSeats() error {
	waiting, queued := map[string]bool{}, 0
	for _, c := range p.model.Waiting() {
		waiting[c] = true
		if visit, _ := p.lab.seats[c].Visit(); visit.Queue != "" { // calls between people are in no queue
			queued++
		}
	}
	total := 0
	for _, q := range p.lab.center.Queues() {
		total += q.Waiting
	}
	if total != queued {
		return fmt.Errorf("%d wait, should be %d", total, queued)
	}
	for c, seat := range p.lab.seats {
		p.lab.mu.Lock()
		failed := p.lab.failed[c]
		p.lab.mu.Unlock()
		if want := p.model.Failed(c); failed != want {
			return fmt.Errorf("%s failed: %q, should be %q", c, failed, want)
		}
		visit, offers := seat.Visit()
		if err := p.compareLimits(c, visit); err != nil {
			return err
		}
		open := 0
		for _, o := range offers {
			if (o.Ended == nil) != (o.How == "") {
				return fmt.Errorf("offer of %s half ended: %+v", c, o)
			}
			if o.Ended == nil {
				open++
			}
		}
		if (visit.Left == nil) != waiting[c] || open != p.model.Offers(c) || len(offers) != p.rings[c] {
			return fmt.Errorf("%s: waits %t, %d of %d offers open after %d rings, should be %t and %d",
				c, visit.Left == nil, open, len(offers), p.rings[c], waiting[c], p.model.Offers(c))
		}
		if err := explained(seat.Decisions(), offers); err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
	}
	return nil
}

// explained holds what a seat decided against the offers made: each was decided on, in order, and everybody who
// serves the queue is accounted for.
func explained(decisions []call.Decision, offers []call.Offer) error {
	var chosen []string
	for _, d := range decisions {
		if len(d.Chosen) > len(d.Candidates)+d.More || d.Later != 0 {
			return fmt.Errorf("more were chosen than could be: %+v", d)
		}
		chosen = append(chosen, d.Chosen...)
		serving, counted := 0, len(d.Candidates)+d.More
		for _, a := range modelDesk().Agents {
			if _, ok := a.Skills[d.Queue]; ok {
				serving++
			}
		}
		for _, n := range d.Excluded {
			counted += n
		}
		if d.Rule == "direct" || d.Rule == "last-agent" || d.Rule == "overflow:too-long" && counted == 1 { // who wants one agent may wait too long too
			serving = 1
		}
		if serving != counted {
			return fmt.Errorf("%d are accounted for, should be %d: %+v", counted, serving, d)
		}
		for i, id := range d.Chosen { // no more than ten serve here, so all are named
			if i >= len(d.Candidates) || d.Candidates[i].Agent != id {
				return fmt.Errorf("chosen in another order than that of the candidates: %+v", d)
			}
		}
	}
	rung := make([]string, len(offers))
	for i, o := range offers {
		rung[i] = o.Agent
	}
	if !slices.Equal(chosen, rung) {
		return fmt.Errorf("chosen were %v, rung %v", chosen, rung)
	}
	return nil
}

// rest ends everything, and wants every agent ready and every offer ended.
func (p *pair) rest(agents []string) error {
	for _, c := range p.model.Waiting() {
		if p.model.Failed(c) != "" || p.model.Turned(c) != "" {
			continue
		}
		p.lab.seats[c].Leave(call.CauseBye)
		p.model.Abandon(c)
		synctest.Wait() // the next one may be rung at once, and leaves only then
		if err := p.compare(); err != nil {
			return fmt.Errorf("leaving: %w", err)
		}
	}
	for _, a := range agents {
		p.lab.center.Flow(a, true)
		p.model.Flow(a, true)
		p.log(a, len(modelDesk().Queues), true)
		p.pause(a, false)
		for p.model.Legs(a) > 0 {
			p.lab.leg(a).End(call.Far, call.CauseBye)
			p.model.HangUp(a)
		}
	}
	synctest.Wait()
	if err := p.compare(); err != nil {
		return fmt.Errorf("ending: %w", err)
	}
	if err := p.advance(time.Since(p.lab.start) + time.Minute); err != nil {
		return fmt.Errorf("at rest: %w", err)
	}
	for _, a := range p.lab.center.Agents() {
		if a.State != call.AgentReady {
			return fmt.Errorf("agent %s is left %s", a.ID, a.State)
		}
	}
	return nil
}
