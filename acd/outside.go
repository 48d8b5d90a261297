package acd

import (
	"context"

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

func (goroutines) watch(leg call.Leg, ended func()) func() bool {
	return context.AfterFunc(leg.Context(), ended)
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
