package model

import (
	"fmt"
	"slices"
	"time"

	"hotline/acd"
	"hotline/call"
)

// Flow takes in that an agent's flow came up or was lost.
func (d *Desk) Flow(id string, up bool) {
	a := d.agent(id)
	if a == nil || a.flow == up || up && a.removed {
		return
	}
	a.flow = up
	if up {
		a.free = max(d.now, a.wrapUntil)
	} else if a.offer != nil {
		d.fail(a, call.CauseUnreachable)
	}
}

// Pause takes in that an agent paused or took up work again. It reports false when the desk has to refuse that.
func (d *Desk) Pause(id string, on bool) bool {
	a := d.agent(id)
	if a.loggedOut() {
		return false
	}
	a.paused = on
	if !on {
		a.missed = 0
	}
	return true
}

// Log takes in that an agent logged in to the queues served, or out of them: one, or all (""). It reports false
// when the desk has to refuse that.
func (d *Desk) Log(id, queue string, in bool) bool {
	a := d.agent(id)
	if a.slots[queue] == nil && (queue != "" || len(a.slots) == 0) {
		return false
	}
	changed := false
	if in && a.loggedOut() { // the shift begins anew
		a.free, a.paused = max(d.now, a.wrapUntil), false
	}
	for name, s := range a.slots {
		if queue == "" || queue == name {
			changed = changed || s.out == in
			s.out = !in
		}
	}
	if in || a.loggedOut() {
		a.missed = 0
	}
	if a.loggedOut() && (in || changed) {
		a.paused = false
	}
	return in || changed
}

// Engage takes in a leg of an agent's that did not come from a queue.
func (d *Desk) Engage(id string) {
	a := d.agent(id)
	a.legs = append(a.legs, &leg{since: d.now})
	a.missed = 0
	if a.offer != nil {
		d.fail(a, call.CauseBusy)
	}
}

// HangUp takes in that an agent's newest leg ended.
func (d *Desk) HangUp(id string) {
	a := d.agent(id)
	last := len(a.legs) - 1
	l := a.legs[last]
	a.legs = a.legs[:last]
	if q := l.queue; q != nil {
		d.talked(a, l)
		a.wrapUntil = max(a.wrapUntil, d.now+q.WrapUp)
		a.free = a.wrapUntil
		a.last = lastTalk{queue: q, ended: d.now}
	}
}

// Join takes in a caller; once is one who has a single try at the agent wanted.
func (d *Desk) Join(name, queue, only string, front, once bool) {
	d.JoinSince(name, queue, only, front, once, d.now)
}

// JoinSince is Join of a caller who entered at some instant before: a place that was kept.
func (d *Desk) JoinSince(name, queue, only string, front, once bool, entered time.Duration) {
	if only != "" && d.agent(only).removed {
		d.failed[name] = call.CauseUnreachable
		return
	}
	c := &caller{
		name: name, queue: d.queues[queue], only: only, front: front, once: once, entered: entered, clock: -1,
		limits: limits{came: entered, fresh: true},
	}
	d.callers = append(d.callers, c)
	d.place(c)
	d.climbs(c)
	d.grow()
}

// Prefer takes in that the caller who joined last was talked to by an agent before.
func (d *Desk) Prefer(id string) {
	c := d.callers[len(d.callers)-1]
	if d.retired[c.queue.Name] { // which remembers nobody
		return
	}
	c.regular, c.patience = d.agent(id), d.now+c.queue.LastAgent.Wait
	d.settleRegulars()
}

// Prefers reports whether a caller waits for this agent, who talked to them before. The phones that the desk rings
// in one instant have no order; such an agent's is to be told to Rang before those of others for the same caller.
func (d *Desk) Prefers(name, agent string) bool {
	c := d.caller(name)
	return c != nil && c.regular != nil && c.regular.ID == agent
}

// WaitsForAnother reports whether a caller waits for an agent who talked to them before, and who is not this one.
func (d *Desk) WaitsForAnother(name, agent string) bool {
	c := d.caller(name)
	return c != nil && c.regular != nil && c.regular.ID != agent
}

// Move takes in that an agent's newest leg talks for a queue's call now.
func (d *Desk) Move(id, queue string) {
	a := d.agent(id)
	l := a.legs[len(a.legs)-1]
	d.talked(a, l)
	l.queue = d.talkOf(d.queues[queue])
}

// talkOf is the queue whose talk a leg is: a call between two people is no queue's.
func (d *Desk) talkOf(q *acd.Queue) *acd.Queue {
	if q == d.queues[""] {
		return nil
	}
	return q
}

// Leave takes in that a caller left: nobody rings for it any more.
func (d *Desk) Leave(name string) {
	c := d.caller(name)
	d.drop(c)
	for _, o := range c.offers {
		o.agent.offer = nil
	}
}

// drop takes a caller out of those who wait.
func (d *Desk) drop(c *caller) {
	d.callers = slices.DeleteFunc(d.callers, func(x *caller) bool { return x == c })
	d.descend(c)
}

// Progress takes in an 18x of an agent's phone.
func (d *Desk) Progress(id string) {
	if o := d.agent(id).offer; o != nil && !o.rung {
		o.rung, o.deadline = true, d.now+d.o.Limit
		if c := o.caller; o.sent == c.first {
			c.clock = min(c.clock, d.now)
		}
	}
}

// Answer takes in that an agent's phone answered.
func (d *Desk) Answer(id string) {
	a := d.agent(id)
	c := a.offer.caller
	a.legs = append(a.legs, &leg{queue: d.talkOf(c.queue), since: d.now})
	a.missed = 0
	if s := a.slots[c.queue.Name]; s != nil {
		s.answered++
	}
	d.Leave(c.name)
}

// Fail takes in that an agent's phone refused, was busy, or could not be reached.
func (d *Desk) Fail(id string, why call.Cause) { d.fail(d.agent(id), why) }

func (d *Desk) fail(a *agent, why call.Cause) {
	o := a.offer
	a.offer = nil
	o.caller.offers = slices.DeleteFunc(o.caller.offers, func(x *offer) bool { return x == o })
	rest := d.now + max(time.Second, delay(o.caller.queue, why))
	a.restUntil = max(a.restUntil, rest)
	if o.caller.climb != nil {
		a.alarmRest = rest
	}
	switch why { //nolint:exhaustive // nothing else says whether somebody is there
	case call.CauseNoAnswer:
		a.leftUnanswered(o.caller.queue.AutoPause)
	case call.CauseDeclined:
		a.missed = 0
	}
	if o.caller.once {
		d.lose(o.caller, why)
	}
}

// settleOnce fails those who have a single try and were not rung now, and reports one who should have been.
func (d *Desk) settleOnce() error {
	for _, c := range slices.Clone(d.callers) {
		if !c.once || len(c.offers) > 0 {
			continue
		}
		for _, o := range d.rang {
			if c.only == o.agent.ID && !o.early && goesBefore(c, o.caller) {
				return fmt.Errorf("%s was rung for %s before %s", o.agent.ID, o.caller.name, c.name)
			}
		}
		switch a := d.agent(c.only); {
		case !a.flow:
			d.lose(c, call.CauseUnreachable)
		case a.callable():
			return fmt.Errorf("%s was not rung for %s, who has one try", a.ID, c.name)
		default:
			d.lose(c, call.CauseBusy)
		}
	}
	return nil
}

// lose takes out a caller whose one try came to nothing.
func (d *Desk) lose(c *caller, why call.Cause) {
	if !slices.Contains(countedCauses, why) {
		why = call.CauseUnreachable
	}
	d.failed[c.name] = why
	d.drop(c)
}

// countedCauses are those with which an offer fails; every other counts as unreachable.
var countedCauses = []call.Cause{call.CauseBusy, call.CauseDeclined, call.CauseNoAnswer, call.CauseUnreachable}

// Failed is why a caller's one try came to nothing; empty if it did not.
func (d *Desk) Failed(name string) call.Cause { return d.failed[name] }

func delay(q *acd.Queue, why call.Cause) time.Duration {
	switch why { //nolint:exhaustive // every other cause counts as unreachable
	case call.CauseBusy:
		return q.AfterBusy
	case call.CauseDeclined:
		return q.AfterReject
	case call.CauseNoAnswer:
		return q.AfterNoAnswer
	default:
		return q.Unreachable
	}
}
