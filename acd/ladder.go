package acd

import (
	"errors"
	"fmt"
	"time"

	"hotline/call"
)

// Step is one step of an alarm's ladder. It is a metric's label.
type Step string

// The steps, in order. Each keeps what the ones before it brought.
const (
	// StepSkilled rings agents who are ready and have the skill, as the queue's strategy wants.
	StepSkilled Step = "skilled"
	// StepAllSkilled rings all who have the skill: those in wrap-up and those paused too, and those whose phones
	// ring for lesser calls, which are taken back.
	StepAllSkilled Step = "all-skilled"
	// StepEveryone rings every agent who has a flow, is not logged out of everything and not in talk, whatever their
	// skills.
	StepEveryone Step = "everyone"
	// StepDuty calls the duty numbers outside.
	StepDuty Step = "duty"
)

// Ladder is what is done for an alarm that nobody answers, by how long it has waited.
type Ladder struct {
	// Queue is where alarms wait; empty: there is no ladder.
	Queue string
	// Skilled, AllSkilled, Everyone and Duty are when the steps begin, after the alarm entered the queue; none
	// before the one above it.
	Skilled, AllSkilled, Everyone, Duty time.Duration
	// Numbers are the duty list. Each is called once for an alarm, through Options.Dialer, and no more than
	// DutyAtOnce of them at once for all alarms.
	Numbers []string
}

// DutyAtOnce is how many duty numbers are called at once.
const DutyAtOnce = 4

// AlarmStep tells that an alarm came in ([StepSkilled]), or went a step up its ladder.
type AlarmStep struct {
	At                time.Time
	Call, Queue, From string
	// Private: the caller's number is not to be shown.
	Private bool
	Step    Step
	// Waited is for how long, when the step began.
	Waited time.Duration
	// Talking are the agents in talk: they cannot be rung, and can be told.
	Talking []AgentCall
}

// AgentCall is one live leg of an agent.
type AgentCall struct {
	Agent string
	// Call is the one talked to, if it came from a queue.
	Call string
	Leg  call.LegID
}

// rung is one step of the ladder and how long an alarm waits for it.
type rung struct {
	step  Step
	after time.Duration
}

func (l *Ladder) rungs() []rung {
	return []rung{
		{StepSkilled, l.Skilled}, {StepAllSkilled, l.AllSkilled}, {StepEveryone, l.Everyone}, {StepDuty, l.Duty},
	}
}

// Where the steps stand in rungs.
const (
	notYet = iota - 1
	skilled
	allSkilled
	toEveryone
	toDuty
)

// check returns what is wrong with the ladder.
func (o *Options) checkLadder(queues map[string]bool) (problems []error) {
	if o.Ladder.Queue == "" {
		return nil
	}
	if !queues[o.Ladder.Queue] {
		problems = append(problems, fmt.Errorf("alarms: no queue %q", o.Ladder.Queue))
	}
	last := time.Duration(0)
	for _, r := range o.Ladder.rungs() {
		if r.after < last {
			problems = append(problems, fmt.Errorf("alarms: step %s comes before the one above it", r.step))
		}
		last = r.after
	}
	if len(o.Ladder.Numbers) > 0 && o.Dialer == nil {
		problems = append(problems, errors.New("alarms: duty numbers, and nobody to dial them"))
	}
	return problems
}

// ladder is the alarm queue's; nil where there is none.
type ladder struct {
	queue   *queue
	rungs   []rung
	numbers []string
	// climbing is the alarm of each number that climbs: one for each, so that nobody who calls ten times has ten
	// times the phones.
	climbing map[string]*caller
	// calling are the duty numbers being called.
	calling map[string]bool
	// booked are the agents whose phones were taken back for an alarm, and have not stopped ringing.
	booked []*agent
	// touched: something changed since phones were last shared out.
	touched bool
}

func newLadder(o *Options, byQueue map[string]*queue) *ladder {
	q, ok := byQueue[o.Ladder.Queue]
	if !ok {
		return nil
	}
	return &ladder{
		queue: q, rungs: o.Ladder.rungs(), numbers: o.Ladder.Numbers,
		climbing: map[string]*caller{}, calling: map[string]bool{},
	}
}

// touch notes that phones are to be shared out anew.
func (l *ladder) touch() {
	if l != nil {
		l.touched = true
	}
}

// climb is an alarm's way up the ladder.
type climb struct {
	// at is the step, notYet before the first.
	at int
	// up: the alarm may go higher than the first step.
	up   bool
	next alarm
	// booked is how many agents' phones were taken back for this alarm, and will ring for it next.
	booked int
	given  int // phones about to be rung for it, while they are shared out
	turn   int // the place in the order of whose turn it is
	// duty are the numbers being called, and called those that were, too.
	duty   []*dutyCall
	called map[string]bool
}

// step is the one that the alarm is on; it must not be asked before the first.
func (c *climb) step() Step { return (&Ladder{}).rungs()[c.at].step }

// climbs begins an alarm's ladder, if a caller is one: it waits in the alarm queue, and not for one agent. The
// ladder counts from when the queue was entered, so that a restart does not begin it anew.
func (d *desk) climbs(c *caller) bool {
	if d.ladder == nil || c.queue != d.ladder.queue || c.only != nil {
		return false
	}
	c.climb = &climb{at: notYet, called: map[string]bool{}}
	c.climb.next = alarm{seq: c.more.seq, fire: func() { d.ascend(c) }}
	d.rope(c)
	return true
}

// rope lets an alarm up the ladder, unless another of the same number is on it; and begins its steps.
func (d *desk) rope(c *caller) {
	number := c.number()
	other := d.ladder.climbing[number]
	if other != nil && (other.remote == nil) != (c.remote == nil) && c.goesBefore(other) {
		other.climb.up = false // each node saw another one first: the rank decides
		other = nil
	}
	if number == "" || other == nil {
		c.climb.up = true
		if number != "" {
			d.ladder.climbing[number] = c
		}
	}
	d.ascend(c)
}

// number is the caller's; empty when From is a word in its place, such as anonymous, which many callers share.
func (c *caller) number() string {
	if !isNumber(c.From) {
		return ""
	}
	return c.From
}

// ascend takes an alarm as high as its wait allows, and sets the deadline of the next step.
func (d *desk) ascend(c *caller) {
	l, cl := d.ladder, c.climb
	d.alarms.remove(&cl.next)
	for cl.at+1 < len(l.rungs) && (cl.up || cl.at == notYet) {
		begins := c.Entered.Add(l.rungs[cl.at+1].after)
		if begins.After(d.now) {
			cl.next.at = begins
			d.alarms.add(&cl.next)
			break
		}
		cl.at++
		d.tellStep(c)
	}
	l.touch()
}

// tellStep tells those who watch that an alarm's step began.
func (d *desk) tellStep(c *caller) {
	told := AlarmStep{
		At: d.now, Call: c.CallID, Queue: c.Queue, From: c.From, Private: c.Private,
		Step: d.ladder.rungs[c.climb.at].step, Waited: d.now.Sub(c.Entered),
	}
	for _, a := range d.agents {
		for _, b := range a.legs {
			told.Talking = append(told.Talking, AgentCall{Agent: a.ID, Call: b.call, Leg: b.leg.ID()})
		}
	}
	if c.remote != nil {
		d.o.OnAlarmElsewhere(told)
		return
	}
	d.o.OnAlarm(told)
}

// descend takes an alarm off the ladder, and lets the next of the same number up.
func (d *desk) descend(c *caller) {
	l := d.ladder
	d.alarms.remove(&c.climb.next)
	l.touch()
	if !c.climb.up || c.number() == "" {
		return
	}
	c.climb.up = false
	delete(l.climbing, c.number())
	var heir *caller
	for _, x := range l.queue.waiting.items {
		if x.climb != nil && x.From == c.From && (heir == nil || x.goesBefore(heir)) {
			heir = x
		}
	}
	if heir != nil {
		d.rope(heir)
	}
}

// climbing reports whether the caller is an alarm that may go up the ladder: every other call is a lesser one.
func (c *caller) climbing() bool { return c.climb != nil && c.climb.up }

// rebuild derives anew, after a panic, which phones are booked.
func (l *ladder) rebuild(agents []*agent) {
	if l == nil {
		return
	}
	l.booked, l.touched = nil, true
	for _, c := range l.queue.waiting.items {
		if c.climb != nil {
			c.climb.booked = 0
		}
	}
	for _, a := range agents {
		if a.booked != nil {
			l.booked = append(l.booked, a)
			a.booked.climb.booked++
		}
	}
}

// phones is how many agents' phones ring for an alarm, or are about to.
func (c *caller) phones() int { return len(c.offers) + c.climb.booked + c.climb.given }

// wantsPhone reports whether another agent may be rung for an alarm: as many as the strategy wants on the first
// step, and everybody from the second on.
func (c *caller) wantsPhone(now time.Time) bool {
	switch at := c.climb.at; {
	case !c.waits() || c.aside || at == notYet:
		return false
	case at == skilled:
		return c.phones() < c.fanOut(now)
	default:
		return true
	}
}
