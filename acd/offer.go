package acd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// offer is one agent's phone being rung for one caller. It is open until it is answered, fails or is
// withdrawn; the phone may ring a little longer, until ring reports that it is free.
type offer struct {
	caller *caller
	agent  *agent
	// index is the offer's in the seat's record.
	index int
	sent  time.Time
	rung  time.Time
	open  bool
	// why it was closed while the phone still rang: what a leg that crosses is hung up with.
	why    call.Cause
	cancel context.CancelCauseFunc // nil of a remote caller's
	alarm  alarm
	// rests is until when the agent rests since this failed, rested until when otherwise.
	rests, rested time.Time
	// expected: the caller is another node's, which has not claimed the agent yet.
	expected bool
}

// remote reports whether the offer is another node's to make.
func (o *offer) remote() bool { return o.caller.remote != nil }

// failure is what an offer that failed comes to: how, and for how long the agent is passed over.
type failure struct {
	how   string
	delay func(q *Queue) time.Duration
}

// failures is the table of causes with which a phone refuses, or the desk gives an offer up. Every
// other cause counts as unreachable.
var failures = map[call.Cause]failure{
	call.CauseBusy:        {howBusy, func(q *Queue) time.Duration { return q.AfterBusy }},
	call.CauseDeclined:    {howRefused, func(q *Queue) time.Duration { return q.AfterReject }},
	call.CauseNoAnswer:    {howUnanswered, func(q *Queue) time.Duration { return q.AfterNoAnswer }},
	call.CauseUnreachable: {howUnreachable, func(q *Queue) time.Duration { return q.Unreachable }},
}

// start rings an agent's phone for a caller. If the caller has left meanwhile, it takes the caller out
// instead and the agent stays free.
func (d *desk) start(c *caller, a *agent) {
	d.at = c
	if c.remote != nil {
		d.expect(c, a)
		return
	}
	if !d.claim(c, a) {
		return
	}
	index, ok := c.seat.choose(a.ID, d.now, d.explain(c, a))
	if !ok {
		d.letGo(a)
		d.left(c)
		return
	}
	d.chosen(c, a)
	d.rungFor(c)
	o := &offer{caller: c, agent: a, index: index, sent: d.now, open: true}
	d.seq++
	o.alarm = alarm{at: d.now.Add(d.o.NoProgress), seq: d.seq, fire: func() { d.expire(o) }}
	d.alarms.add(&o.alarm)
	a.offer = o
	c.offers = append(c.offers, o)
	c.spent = c.Once
	d.index(c)
	d.refresh(a)
	d.ringing++
	o.cancel = d.o.outside.ring(d, o)
	d.o.Logger.Debug("offer", zap.String("call", c.CallID), zap.String("agent", a.ID), zap.String("queue", c.queue.Name))
}

// ring rings the phone, on a goroutine of its own for as long as that lasts. It returns either a leg
// and when it answered, or an error; a panic of the phones and a missing leg are errors too.
func (d *desk) ring(ctx context.Context, o *offer) (leg call.Leg, at time.Time, err error) {
	defer func() {
		if v := recover(); v != nil {
			d.o.OnPanic("acd: ring", v)
			leg, at, err = nil, d.o.now(), fmt.Errorf("panic while ringing: %v", v)
		}
	}()
	leg, err = d.o.Phones.Ring(ctx, d.request(o))
	at = d.o.now()
	if err != nil {
		return nil, at, err
	}
	if leg == nil {
		return nil, at, errors.New("answered without a leg")
	}
	// An instant outside the offer is not one of a 200 to it.
	if told, err := leg.Answer(); err == nil && told.After(o.sent) && told.Before(at) {
		at = told
	}
	return leg, at, nil
}

// request is what an offer asks of the phones.
func (d *desk) request(o *offer) call.RingRequest {
	return call.RingRequest{
		Agent: o.agent.ID, From: o.caller.From, Display: o.caller.Queue,
		CallID: o.caller.CallID, Private: o.caller.Private, Prefer: o.caller.Prefer,
		Progress: d.progressOf(o),
	}
}

// report tells the desk, from the goroutine that rang, what became of it.
func (d *desk) report(o *offer, leg call.Leg, at time.Time, err error) {
	var failed *call.RingError
	if err != nil && !errors.As(err, &failed) {
		d.o.Logger.Error("ring an agent's phone", zap.String("agent", o.agent.ID), zap.Error(err))
		failed = &call.RingError{Why: call.CauseUnreachable, At: at}
	}
	d.post(func(d *desk) { d.rang(o, leg, failed, at) })
}

// progressOf returns what the phone tells its 18x. Two reports are enough for the figures: the first
// 18x, and the first that means ringing.
func (d *desk) progressOf(o *offer) func(code int, at time.Time) {
	var any18x, ringing sync.Once
	return func(code int, at time.Time) {
		report := func() { d.post(func(d *desk) { d.progress(o, code, at) }) }
		switch {
		case code == 180 || code == 183:
			any18x.Do(func() {}) // this report tells that too
			ringing.Do(report)
		case code > 180 && code < 190:
			any18x.Do(report)
		}
	}
}

// progress takes in an 18x: from the first on, the offer has its whole rings.
func (d *desk) progress(o *offer, code int, at time.Time) {
	if !o.open {
		return
	}
	o.caller.seat.progress(o.index, code, at)
	first := o.rung.IsZero()
	if first {
		o.rung = at
		o.agent.doubts = 0
	}
	d.index(o.caller) // the promise clock may have begun with it
	if first {
		d.alarms.remove(&o.alarm)
		o.alarm.at = at.Add(time.Duration(d.o.Rings) * d.o.Ring.Cycle())
		d.alarms.add(&o.alarm)
	}
}

// expire is an offer's deadline: no 18x in time, or no answer within its rings.
func (d *desk) expire(o *offer) {
	why := call.CauseUnreachable
	if !o.rung.IsZero() {
		why = call.CauseNoAnswer
	}
	d.fail(o, why, d.now)
	d.refresh(o.agent)
}

// rang takes in that an agent's phone stopped ringing, and why: it is free again, or has answered.
func (d *desk) rang(o *offer, leg call.Leg, failed *call.RingError, at time.Time) {
	d.ringing--
	a := o.agent
	a.offer = nil
	if a.taken != nil {
		a.offer = a.taken.offer
	}
	switch {
	case leg != nil && o.open:
		a.doubts = 0
		d.answered(o, leg, at)
	case leg != nil:
		d.reject(a, leg, o.why)
	case o.open:
		ended := failed.At
		if ended.IsZero() {
			ended = at
		}
		d.fail(o, failed.Why, ended)
	}
	if leg == nil && failed.Unsure && !a.here { // that says nothing of the phone
		if a.restUntil.Equal(o.rests) {
			a.restUntil = o.rested
		}
		d.unheard(o.caller)
	}
	o.cancel(nil) // frees the context
	d.refresh(a)
}

// answered joins an agent who answered with the caller, unless the caller left in the same instant.
func (d *desk) answered(o *offer, leg call.Leg, at time.Time) {
	c, a := o.caller, o.agent
	won := c.seat.answer(o.index, call.Answer{Agent: a.ID, Name: a.Name, Queue: c.Queue, Leg: leg, At: at})
	if won {
		d.depart(c)
		c.by = a.ID
	}
	d.close(o, howAnswered, at)
	if !won {
		d.reject(a, leg, call.CauseWithdrawn)
		d.left(c)
		return
	}
	a.calls++
	a.missed = 0
	if s := a.serves(c.queue); s != nil {
		s.calls++
	}
	d.attach(a, &busy{leg: leg, from: d.byQueue[c.Queue], call: c.CallID, began: at})
	d.drop(c)
	d.withdrawAll(c, call.CauseElsewhere)
}

// reject hangs up an agent who answered too late. The agent is busy until that leg has ended.
func (d *desk) reject(a *agent, leg call.Leg, why call.Cause) {
	d.attach(a, &busy{leg: leg})
	d.hangUp(leg, why)
}

// hangUp hangs a leg up that answered too late.
func (d *desk) hangUp(leg call.Leg, why call.Cause) {
	d.o.outside.hangUp(d, leg, why)
}

// fail ends an offer that did not lead to an answer, takes the phone back if it still rings, and
// passes the agent over for a while; the caller wants the next one. Who calls fail refreshes the agent.
func (d *desk) fail(o *offer, why call.Cause, at time.Time) {
	if !o.open {
		return
	}
	if o.remote() { // its own node sees to it, once it has claimed the agent
		if o.expected {
			d.unexpect(o)
		}
		return
	}
	if why == call.CauseTaken {
		d.lose(o, at)
		return
	}
	f, ok := failures[why]
	if !ok {
		why = call.CauseUnreachable
		f = failures[why]
	}
	rest := d.now.Add(max(minDelay, f.delay(&o.caller.queue.Queue)))
	o.rested, o.rests = o.agent.restUntil, later(o.agent.restUntil, rest)
	o.agent.restUntil = o.rests
	if o.caller.climb != nil {
		o.agent.alarmRest = rest
	}
	o.why = why
	d.close(o, f.how, at)
	switch f.how {
	case howUnanswered:
		d.unanswered(o.agent, o.caller)
	case howRefused:
		o.agent.missed = 0
	}
	o.cancel(call.CancelCause{Why: why})
	d.giveUp(o.caller, why)
}

// withdrawAll takes back every phone that rings for a caller who has no more use for it.
func (d *desk) withdrawAll(c *caller, why call.Cause) {
	for _, o := range slices.Clone(c.offers) {
		d.withdraw(o, why)
	}
	d.withdrawDuty(c, why)
}

// withdraw takes an offer back. The agent stays reserved until the phone is free.
func (d *desk) withdraw(o *offer, why call.Cause) {
	if !o.open {
		return
	}
	if o.remote() {
		d.withdrawRemote(o)
		return
	}
	o.why = why
	d.close(o, howWithdrawn, d.now)
	o.cancel(call.CancelCause{Why: why})
	d.giveUp(o.caller, why)
}

// close ends an offer in the record, the figures and the indexes.
func (d *desk) close(o *offer, how string, at time.Time) {
	c := o.caller
	o.open = false
	d.alarms.remove(&o.alarm)
	c.offers = slices.DeleteFunc(c.offers, func(x *offer) bool { return x == o })
	how = c.seat.end(o.index, how, at)
	if c.remote == nil {
		o.agent.how = how
	}
	if c.queue != d.people && c.remote == nil {
		d.figures.offerEnded(c.queue.Name, how)
	}
	d.index(c)
}
