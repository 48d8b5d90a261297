package acd

import (
	"context"
	"time"

	"hotline/call"
)

// outside is what the desk has done beyond itself and hears of later, by its inbox: phones are rung, legs
// are watched and hung up. For a [Center] those are goroutines, for a [Sim] events of a simulation. Only
// the desk's goroutine calls it.
type outside interface {
	// ring begins to ring an offer's phone; what becomes of it is told by desk.report, once. cancel takes the
	// phone back, and may be called more than once.
	ring(d *desk, o *offer) (cancel context.CancelCauseFunc)
	// watch has ended called once the leg has ended, unless stop was called before.
	watch(leg call.Leg, ended func()) (stop func() bool)
	// hangUp hangs a leg up.
	hangUp(d *desk, leg call.Leg, why call.Cause)
}

// goroutines do each thing aside, since a phone rings for seconds and a hanging up sends a BYE.
type goroutines struct{}

func (goroutines) ring(d *desk, o *offer) context.CancelCauseFunc {
	ctx, cancel := context.WithCancelCause(context.Background())
	d.background(func() {
		leg, at, err := d.ring(ctx, o)
		d.report(o, leg, at, err) //nolint:contextcheck // handled by the desk; what it starts outlives this ring
	})
	return cancel
}

// settleWithin is for how long a leg that has ended is waited for to settle.
const settleWithin = 2 * time.Second

// settling is a leg that knows when its phone may be rung anew, which comes after its context's end: once its BYE has left
// on a node alone, and in a site with the final response to the BYE or CANCEL by which it ended; nil where it does not.
type settling interface{ Settled() <-chan struct{} }

func (goroutines) watch(leg call.Leg, ended func()) func() bool {
	return context.AfterFunc(leg.Context(), func() {
		if s, ok := leg.(settling); ok && s.Settled() != nil {
			late := time.NewTimer(settleWithin)
			defer late.Stop()
			select {
			case <-s.Settled():
			case <-late.C:
			}
		}
		ended()
	})
}

func (goroutines) hangUp(d *desk, leg call.Leg, why call.Cause) {
	d.background(func() {
		defer func() {
			if v := recover(); v != nil {
				d.o.OnPanic("acd: hang up", v)
			}
		}()
		leg.Hangup(why)
	})
}
