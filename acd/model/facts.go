package model

import (
	"slices"
	"time"

	"hotline/acd"
	"hotline/call"
)

// Flow takes in that an agent's flow came up or was lost.
func (d *Desk) Flow(id string, up bool) {
	a := d.agent(id)
	if a.flow == up {
		return
	}
	a.flow = up
	if up {
		a.free = max(d.now, a.wrapUntil)
	} else if a.offer != nil {
		d.fail(a, call.CauseUnreachable)
	}
}

// Pause takes in that an agent paused or took up work again.
func (d *Desk) Pause(id string, on bool) { d.agent(id).paused = on }

// Engage takes in a leg of an agent's that did not come from a queue.
func (d *Desk) Engage(id string) {
	a := d.agent(id)
	a.legs = append(a.legs, nil)
	if a.offer != nil {
		d.fail(a, call.CauseBusy)
	}
}

// HangUp takes in that an agent's newest leg ended.
func (d *Desk) HangUp(id string) {
	a := d.agent(id)
	last := len(a.legs) - 1
	q := a.legs[last]
	a.legs = a.legs[:last]
	if q != nil {
		a.wrapUntil = max(a.wrapUntil, d.now+q.WrapUp)
		a.free = a.wrapUntil
	}
}

// Join takes in a caller.
func (d *Desk) Join(name, queue, only string, front bool) {
	d.callers = append(d.callers, &caller{
		name: name, queue: d.queues[queue], only: only, front: front, entered: d.now,
	})
}

// Leave takes in that a caller left: nobody rings for it any more.
func (d *Desk) Leave(name string) {
	c := d.caller(name)
	d.callers = slices.DeleteFunc(d.callers, func(x *caller) bool { return x == c })
	for _, o := range c.offers {
		o.agent.offer = nil
	}
}

// Progress takes in an 18x of an agent's phone.
func (d *Desk) Progress(id string) {
	if o := d.agent(id).offer; o != nil && !o.rung {
		o.rung, o.deadline = true, d.now+d.o.Limit
	}
}

// Answer takes in that an agent's phone answered.
func (d *Desk) Answer(id string) {
	a := d.agent(id)
	c := a.offer.caller
	a.legs = append(a.legs, c.queue)
	d.Leave(c.name)
}

// Fail takes in that an agent's phone refused, was busy, or could not be reached.
func (d *Desk) Fail(id string, why call.Cause) { d.fail(d.agent(id), why) }

func (d *Desk) fail(a *agent, why call.Cause) {
	o := a.offer
	a.offer = nil
	o.caller.offers = slices.DeleteFunc(o.caller.offers, func(x *offer) bool { return x == o })
	a.restUntil = max(a.restUntil, d.now+max(time.Second, delay(o.caller.queue, why)))
}

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
