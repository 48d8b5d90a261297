package sip

import (
	"fmt"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
)

// updateWithin is how long, in T1, an UPDATE may be with the leg's owner: unlike a re-INVITE it has no provisional
// response to wait by, and its sender gives up after 64·T1 (RFC 3311 section 5.2: promptly).
const updateWithin = 16

// update takes an UPDATE (RFC 3311 section 5.2): with an offer as a re-INVITE, without one it refreshes the
// session and the target.
func (u *UA) update(x *exchange) {
	offers := len(x.req.Body()) > 0
	if u.legs.find(x) == nil && u.legs.inviting(x) {
		u.updateRinging(x, offers)
		return
	}
	l := u.within(x)
	if l == nil || u.refusedTimer(x) {
		return
	}
	if !offers {
		l.updateSession(x)
		return
	}
	r := &reoffer{l: l, x: x, done: make(chan struct{})}
	if !r.begun() {
		return
	}
	limit := time.NewTimer(updateWithin * u.o.T1)
	defer limit.Stop()
	r.deliver(limit.C)
}

// updateRinging takes an UPDATE of a phone that we ring. Our offer to it has no answer before the 2xx, whose
// Contact is then the target.
func (u *UA) updateRinging(x *exchange, offers bool) {
	x.stranger = false
	if offers {
		x.reply(sipmsg.StatusRequestPending)
		return
	}
	x.reply(sipmsg.StatusOK, u.contactAt(hop{transport: x.src.transport, dest: x.src.addr.String(), ours: x.src.local, sips: x.req.Recipient.Scheme == schemeSIPS}),
		sipmsg.NewHeader("Allow", allowed), supportedHeader())
}

// updateSession takes an UPDATE without an offer. One that comes while another has no answer is too soon.
func (l *leg) updateSession(x *exchange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.reoffering.Load(); r != nil && r.x.req.Method == sipmsg.UPDATE {
		x.reply(sipmsg.StatusInternalServerError, retryLater())
		return
	}
	if l.updated(x, nil) == nil {
		l.d.refresh(x.req)
	}
}

// updated sends the 200 to an UPDATE. In an early dialog there is no session yet to be timed (RFC 4028 section 9
// speaks of 2xx to INVITEs and to what refreshes them). The caller holds l.mu.
func (l *leg) updated(x *exchange, body []byte) error {
	res, s := l.success(x, body)
	if l.answeredAt.IsZero() {
		res.RemoveHeader(headerExpires)
		res.RemoveHeader("Require")
	}
	if err := x.send(res); err != nil {
		return fmt.Errorf("send 200: %w", err)
	}
	if !l.answeredAt.IsZero() {
		l.refreshed(s)
	}
	return nil
}
