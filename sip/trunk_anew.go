package sip

import (
	"context"
	"math/rand/v2"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"

	"hotline/call"
)

// doubtRest is how long the carrier's memory is not doubted again, once it was. A refusal may have any reason, and who is
// called in vain again and again is no reason to register as often.
const doubtRest = time.Minute

// grantedBy is how a registration came about: the connection its REGISTER went over, and when that was answered.
type grantedBy struct {
	over flowKey
	at   time.Time
}

// forgotten has the carrier registered to anew, soon: it may have forgotten us. It waits for nobody. See await for when it is heeded.
func (g *registration) forgotten() {
	select {
	case g.anew <- struct{}{}:
	default: // it is to be already
	}
}

// doubt is forgotten for a sign that may mean something else; it is heeded once in doubtRest, and where we are registered: one
// that is refused is tried again when its time comes (RFC 3261 section 20.33), since who asks too often is locked out.
func (g *registration) doubt(at time.Time) {
	if g.snapshot(at).now != RegistrationUp {
		return
	}
	last := g.doubted.Load()
	if last != nil && at.Sub(*last) < doubtRest || !g.doubted.CompareAndSwap(last, &at) {
		return
	}
	g.forgotten()
}

// boundBy notes by which way a registration was granted. A connection that has ended by now, and was not known for the one it
// went over when it did, has ended all the same.
func (g *registration) boundBy(h hop) {
	by := flowKey{h.transport, parsePeer(h.dest)}
	g.bound.Store(&grantedBy{by, time.Now()})
	if reliable(h.transport) && g.ua.conns.living(by) == nil {
		g.forgotten()
	}
}

// lost tells that a connection has ended. A registration that went over it is over with it (RFC 5626 section 4.2.1): the
// carrier has restarted, or reaches us by a flow that is no more. Where the last REGISTER failed there is none that it could end.
func (g *registration) lost(end connEnd) {
	b := g.bound.Load()
	if b != nil && b.over == (flowKey{end.transport, end.peer}) && b.at.Before(end.at) {
		g.forgotten()
	}
}

// await returns when the carrier is to be registered to again: at due, or soon once it may have forgotten us; or when ctx is done.
// Whatever happens, one that has refused is left alone until due (RFC 3261 section 20.33, RFC 5626 section 4.5): it has heard of
// us, and whoever ends the connection after each refusal, or restarts between two, were asked all the time.
func (g *registration) await(ctx context.Context, due <-chan time.Time) {
	now, anew := g.snapshot(time.Now()).now, g.anew
	if now == RegistrationRefused {
		anew = nil
	}
	g.held = false
	select {
	case <-ctx.Done():
	case <-due:
		g.held = now == RegistrationUp
	case <-anew:
		g.pause(ctx, due)
	}
	select {
	case <-g.anew: // what has been said meanwhile is heeded by the same REGISTER
	default:
	}
}

// pause waits before the carrier is registered to anew, as before a try that follows failures (RFC 5626 section 4.5): all
// who were connected to it come back at once, and one that ends each connection as soon as it has granted a registration is
// not to be asked all the time. It returns early when ctx is done, and at due: who doubts a registration does not let it lapse.
func (g *registration) pause(ctx context.Context, due <-chan time.Time) {
	if b := g.bound.Load(); b != nil && time.Since(b.at) >= silentMost {
		g.losses = 0 // it held for long
	}
	silent := registrationState{now: RegistrationUnreachable}
	timer := time.NewTimer(retryAfter(silent, g.losses, rand.Float64())) //nolint:gosec // spreads load, guards nothing
	defer timer.Stop()
	g.losses++
	select {
	case <-timer.C:
	case <-due:
	case <-ctx.Done():
	}
}

// doubtful reports whether a carrier refuses a call as it may one of somebody it does not know (any more): it forbids it, knows
// no such user, or wants a password and does not take ours.
func doubtful(failed *call.RingError) bool {
	if failed == nil {
		return false
	}
	switch failed.Code {
	case sipmsg.StatusUnauthorized, sipmsg.StatusForbidden, sipmsg.StatusNotFound, sipmsg.StatusProxyAuthRequired:
		return true
	}
	return false
}
