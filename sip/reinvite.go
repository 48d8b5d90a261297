package sip

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"

	sipmsg "github.com/emiago/sipgo/sip"

	"hotline/call"
	"hotline/media"
)

// retryMost bounds the Retry-After of a re-INVITE that came too soon, in seconds (RFC 3261 section 14.2).
const retryMost = 10

// errSettled: the re-INVITE was answered already, or withdrawn, or its leg ended.
var errSettled = errors.New("sip: re-INVITE already settled")

// reoffer is a re-INVITE between its arrival and its final response. Whoever settles it first answers.
type reoffer struct {
	l       *leg
	x       *exchange
	settled atomic.Bool
	done    chan struct{} // closed by whoever settled it, once it is answered
}

// reinvite hands a re-INVITE to the leg's owner and waits until it is settled (RFC 3261 section 14.2).
func (u *UA) reinvite(x *exchange) {
	at := arrivedAt(x.req)
	l := u.within(x)
	if l == nil {
		return
	}
	switch l.beginReoffer() {
	case 0:
	case sipmsg.StatusRequestPending:
		x.reply(sipmsg.StatusRequestPending)
		return
	default:
		x.reply(sipmsg.StatusInternalServerError, retryLater())
		return
	}
	r := &reoffer{l: l, x: x, done: make(chan struct{})}
	if !x.tx.OnCancel(func(*sipmsg.Request) { r.cancelled() }) {
		r.cancelled()
		return
	}
	if !l.deliver(call.Reoffered{Leg: l.id, At: at, Accept: r.accept, Refuse: r.refuse}) {
		r.settle(sipmsg.StatusInternalServerError, retryLater())
	}
	select {
	case <-r.done:
	case <-l.ctx.Done():
		r.settle(sipmsg.StatusRequestTerminated)
		<-r.done
	}
}

// retryLater is the Retry-After of a re-INVITE that cannot be taken now.
func retryLater() sipmsg.Header {
	return sipmsg.NewHeader("Retry-After", strconv.Itoa(rand.IntN(retryMost+1))) //nolint:gosec // spread, not secret
}

// beginReoffer returns 0 when a re-INVITE may begin, else the status that it is owed: 500 while the one
// before has no final response (RFC 3261 section 14.2), 491 while an offer of ours, in a 200, has no answer
// (RFC 5407 section 3.1.4). A missing ACK alone is no obstacle: it may be on its way, or lost.
func (l *leg) beginReoffer() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.answeredAt.IsZero() || l.reoffering.Load() || l.ctx.Err() != nil {
		return sipmsg.StatusInternalServerError
	}
	for _, w := range l.acks {
		if w.delayed {
			return sipmsg.StatusRequestPending
		}
	}
	l.reoffering.Store(true)
	return 0
}

// first claims the right to answer the re-INVITE, once; the far end, which may send the next as soon as it
// has the answer, may do so from now on. It never waits: a CANCEL asks for it from inside the transaction,
// which whoever has it may be waiting for.
func (r *reoffer) first() bool {
	if !r.settled.CompareAndSwap(false, true) {
		return false
	}
	r.l.reoffering.Store(false)
	return true
}

// settle refuses the re-INVITE if nobody has answered it. The session stays as it was.
func (r *reoffer) settle(code int, headers ...sipmsg.Header) {
	if r.first() {
		defer close(r.done)
		r.x.reply(code, headers...)
	}
}

// cancelled is called inside the transaction, which has answered: an Accept under way then fails.
func (r *reoffer) cancelled() {
	r.x.cancelled()
	if r.first() {
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
// sent, and otherwise stays as it was (RFC 3261 section 14.1).
func (r *reoffer) answer() error {
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
		r.x.reply(statusOfMedia(err))
		return fmt.Errorf("answer a re-INVITE: %w", err)
	}
	r.l.mu.Lock()
	defer r.l.mu.Unlock()
	if err := r.l.accept(r.x, body, delayed); err != nil {
		return err
	}
	r.l.d.refresh(r.x.req)
	commit()
	return nil
}

// refuse is call.Reoffered's.
func (r *reoffer) refuse(why call.Cause) { r.settle(statusOf(why)) }

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
