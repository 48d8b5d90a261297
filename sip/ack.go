package sip

import (
	"fmt"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"

	"hotline/call"
)

// Bounds of the resending of a 200, in T1 (RFC 3261 section 13.3.1.4; T2 is 4 s where T1 is 500 ms).
const (
	resendMost = 8
	ackWithin  = 64
)

// ackWait is a 200 to an INVITE or re-INVITE that waits for its ACK.
type ackWait struct {
	seq     uint32        // of the INVITE, and so of the ACK
	delayed bool          // the ACK must bear the answer to our offer
	got     chan struct{} // closed by the ACK
}

// accept sends the 200 to an INVITE and sees to it that it is resent until the ACK. The caller holds
// l.mu.
func (l *leg) accept(x *exchange, body []byte, delayed bool) error {
	res, s := l.success(x, body)
	w := &ackWait{seq: x.req.CSeq().SeqNo, delayed: delayed, got: make(chan struct{})}
	l.acks[w.seq] = w
	if err := x.send(res); err != nil {
		delete(l.acks, w.seq)
		return fmt.Errorf("send 200: %w", err)
	}
	if !l.ua.background("resend", func() { l.resend(x, res, w) }) {
		return fmt.Errorf("resend 200: %w", ErrClosed)
	}
	l.refreshed(s)
	return nil
}

// success makes the 200 to an INVITE, re-INVITE or UPDATE, and the session that it begins anew when it is sent.
// The caller holds l.mu.
func (l *leg) success(x *exchange, body []byte) (*sipmsg.Response, sessionTimer) {
	res := x.response(sipmsg.StatusOK, body, l.contact(),
		sipmsg.NewHeader("Allow", allowed), supportedHeader())
	w := timerWishOf(x.req)
	s := l.ua.granted(w)
	s.grant(w, res)
	return res, s
}

// resend repeats the 200 until its ACK, over TCP too, since a proxy on the way may speak UDP (RFC 3261
// section 13.3.1.4): after T1, then twice that, up to T2. Without an ACK in 64·T1, or
// in the time that a closing user agent has, the leg ends with a BYE. It also sends the BYE of a leg that
// was hung up meanwhile.
func (l *leg) resend(x *exchange, res *sipmsg.Response, w *ackWait) {
	t1 := l.ua.o.T1
	deadline := time.NewTimer(ackWithin * t1)
	defer deadline.Stop()
	interval := t1
	again := time.NewTimer(interval)
	defer again.Stop()
	for {
		select {
		case <-w.got:
			if l.ctx.Err() != nil {
				l.sayBye()
			}
			return
		case <-l.gone:
			return
		case ack := <-x.tx.Acks(): // one with the branch of its INVITE lands in the transaction
			l.acked(ack)
		case <-again.C:
			if w.isOver(l) {
				continue // both have come, and select took either
			}
			interval = min(2*interval, resendMost*t1)
			again.Reset(interval)
			if err := x.tx.Respond(res); err != nil && reliable(x.src.transport) {
				l.unacknowledged(w, call.CauseTransport)
				return
			}
		case <-deadline.C:
			l.unacknowledged(w, call.CauseNoAck)
			return
		case <-l.ua.patience.Done():
			l.unacknowledged(w, call.CauseShutdown)
			return
		}
	}
}

// isOver reports whether nothing is to be resent any more: the ACK has come, or the BYE.
func (w *ackWait) isOver(l *leg) bool {
	select {
	case <-w.got:
		return true
	case <-l.gone:
		return true
	default:
		return false
	}
}

// unacknowledged ends a leg whose 200 got no ACK.
func (l *leg) unacknowledged(w *ackWait, why call.Cause) {
	l.mu.Lock()
	delete(l.acks, w.seq)
	l.mu.Unlock()
	if l.end(call.LegEnd{By: call.Far, Why: why, At: time.Now()}) {
		l.release()
	}
	l.sayBye()
}

// ack takes an ACK that matched no transaction. One for nothing we know is ignored.
func (u *UA) ack(x *exchange) {
	if l := u.legs.find(x); l != nil {
		l.acked(x.req)
		return
	}
	u.metrics.drop(dropStrayACK)
}

// acked matches an ACK with the 200 that waits for it; a repeated one changes nothing. The owner is told
// of the answer to our offer that it may bear, which a new offer of the far end's right behind it must not overtake.
func (l *leg) acked(req *sipmsg.Request) {
	l.mu.Lock()
	w, usable := l.acks[req.CSeq().SeqNo], true
	if w != nil {
		delete(l.acks, w.seq)
		close(w.got)
		usable = !w.delayed || l.ctx.Err() != nil || l.offerAnswered(req)
	}
	l.mu.Unlock()
	if !usable {
		l.Hangup(call.CauseError)
	}
}

// offerAnswered takes the answer to an offer of ours that an ACK or PRACK bears, and tells the owner. One that
// is not usable, of which it returns false, is to end the leg. While it runs, no other offer may begin.
func (l *leg) offerAnswered(req *sipmsg.Request) (usable bool) {
	method := zap.Stringer("method", req.Method)
	if err := l.stream.Accept(req.Body()); err != nil {
		l.ua.log.Info("answer to our offer not usable", zap.String("leg", string(l.id)), method, zap.Error(err))
		return false
	}
	if !l.deliver(call.MediaChanged{Leg: l.id, Held: l.stream.Held(), At: arrivedAt(req)}) {
		l.ua.log.Info("nobody was told of an answer to our offer", zap.String("leg", string(l.id)), method)
	}
	return true
}
