package acd_test

import (
	"cmp"
	"fmt"
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
	// Edit is what a reload changes, and Value to what.
	Edit, Value int
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

var allStrategies = []string{
	acd.LongestIdle, acd.FewestCalls, acd.LeastTalk, acd.RoundRobin, acd.Linear, acd.Random, acd.Weighted,
	acd.RingAll, acd.RingProgressively,
}

// TestDeskAgainstModel drives the desk and the model with the same steps, and compares them after
// each one and at each deadline; in the end, all is at rest. So it is for each strategy.
func TestDeskAgainstModel(t *testing.T) {
	for _, strategy := range allStrategies {
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
	// more does what p.do does not know; nil where nothing else happens. exact: every decision is held against who
	// serves the queue, which is known where nothing is reloaded and no alarm climbs.
	more  func(s step) bool
	exact bool
	// look is called after each event and at each deadline, see books; nil: nobody keeps any.
	look  func() error
	seen  int // events of the lab compared
	joins int
	rings map[string]int // by caller
	steps map[string]int // of the ladder, told of, by caller
	// over are the callers who have left, and were compared since: nothing of theirs changes any more, which rest looks at.
	over map[string]bool
	// serving is how many agents serve a queue.
	serving map[string]int
}

func (p *pair) play(steps []step) error {
	p.rings, p.over, p.steps = map[string]int{}, map[string]bool{}, map[string]int{}
	for i, s := range steps {
		if err := p.advance(time.Since(p.lab.start) + s.After); err != nil {
			return fmt.Errorf("before step %d %+v: %w", i, s, err)
		}
		p.do(s)
		synctest.Wait()
		if err := p.compare(); err != nil {
			return fmt.Errorf("after step %d %+v: %w", i, s, err)
		}
	}
	return p.rest()
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

func (p *pair) do(s step) {
	if p.more != nil && p.more(s) {
		return
	}
	agents := p.model.Agents()
	agent, queue := agents[s.Who%len(agents)], p.model.Queues()[s.Queue%len(p.model.Queues())]
	ringing := func(a string) bool { return p.model.Ringing(a) != "" }
	switch s.Do {
	case "flow":
		p.lab.center.Flow(agent, s.Flag)
		p.model.Flow(agent, s.Flag)
	case "pause":
		p.pause(agent, s.Flag)
	case "log":
		p.log(agent, []string{queue, ""}[s.Who/4%2], s.Flag)
	case "join", "again", "want", "once", "person":
		p.joins++
		ticket := call.Ticket{CallID: fmt.Sprintf("c%d", p.joins), Queue: queue, Front: s.Flag}
		if s.Do == "again" {
			busy := func(a string) bool { return p.model.Legs(a) > 0 || p.model.Ringing(a) != "" }
			p.again(&ticket, cmp.Or(pick(s.Who, agents, busy), agent))
			break
		}
		if s.Do != "join" {
			ticket.Agent = agent
		}
		if s.Do == "person" {
			ticket.Queue = ""
		}
		ticket.Once = s.Do == "once" || s.Do == "person"
		p.lab.join(ticket)
		p.model.Join(ticket.CallID, ticket.Queue, ticket.Agent, ticket.Front, ticket.Once)
	case "move":
		if a := pick(s.Who, agents, func(a string) bool { return p.model.Legs(a) > 0 }); a != "" {
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
		Talks: []call.TalkRecord{{Agent: agent, Queue: ticket.Queue, Answered: ended, Ended: &ended}},
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

// log has an agent log in to a queue, or to all of them (""), or out.
func (p *pair) log(agent, queue string, in bool) {
	do := p.lab.center.Logout
	if in {
		do = p.lab.center.Login
	}
	err := do(agent, queue)
	require.Equal(p.lab.t, p.model.Log(agent, queue, in), err == nil, "%v", err)
}
