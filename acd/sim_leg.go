package acd

import (
	"context"
	"fmt"
	"time"

	"hotline/call"
	"hotline/media"
)

// SimLeg is an agent's leg in a simulation: it lasts until it is ended, and neither speaks nor hears. It is for the
// goroutine of its [Sim].
type SimLeg struct {
	id       call.LegID
	sim      *Sim
	answered time.Time
	ctx      context.Context //nolint:containedctx // a leg is its context, see call.Leg
	cancel   context.CancelCauseFunc
	watchers []*func()
}

var _ call.Leg = (*SimLeg)(nil)

// Leg makes a leg that answers now.
func (s *Sim) Leg(id string) *SimLeg {
	l := &SimLeg{id: call.LegID(id), sim: s, answered: s.now}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	return l
}

// End ends the leg now. Idempotent.
func (l *SimLeg) End(by call.Party, why call.Cause) {
	if l.ctx.Err() != nil {
		return
	}
	l.cancel(&call.LegEnd{By: by, Why: why, At: l.sim.now})
	for _, ended := range l.watchers {
		(*ended)()
	}
	l.watchers = nil
}

func (l *SimLeg) watch(ended func()) (stop func() bool) {
	if l.ctx.Err() != nil {
		ended()
		return func() bool { return false }
	}
	mine := &ended
	l.watchers = append(l.watchers, mine)
	return func() bool {
		for i, w := range l.watchers {
			if w == mine {
				l.watchers = append(l.watchers[:i], l.watchers[i+1:]...)
				return true
			}
		}
		return false
	}
}

// ID implements [call.Leg].
func (l *SimLeg) ID() call.LegID { return l.id }

// Context implements [call.Leg].
func (l *SimLeg) Context() context.Context { return l.ctx }

// Ring implements [call.Leg]: a leg of an agent's does not come in.
func (l *SimLeg) Ring() error { return fmt.Errorf("leg %s is not coming in", l.id) }

// Answer implements [call.Leg].
func (l *SimLeg) Answer() (time.Time, error) { return l.answered, nil }

// Hangup implements [call.Leg].
func (l *SimLeg) Hangup(why call.Cause) { l.End(call.System, why) }

// Ask implements [call.Leg]: it lives until it is ended.
func (*SimLeg) Ask() {}

// Mend implements [call.Leg]: there is no audio.
func (*SimLeg) Mend() {}

// Belongs implements [call.Leg].
func (*SimLeg) Belongs(string) {}

// Audio implements [call.Leg]: there is none.
func (*SimLeg) Audio() media.Stream { return nil }

// Attach implements [call.Leg]: nobody presses a key.
func (*SimLeg) Attach(func(call.Command) bool) {}
