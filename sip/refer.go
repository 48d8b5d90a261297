package sip

import (
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"

	"hotline/call"
)

// decideWithin is how long, in T1, the owner may take to answer a REFER: half of what the phone waits
// for, so that the answer still finds it waiting (RFC 4320 section 4.2).
const decideWithin = ackWithin / 2

// referral is a REFER from its arrival until its phone knows how the transfer ended. It implements
// call.Referral.
type referral struct {
	l   *leg
	x   *exchange
	seq string // CSeq of the REFER
	// silent: the phone wants no NOTIFYs (RFC 4488).
	silent bool
	// nowhere, if not 0, is the status of a wish that cannot be met, whatever the owner says of it.
	nowhere int
	settled atomic.Bool   // it was answered, or is being answered this moment
	done    chan struct{} // closed once it is answered
	sub     *subscription // begun when it is accepted, unless silent
}

var _ call.Referral = (*referral)(nil)

// refer takes a REFER in a dialog (RFC 3515 section 2.4.2), hands it to the leg's owner, and waits until that has
// answered it. As every request in a dialog it is believed for the dialog's tags, which only the phone
// that proved its password for that dialog, or was rung over its registered flow, and the way to it have.
//
// Only agents' phones may refer: a caller who could, would have us dial for them. Outside a dialog nobody
// may, since there is no party to be referred. What cannot be reached is told as if it
// had been tried, by 202 and NOTIFY: several of the statuses that say so, 404 and 481 among them, would end
// the dialog and with it the call if they answered the REFER itself (RFC 5057 section 5.1).
func (u *UA) refer(x *exchange) {
	at := arrivedAt(x.req)
	if !x.inDialog {
		u.refusedRefer(x, sipmsg.StatusForbidden)
		return
	}
	l := u.within(x)
	if l == nil {
		return
	}
	target, ok := referTo(x.req)
	if !ok {
		u.refusedRefer(x, sipmsg.StatusBadRequest)
		return
	}
	if l.agent == "" {
		u.refusedRefer(x, sipmsg.StatusForbidden)
		return
	}
	wanted, replaces, code := u.referred(x, l, target)
	if code == sipmsg.StatusBadRequest {
		u.refusedRefer(x, code)
		return
	}
	r := l.beginRefer(x)
	if r == nil {
		x.reply(sipmsg.StatusRequestPending)
		return
	}
	asked := call.Referred{Leg: l.id, At: at, To: wanted, Replaces: replaces, Referral: r}
	if code != 0 { // the owner is to know all the same: the phone may hang up when it is told
		r.nowhere, asked.To, asked.Replaces = code, call.Next{}, ""
	}
	switch {
	case l.deliver(asked):
	case code != 0:
		r.unreachable(code)
	default:
		r.settle(sipmsg.StatusInternalServerError, retryLater())
	}
	r.wait()
}

// refusedRefer refuses a REFER before anybody is asked. The responses are counted by status.
func (u *UA) refusedRefer(x *exchange, code int) {
	u.limited(zap.InfoLevel, "REFER refused", zap.Int("code", code), zap.Stringer("source", x.src.shown()))
	x.reply(code)
}

// beginRefer enters a REFER as the leg's; nil while the one before is not over, since one party cannot be
// referred twice at once. From the dialog's second REFER on its NOTIFYs must say which they are of
// (RFC 3515 section 2.4.6).
func (l *leg) beginRefer(x *exchange) *referral {
	l.mu.Lock()
	defer l.mu.Unlock()
	event := eventRefer
	seq := strconv.FormatUint(uint64(x.req.CSeq().SeqNo), 10)
	if l.referral != nil {
		if !l.referral.over() {
			return nil
		}
		event += ";id=" + seq
	}
	l.referral = &referral{
		l: l, x: x, seq: seq, done: make(chan struct{}), sub: newSubscription(l, event), silent: noSubscription(x.req),
	}
	return l.referral
}

// noSubscription reports whether a REFER asks for no subscription (RFC 4488 section 4).
func noSubscription(req *sipmsg.Request) bool {
	h := req.GetHeader("refer-sub")
	if h == nil {
		return false
	}
	value, _, _ := strings.Cut(h.Value(), ";")
	return strings.EqualFold(strings.TrimSpace(value), "false")
}

// over reports whether the phone needs nothing any more of this REFER. It is so before the phone has the last word,
// since the next REFER may come as soon as it has.
func (r *referral) over() bool { return r.sub.isOver() }

// wait returns when the REFER is answered, and sees to it that it is.
func (r *referral) wait() {
	limit := time.NewTimer(decideWithin * r.l.ua.o.T1)
	defer limit.Stop()
	select {
	case <-r.done:
		return
	case <-r.l.ctx.Done():
		r.settle(sipmsg.StatusRequestTerminated) // RFC 3261 section 15.1.2
	case <-limit.C:
		r.settle(sipmsg.StatusInternalServerError, retryLater())
	}
	<-r.done
}

// settle refuses the REFER if nobody has answered it.
func (r *referral) settle(code int, headers ...sipmsg.Header) {
	if !r.settled.CompareAndSwap(false, true) {
		return
	}
	defer close(r.done)
	r.sub.end()
	r.x.reply(code, headers...)
}

// accept answers 202 if nobody has answered, and begins the subscription unless it is not wanted. It reports
// whether it did so.
func (r *referral) accept(silent bool) bool {
	if !r.settled.CompareAndSwap(false, true) {
		return false
	}
	defer close(r.done)
	r.l.mu.Lock()
	headers := []sipmsg.Header{r.l.contact(), supportedHeader()}
	r.l.mu.Unlock()
	if silent {
		r.sub.end()
		r.x.reply(sipmsg.StatusAccepted, append(headers, sipmsg.NewHeader("Refer-Sub", "false"))...)
		return true
	}
	r.x.reply(sipmsg.StatusAccepted, headers...)
	r.sub.begin()
	return true
}

// unreachable accepts a REFER of which nothing can come, and says so: in a subscription, even where none was
// wanted, which RFC 4488 section 4 leaves to us.
func (r *referral) unreachable(code int) {
	if r.accept(false) {
		r.sub.finish(code)
	}
}

// Accept implements call.Referral. A wish that cannot be met is not accepted, so that nothing can be done for it.
func (r *referral) Accept() bool { return r.nowhere == 0 && r.accept(r.silent) }

// Refuse implements call.Referral.
func (r *referral) Refuse(why call.Cause) {
	switch code := statusOf(why); {
	case r.nowhere != 0:
		r.unreachable(r.nowhere)
	case code == sipmsg.StatusNotFound: // the one of our table that would end the dialog
		r.unreachable(code)
	default:
		r.settle(code)
	}
}

// Heard implements call.Referral.
func (r *referral) Heard() time.Time { return r.sub.heard() }

// Ringing implements call.Referral.
func (r *referral) Ringing() { r.sub.tell(notice{code: sipmsg.StatusRinging}) }

// Done implements call.Referral. A REFER that was not answered is refused by it, or accepted where
// it succeeded.
func (r *referral) Done(why call.Cause) {
	if why != call.CauseNone {
		r.Refuse(why)
		r.sub.finish(statusOf(why))
		return
	}
	r.accept(r.silent)
	r.sub.finish(sipmsg.StatusOK)
}
