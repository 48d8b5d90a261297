package model

import (
	"fmt"
	"slices"
	"time"

	"hotline/acd"
	"hotline/call"
)

// The rules of docs/adr/0010-alarm.md, for phones that stop ringing in the instant in which they are taken back.

// The steps, as they stand in a ladder.
const (
	notYet = iota - 1
	skilled
	allSkilled
	everyone
	duty
)

// dutyFor is how long a number outside is called.
const dutyFor = time.Minute

// climb is an alarm's way up the ladder.
type climb struct {
	number string // the caller's; empty: withheld
	up     bool   // may go higher than the first step: one of each number does
	at     int
	called map[string]bool // the duty numbers that were
}

// dutyCall is a number outside being called.
type dutyCall struct {
	caller *caller
	until  time.Duration
}

// after is how long an alarm waits for a step.
func (d *Desk) after(step int) time.Duration {
	l := d.o.Ladder
	return [...]time.Duration{l.Skilled, l.AllSkilled, l.Everyone, l.Duty}[step]
}

func (d *Desk) climbs(c *caller) {
	if c.only == "" && d.o.Ladder.Queue != "" && c.queue == d.queues[d.o.Ladder.Queue] {
		c.climb = &climb{up: true, at: notYet, called: map[string]bool{}}
		d.ascend()
	}
}

// rope takes in the number that an alarm just come calls from: if another alarm of it climbs, this one does not.
func (d *Desk) rope(c *caller) {
	if c.climb == nil {
		return
	}
	c.climb.number, c.climb.up, c.climb.at = c.number, false, notYet
	c.climb.up = c.number == "" || !slices.ContainsFunc(d.callers, func(x *caller) bool {
		return x.climb != nil && x.climb.up && x.climb.number == c.number
	})
	d.ascend()
}

// descend takes an alarm off the ladder, which another of its number may climb now.
func (d *Desk) descend(c *caller) {
	if c.climb == nil {
		return
	}
	for number, o := range d.calling {
		if o.caller == c {
			delete(d.calling, number)
		}
	}
	if !c.climb.up || c.climb.number == "" {
		return
	}
	var heir *caller
	for _, x := range d.callers {
		if x.climb != nil && x.climb.number == c.climb.number && (heir == nil || goesBefore(x, heir)) {
			heir = x
		}
	}
	if heir != nil {
		heir.climb.up = true
		d.ascend()
	}
}

// ascend takes alarms as high as their waits allow.
func (d *Desk) ascend() {
	for _, c := range d.callers {
		for cl := c.climb; cl != nil && cl.at < duty && (cl.up || cl.at == notYet) && c.entered+d.after(cl.at+1) <= d.now; {
			cl.at++
		}
	}
}

// nextOfAlarms considers the deadlines of alarms.
func (d *Desk) nextOfAlarms(consider func(at time.Duration)) {
	for _, c := range d.callers {
		if c.climb != nil && c.climb.at < duty {
			consider(c.entered + d.after(c.climb.at+1))
		}
	}
	for _, o := range d.calling {
		consider(o.until)
	}
}

func (d *Desk) expireDuty() {
	for number, o := range d.calling {
		if o.until <= d.now {
			delete(d.calling, number)
		}
	}
}

// Steps are how many steps of the ladder an alarm that waits has been told of by now; 0 for all others.
func (d *Desk) Steps(name string) int {
	if c := d.caller(name); c != nil && c.climb != nil {
		return c.climb.at + 1
	}
	return 0
}

// stepOf is the first step that may ring an agent now; false if none may.
func (d *Desk) stepOf(a *agent) (step int, ok bool) {
	switch {
	case !a.flow, a.loggedOut(), len(a.legs) > 0, d.now < a.alarmRest,
		a.offer != nil && a.offer.caller.climb != nil && a.offer.caller.climb.up:
		return 0, false
	case !a.takes(d.o.Ladder.Queue):
		return everyone, true
	case a.ready(d.now):
		return skilled, true
	default:
		return allSkilled, true
	}
}

// wantsPhone reports whether another agent may be rung for an alarm.
func (d *Desk) wantsPhone(c *caller) bool {
	if c.climb.at == skilled && !c.climb.up && slices.ContainsFunc(d.callers, func(x *caller) bool {
		return x.climb != nil && x.climb.up && x.climb.at > skilled
	}) {
		return false // a lesser call to that one
	}
	return c.climb.at > skilled || c.climb.at == skilled && d.wants(c)
}

// mayAlarm reports what forbids that an agent is rung for an alarm.
func (d *Desk) mayAlarm(a *agent, c *caller) error {
	step, ok := d.stepOf(a)
	if (a.taken || d.others(c, step)) && !a.loggedOut() { // what another alarm has too many of, one without a phone may have
		if c.climb.up && len(c.offers) == 0 && (c.climb.at >= everyone || a.takes(c.queue.Name)) {
			step = skilled
		}
	}
	switch {
	case !ok || step > c.climb.at || a.offer != nil:
		return fmt.Errorf("%s was rung while %s for the alarm %s on step %d", a.ID, a.state(d.now), c.name, c.climb.at)
	case !d.wantsPhone(c):
		return fmt.Errorf("%s was rung for the alarm %s, who has phones enough", a.ID, c.name)
	default:
		return nil
	}
}

// others reports whether another alarm than this one is on a step.
func (d *Desk) others(c *caller, step int) bool {
	return slices.ContainsFunc(d.callers, func(x *caller) bool { return x != c && x.climb != nil && x.climb.up && x.climb.at >= step })
}

// TakenBack takes in that the desk took an agent's phone back from a caller, and reports what forbade it: only an alarm
// is a reason. Phones that stopped ringing for something told before are passed over.
func (d *Desk) TakenBack(id, name string) error {
	a := d.agent(id)
	if a == nil || a.offer == nil || a.offer.caller.name != name {
		return nil
	}
	from := a.offer.caller
	for _, c := range d.callers {
		needs := c.climb != nil && c.climb.up && c != from
		poorer := from.climb != nil && len(c.offers) == 0 // and from keeps one, see settleAlarms
		if needs && (c.climb.at > skilled || poorer) {
			a.offer, a.taken = nil, from.climb != nil
			d.robbed = append(d.robbed, from)
			from.offers = slices.DeleteFunc(from.offers, func(o *offer) bool { return o.agent == a })
			if from.once {
				d.lose(from, call.CauseBusy)
			}
			return nil
		}
	}
	return fmt.Errorf("%s was taken back from %s, and no alarm needs the phone", id, name)
}

// settleAlarms reports an agent whom an alarm may have and who does not ring for one; an alarm without a phone while
// another has more than one; and a duty number that should be called.
func (d *Desk) settleAlarms() error {
	if err := d.robbedOfAll(); err != nil {
		return err
	}
	for _, c := range d.callers {
		if c.climb == nil || !d.wantsPhone(c) {
			continue
		}
		for _, a := range d.agents {
			if step, ok := d.stepOf(a); ok && step <= c.climb.at {
				return fmt.Errorf("the alarm %s on step %d may have %s, who is %s", c.name, c.climb.at, a.ID, a.state(d.now))
			}
		}
		if len(c.offers) == 0 && c.climb.up {
			if err := d.poor(c); err != nil {
				return err
			}
		}
		if err := d.dutyLeft(c); err != nil {
			return err
		}
	}
	return nil
}

// robbedOfAll reports an alarm from which another took its only phone.
func (d *Desk) robbedOfAll() error {
	for _, a := range d.agents {
		a.taken = false
	}
	robbed := d.robbed
	d.robbed = nil
	for _, c := range robbed {
		if d.caller(c.name) == c && c.climb != nil && c.climb.up && len(c.offers) == 0 && !d.refused {
			return fmt.Errorf("the alarm %s lost its only phone", c.name)
		}
	}
	d.refused = false
	return nil
}

// poor reports an alarm that has more phones than it needs while another has none.
func (d *Desk) poor(c *caller) error {
	for _, rich := range d.callers {
		if rich.climb == nil || rich.climb.up && len(rich.offers) < 2 {
			continue
		}
		for _, o := range rich.offers {
			if !o.agent.loggedOut() && (c.climb.at >= everyone || o.agent.takes(d.o.Ladder.Queue)) {
				return fmt.Errorf("the alarm %s has no phone, and %s has %d", c.name, rich.name, len(rich.offers))
			}
		}
	}
	return nil
}

// dutyLeft reports a duty number that should be called for an alarm and is not.
func (d *Desk) dutyLeft(c *caller) error {
	for _, number := range d.o.Ladder.Numbers {
		if c.climb.at == duty && len(d.calling) < acd.DutyAtOnce && !c.climb.called[number] && d.calling[number] == nil {
			return fmt.Errorf("%s is not called for the alarm %s", number, c.name)
		}
	}
	return nil
}

// Dialled takes in that the desk called a number outside for an alarm, and reports what forbade it.
func (d *Desk) Dialled(number, name string) error {
	c := d.caller(name)
	switch {
	case c == nil || c.climb == nil || c.climb.at < duty || !slices.Contains(d.o.Ladder.Numbers, number):
		return fmt.Errorf("%s was called for %s, for whom it is not", number, name)
	case c.climb.called[number] || d.calling[number] != nil || len(d.calling) == acd.DutyAtOnce:
		return fmt.Errorf("%s was called for %s again, or is one too many", number, name)
	}
	c.climb.called[number] = true
	d.calling[number] = &dutyCall{caller: c, until: d.now + dutyFor}
	return nil
}

// Calling are the duty numbers being called for a caller; for all of them where name is empty.
func (d *Desk) Calling(name string) (numbers []string) {
	for number, o := range d.calling {
		if name == "" || o.caller.name == name {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// DutyEnded takes in that a number outside answered, or did not.
func (d *Desk) DutyEnded(number string, answered bool) {
	c := d.calling[number].caller
	delete(d.calling, number)
	if answered {
		d.Leave(c.name)
	}
}
