package sip

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"

	"hotline/call"
	"hotline/media"
)

// retryMost bounds the Retry-After of an offer that came too soon, in seconds (RFC 3261 section 14.2, RFC 3311 section
// 5.2).
const retryMost = 10

// unackedMost bounds the 200s of one leg that wait for their ACK: each is kept, and resent, for 64·T1.
const unackedMost = 8

// errSettled: the offer was answered already, or withdrawn, or its leg ended.
var errSettled = errors.New("sip: offer already settled")

// reoffer is an offer of the far end's, in a re-INVITE or UPDATE, or its wish for one of ours, between its arrival
// and its final response. Whoever settles it first answers.
type reoffer struct {
	l       *leg
	x       *exchange
	settled atomic.Bool
	done    chan struct{} // closed by whoever settled it, once it is answered
}

// reinvite hands a re-INVITE to the leg's owner and waits until it is settled (RFC 3261 section 14.2).
func (u *UA) reinvite(x *exchange) {
	l := u.within(x)
	if l == nil || u.refusedTimer(x) {
		return
	}
	r := &reoffer{l: l, x: x, done: make(chan struct{})}
	if !r.begun() {
		return
	}
	if !x.tx.OnCancel(func(*sipmsg.Request) { r.cancelled() }) {
		r.cancelled()
		return
	}
	r.deliver(nil)
}

// deliver hands the offer to the leg's owner, and waits until it is settled. When limit comes first, it is
// refused: nobody can be waited for any longer.
func (r *reoffer) deliver(limit <-chan time.Time) {
	at := arrivedAt(r.x.req)
	if !r.l.deliver(call.Reoffered{Leg: r.l.id, At: at, Accept: r.accept, Refuse: r.refuse}) {
		r.settle(sipmsg.StatusInternalServerError, retryLater())
	}
	select {
	case <-r.done:
	case <-r.l.ctx.Done():
		r.settle(sipmsg.StatusRequestTerminated)
		<-r.done
	case <-limit:
		r.settle(sipmsg.StatusGatewayTimeout) // as RFC 3311 section 5.2 says of an offer that a person must see
		<-r.done
	}
}

// retryLater is the Retry-After of an offer that cannot be taken now.
func retryLater() sipmsg.Header {
	return sipmsg.NewHeader("Retry-After", strconv.Itoa(rand.IntN(retryMost+1))) //nolint:gosec // spread, not secret
}

// begun enters the offer, if one may begin now; otherwise the request was answered with the status owed.
func (r *reoffer) begun() bool {
	r.l.mu.Lock()
	code := r.l.mayReoffer(r.x.req.Method)
	if code == 0 {
		r.l.reoffering.Store(r)
	}
	r.l.mu.Unlock()
	switch code {
	case 0:
		return true
	case sipmsg.StatusRequestPending:
		r.x.reply(code)
	default:
		r.x.reply(code, retryLater())
	}
	return false
}

// mayReoffer returns 0 when the far end may offer now, else the status that it is owed: 500 while an offer of its
// own before has no answer (RFC 3261 section 14.2, RFC 3311 section 5.2), 491 while one of ours has none, be it in
// a re-INVITE (the same sections) or in a 200 (RFC 5407 section 3.1.4). A missing ACK alone is no obstacle: it
// may be on its way, or lost; but many are. The caller holds l.mu.
func (l *leg) mayReoffer(method sipmsg.RequestMethod) int {
	switch {
	case l.ctx.Err() != nil, l.reoffering.Load() != nil, len(l.acks) >= unackedMost:
		return sipmsg.StatusInternalServerError
	case l.inviting:
		return sipmsg.StatusRequestPending
	case l.answeredAt.IsZero():
		return l.mayUpdateEarly(method)
	}
	for _, w := range l.acks {
		if w.delayed {
			return sipmsg.StatusRequestPending
		}
	}
	return 0
}

// mayUpdateEarly is mayReoffer before the 200: nothing but an UPDATE, and that when the INVITE's offer has its answer,
// which only one of ours in a reliable 18x can have by then. The caller holds l.mu.
func (l *leg) mayUpdateEarly(method sipmsg.RequestMethod) int {
	switch {
	case method != sipmsg.UPDATE, l.answer != nil: // theirs is answered in the 200
		return sipmsg.StatusInternalServerError
	case !l.offered(), l.reliably.open != nil && l.reliably.open.offer: // ours is to come, or has no answer yet
		return sipmsg.StatusRequestPending
	default:
		return 0
	}
}

// first claims the right to answer the offer, once. It never waits: a CANCEL asks for it from inside the
// transaction, which whoever has it may be waiting for.
func (r *reoffer) first() bool { return r.settled.CompareAndSwap(false, true) }

// over lets the next offer begin, theirs or ours: before the answer leaves, since the far end may send one as soon
// as it has that.
func (r *reoffer) over() { r.l.reoffering.Store(nil) }

// settle refuses the offer if nobody has answered it. The session stays as it was.
func (r *reoffer) settle(code int, headers ...sipmsg.Header) {
	if r.first() {
		defer close(r.done)
		r.over()
		r.x.reply(code, headers...)
	}
}

// cancelled is called inside the transaction, which has answered: an Accept under way then fails.
func (r *reoffer) cancelled() {
	r.x.cancelled()
	if r.first() {
		r.over()
		close(r.done)
	}
}

// accept is call.Reoffered's: it answers with what the stream makes of the offer, or, when the re-INVITE
// had none, with an offer of ours.
func (r *reoffer) accept() (held bool, err error) {
	err = errSettled
	if r.first() {
		defer close(r.done)
		err = r.answer()
	}
	return r.l.stream.Held(), err
}

// answer sends the 200, or the status that an unusable offer is owed. The session changes when the 200 was
// sent, and otherwise stays as it was (RFC 3261 section 14.1). From what the stream proposes to its taking up, no offer
// of ours may come between: the stream would not take up what the 200 says.
func (r *reoffer) answer() error {
	r.l.mu.Lock()
	defer r.l.mu.Unlock()
	r.over()
	offer := r.x.req.Body()
	delayed := len(offer) == 0
	commit := func() {}
	var body []byte
	var err error
	if delayed {
		body, err = r.l.stream.Offer()
	} else {
		body, commit, err = r.l.stream.Propose(offer)
	}
	if err != nil {
		r.x.reply(statusOfMedia(err), warningsOfMedia(err)...)
		return fmt.Errorf("answer a re-offer: %w", err)
	}
	if r.x.req.Method == sipmsg.UPDATE {
		err = r.l.updated(r.x, body)
	} else {
		err = r.l.accept(r.x, body, delayed)
	}
	if err != nil {
		return err
	}
	r.l.d.refresh(r.x.req)
	commit()
	return nil
}

// refuse is call.Reoffered's. An owner that has no use for the offer may have lost the leg to another, which will take
// the next: so a fault of ours asks for it again, and is never a 503, for which a trunk would leave us.
func (r *reoffer) refuse(why call.Cause) {
	code := statusOf(why)
	if code == sipmsg.StatusInternalServerError || code == sipmsg.StatusServiceUnavailable {
		r.settle(sipmsg.StatusInternalServerError, retryLater())
		return
	}
	r.settle(code)
}

// statusOfMedia is the status owed to an offer that the stream does not take.
func statusOfMedia(err error) int {
	switch {
	case errors.Is(err, media.ErrNotAcceptable):
		return sipmsg.StatusNotAcceptableHere
	case errors.Is(err, media.ErrBadSDP):
		return sipmsg.StatusBadRequest
	case errors.Is(err, media.ErrNoPorts):
		return statusOf(call.CauseOverload) // 503 would have a trunk take us out of its rotation
	default:
		return sipmsg.StatusInternalServerError
	}
}
