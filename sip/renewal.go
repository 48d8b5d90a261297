package sip

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"

	"hotline/call"
)

// renewal is one re-INVITE of ours, from its sending to its final response.
type renewal struct {
	l   *leg
	req *sipmsg.Request
	tx  *sipmsg.ClientTx
	// over is the connection that it left by, nil over UDP; sent is when.
	over *trackedConn
	sent time.Time
	ack  atomic.Pointer[sipmsg.Request] // of its 2xx, and of each repetition of that
}

// reoffer sends a re-INVITE with an offer, and waits for its end (RFC 3261 section 14.1). It returns the final
// response, acknowledged and taken up. Errors: those of own; errNoWay; errSilent when none came.
func (l *leg) reoffer(offer func() ([]byte, error)) (*sipmsg.Response, error) {
	req, err := l.own(sipmsg.INVITE, offer)
	if err != nil {
		return nil, err
	}
	defer l.invited()
	r := &renewal{l: l, req: req}
	ctx, cancel := context.WithTimeout(l.ua.patience, ackWithin*l.ua.o.T1) // of the way to the far end only
	defer cancel()
	if err = l.ua.prepare(ctx, req); err == nil {
		r.tx, err = l.ua.txs.NewClientTransaction(ctx, req)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: send INVITE: %w", errNoWay, err)
	}
	if l.ctx.Err() != nil { // while a connection was made
		r.tx.Terminate()
		return nil, fmt.Errorf("send INVITE: %w", context.Cause(l.ctx))
	}
	// Before anything is sent, so that nothing is missed.
	l.ua.reacks.watch(r.tx)
	r.tx.OnRetransmission(r.again)
	l.mu.Lock()
	done := l.hastens(r.tx.Terminate)
	l.mu.Unlock()
	defer done()
	r.sent = time.Now()
	if err := r.tx.Init(); err != nil {
		r.tx.Terminate()
		return nil, fmt.Errorf("%w: send INVITE: %w", errNoWay, err)
	}
	r.over = leftBy(r.tx)
	return r.await()
}

// invited lets the far end offer again.
func (l *leg) invited() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inviting = false
}

// await waits for the final response. A far end that gave a provisional one and no other in 64·T1 is sent a
// CANCEL, to which it owes one (RFC 3261 section 9.1). When the leg ends meanwhile, by a BYE that crosses, the
// re-INVITE is still owed its end, and a 2xx its ACK, but nothing else. When its connection is lost before anything was heard
// it may be sent anew, by another.
func (r *renewal) await() (*sipmsg.Response, error) {
	t1 := r.l.ua.o.T1
	limit := time.NewTimer(ackWithin * t1)
	defer limit.Stop()
	heard, cancelled := false, false
	lost := lossOf(r.over, r.sent)
	deaf, stop := r.deaf()
	defer stop()
	for {
		select {
		case <-lost.c:
			if lost.spares() {
				continue
			}
			return nil, r.giveUp(errCutOff)
		case <-deaf:
			if deaf = nil; heard || r.over.heardSince(r.sent) {
				continue
			}
			r.l.ua.outward.noteNoTCP(r.over.key(), time.Now())
			return nil, r.giveUp(errDeaf)
		case res := <-r.tx.Responses():
			if res.IsProvisional() {
				heard, lost.c = true, nil
				continue
			}
			return res, r.final(res)
		case <-r.tx.Done():
			return nil, fmt.Errorf("%w: no answer to INVITE: %w", errSilent, r.tx.Err())
		case <-limit.C:
			if !heard || cancelled {
				r.tx.Terminate()
				return nil, fmt.Errorf("%w: no answer to INVITE in time", errSilent)
			}
			cancelled = true
			r.l.ua.cancelInvite(r.req)
			limit.Reset(ackWithin * t1)
		case <-r.l.ua.patience.Done():
			r.tx.Terminate()
			return nil, fmt.Errorf("no answer to INVITE: %w", ErrClosed)
		}
	}
}

// errDeaf: nothing came over a connection since a large request had left by it.
var errDeaf = errors.New("sip: whoever takes connections there says nothing")

// giveUp leaves the re-INVITE to late; it may be sent anew by another way.
func (r *renewal) giveUp(why error) error {
	if !r.l.ua.background("late 2xx", r.late) {
		r.tx.Terminate()
	}
	return fmt.Errorf("%w: no answer to INVITE: %w", errNoWay, why)
}

// deaf is when a re-INVITE that left by TCP for its size alone goes by UDP, if nothing came over that connection; nil: never.
func (r *renewal) deaf() (at <-chan time.Time, stop func()) {
	r.l.mu.Lock()
	large := r.over != nil && !reliable(r.l.d.Transport)
	r.l.mu.Unlock()
	if !large {
		return nil, func() {}
	}
	t := time.NewTimer(deafWithin * r.l.ua.o.T1)
	return t.C, func() { t.Stop() }
}

// late meets what answers a re-INVITE that was given up with its connection: with a CANCEL, or an ACK, without which the far
// end would hang up (RFC 3261 section 13.3.1.4). What it agrees to is not looked at: another offer has gone out since.
func (r *renewal) late() {
	limit := time.NewTimer(ackWithin * r.l.ua.o.T1)
	defer limit.Stop()
	cancelled := false
	for {
		select {
		case res := <-r.tx.Responses():
			switch {
			case !res.IsProvisional():
				r.lately(res)
				return
			case !cancelled:
				cancelled = true
				r.l.ua.cancelInvite(r.req)
			}
		case <-r.tx.Done():
			return
		case <-limit.C:
			r.tx.Terminate()
			return
		case <-r.l.ua.patience.Done():
			r.tx.Terminate()
			return
		}
	}
}

// lately acknowledges a late 2xx.
func (r *renewal) lately(res *sipmsg.Response) {
	if !res.IsSuccess() {
		return
	}
	r.l.mu.Lock()
	ack := r.ackOf()
	r.l.mu.Unlock()
	if ack != nil {
		r.acknowledge(ack)
	}
}

// final takes the final response. The error says that the leg has ended meanwhile. The far end may offer again as
// soon as it has sent a 2xx or has its ACK, but that is looked at when the answer in the 2xx has been taken: the
// stream would take it for one to nothing.
func (r *renewal) final(res *sipmsg.Response) error {
	ack, err := r.settled(res)
	if ack != nil { // without l.mu: its way may have to be looked up, or connected to
		r.acknowledge(ack)
	}
	return err
}

// settled is final but for the ACK, which it makes of a 2xx: to where that says.
func (r *renewal) settled(res *sipmsg.Response) (ack *sipmsg.Request, err error) {
	l := r.l
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inviting = false
	l.renewed(res)
	if res.IsSuccess() {
		ack = r.ackOf()
	}
	if l.ctx.Err() != nil {
		return ack, fmt.Errorf("re-INVITE: %w", context.Cause(l.ctx))
	}
	if res.IsSuccess() {
		r.take(res)
	}
	return ack, nil
}

// ackOf makes the ACK of a 2xx (RFC 3261 section 13.2.2.4), ready to leave; nil when there is no way for it. The caller holds
// l.mu.
func (r *renewal) ackOf() *sipmsg.Request {
	l := r.l
	ack, err := l.d.request(sipmsg.ACK, r.req.CSeq().SeqNo)
	var h hop
	if err == nil {
		h, err = l.hop()
	}
	if err != nil {
		r.notAcknowledged(err)
		return nil
	}
	l.ua.dispatchableIn(&l.d, ack, h)
	return ack
}

// acknowledge sends the ACK of a 2xx, and keeps it.
func (r *renewal) acknowledge(ack *sipmsg.Request) {
	if err := r.l.ua.write(ack); err != nil {
		r.notAcknowledged(err)
	}
	r.ack.Store(ack) // not before, since sipgo writes on what it sends, and so does again
}

func (r *renewal) notAcknowledged(err error) {
	r.l.ua.log.Info("ACK of a re-INVITE not sent", zap.String("leg", string(r.l.id)), zap.Error(err))
}

// again is called by the transaction for every 2xx after the first: it is acknowledged again.
func (r *renewal) again(*sipmsg.Response) {
	defer r.l.ua.contain("2xx", nil)
	ack := r.ack.Load()
	if ack == nil {
		return // the first is being acknowledged this moment; this one will come again
	}
	if err := r.l.ua.write(ack); err != nil {
		r.l.ua.log.Debug("ACK not sent again", zap.Error(err))
	}
}

// take has the stream follow the answer, and tells the owner if it changed who hears whom. An answer that
// cannot be used leaves the session as it was: what we offered was nothing new. The caller holds l.mu.
func (r *renewal) take(res *sipmsg.Response) {
	l := r.l
	held := l.stream.Held()
	if len(res.Body()) == 0 {
		return
	}
	if err := l.stream.Accept(res.Body()); err != nil {
		l.ua.log.Info("answer to a re-INVITE not usable", zap.String("leg", string(l.id)), zap.Error(err))
		return
	}
	if now := l.stream.Held(); now != held {
		if !l.deliver(call.MediaChanged{Leg: l.id, Held: now, At: arrivedAt(res)}) {
			l.ua.log.Info("nobody was told of a hold", zap.String("leg", string(l.id)))
		}
	}
}
