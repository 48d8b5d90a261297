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

// dutyLimit is how long a duty number is called for one alarm: longer than carriers let a telephone ring.
const dutyLimit = time.Minute

// dutyCall is one number of the duty list being called for one alarm. It is open until it is answered, fails or
// is withdrawn.
type dutyCall struct {
	caller *caller
	number string
	index  int // in the seat's record
	open   bool
	why    call.Cause // why it was closed while it still rang
	cancel context.CancelCauseFunc
}

// callDuty calls the numbers of the duty list for an alarm that has come so far, each once, and never one that is
// being called for another alarm.
func (d *desk) callDuty(c *caller) {
	l, cl := d.ladder, c.climb
	if cl.at < toDuty || !c.waits() || c.aside || c.remote != nil {
		return
	}
	for _, number := range l.numbers {
		if len(l.calling) >= DutyAtOnce {
			return
		}
		if cl.called[number] || l.calling[number] {
			continue
		}
		if !d.dialDuty(c, number) {
			d.left(c)
			return
		}
	}
}

// dialDuty calls one number, unless the caller has left: then it reports false.
func (d *desk) dialDuty(c *caller, number string) bool {
	index, ok := c.seat.offerNumber(number, d.now)
	if !ok {
		return false
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	o := &dutyCall{caller: c, number: number, index: index, open: true, cancel: cancel}
	c.climb.called[number], d.ladder.calling[number] = true, true
	c.climb.duty = append(c.climb.duty, o)
	d.ringing++
	d.background(func() {
		leg, at, err := d.dial(ctx, o)
		why := call.CauseError
		if failed, ok := errors.AsType[*call.RingError](err); ok {
			why = failed.Why
		}
		d.post(func(d *desk) { d.dialled(o, leg, why, at) })
	})
	d.o.Logger.Info("duty number called for an alarm", zap.String("call", c.CallID), zap.String("number", call.Mask(number)))
	return true
}

// dial calls the number, on a goroutine of its own for as long as that lasts: as ring does.
func (d *desk) dial(ctx context.Context, o *dutyCall) (leg call.Leg, at time.Time, err error) {
	defer func() {
		if v := recover(); v != nil {
			d.o.OnPanic("acd: dial", v)
			leg, at, err = nil, d.o.now(), fmt.Errorf("panic while dialling: %v", v)
		}
	}()
	var ringing sync.Once
	ctx, stop := context.WithTimeoutCause(ctx, dutyLimit, call.CancelCause{Why: call.CauseNoAnswer})
	defer stop()
	number := ""
	if o.caller.Asserted {
		number = o.caller.From
	}
	leg, err = d.o.Dialer.Dial(ctx, call.DialRequest{
		Number: o.number, CallID: o.caller.CallID, Prefer: o.caller.Prefer,
		Caller: number, Private: o.caller.Private, Dialled: o.caller.To,
		Progress: func(code int, at time.Time) {
			if code == 180 || code == 183 {
				ringing.Do(func() { d.post(func(*desk) { o.progress(code, at) }) })
			}
		},
	})
	at = d.o.now()
	if err != nil {
		return nil, at, err
	}
	if leg == nil {
		return nil, at, errors.New("answered without a leg")
	}
	if told, err := leg.Answer(); err == nil {
		at = told
	}
	return leg, at, nil
}

// progress takes in the first 18x that means ringing.
func (o *dutyCall) progress(code int, at time.Time) {
	if o.open {
		o.caller.seat.progress(o.index, code, at)
	}
}

// dialled takes in what became of a number: its leg goes to the alarm's call, unless that has no use for it any
// more.
func (d *desk) dialled(o *dutyCall, leg call.Leg, why call.Cause, at time.Time) {
	d.ringing--
	delete(d.ladder.calling, o.number)
	d.ladder.touch()
	o.cancel(nil)
	c := o.caller
	switch {
	case leg != nil && o.open:
		won := c.seat.answer(o.index, call.Answer{Number: o.number, Queue: c.Queue, Leg: leg, At: at})
		d.closeDuty(o, howAnswered, at)
		if !won {
			d.hangUp(leg, call.CauseWithdrawn)
			d.left(c)
			return
		}
		d.drop(c)
		d.withdrawAll(c, call.CauseElsewhere)
	case leg != nil:
		d.hangUp(leg, o.why)
	case o.open:
		how := howUnreachable
		if f, ok := failures[why]; ok {
			how = f.how
		}
		d.closeDuty(o, how, at)
	}
}

// withdrawDuty takes back every duty number being called for an alarm.
func (d *desk) withdrawDuty(c *caller, why call.Cause) {
	if c.climb == nil {
		return
	}
	for _, o := range slices.Clone(c.climb.duty) {
		o.why = why
		d.closeDuty(o, howWithdrawn, d.now)
		o.cancel(call.CancelCause{Why: why})
	}
}

func (d *desk) closeDuty(o *dutyCall, how string, at time.Time) {
	o.open = false
	o.caller.climb.duty = slices.DeleteFunc(o.caller.climb.duty, func(x *dutyCall) bool { return x == o })
	o.caller.seat.end(o.index, how, at)
}
