package sip

import (
	"errors"

	sipmsg "github.com/emiago/sipgo/sip"

	"hotline/call"
)

// errDraining is why no new call is taken after Drain.
var errDraining = errors.New("sip: draining")

// Drain refuses new calls with 503 from now on; those that are in go on. OPTIONS are answered 503 too,
// which takes us out of a trunk's rotation. A number that leads straight to alarms is taken all the same: whoever still
// sends it to us may have nobody else to send it to.
func (u *UA) Drain() { u.draining.Store(true) }

// unready returns why new calls are not taken, nil when they are. What OPTIONS says and what an INVITE meets is decided
// here for both.
func (u *UA) unready() error {
	if u.draining.Load() {
		return errDraining
	}
	return u.o.Ready()
}

// alarmUnready tells whether a call is taken although we are not ready: one for the alarms' own number, until Close.
func (u *UA) alarmUnready(in *call.Incoming) bool {
	return u.ctx.Err() == nil && u.calls.leadsToAlarm(in.At, in.Agent != "")
}

// options answers what we can do, or 503 where an INVITE would get that (RFC 3261 section 11.2). It says nothing of
// how full we are: that is told by the kind of call and only to who calls, since a balancer that took a full hotline
// for a dead one would keep alarms away from it. Never with Retry-After, for the same reason (section 21.5.4).
// One in a dialog takes its turn there as all requests do (section 12.2.2).
func (u *UA) options(x *exchange) {
	switch {
	case x.inDialog && u.within(x) == nil: // which has answered
	case !x.inDialog && u.unready() != nil:
		x.reply(sipmsg.StatusServiceUnavailable)
	default:
		x.reply(sipmsg.StatusOK, sipmsg.NewHeader("Allow", allowed),
			sipmsg.NewHeader("Accept", accepted), supportedHeader())
	}
}
