package sip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"

	"hotline/call"
)

// A request within the dialog is the proof that the far end still has it: OPTIONS is answered by who has
// forgotten the call as well (RFC 4028 section 1, RFC 5057 section 5.4).

var (
	// errSilent: the far end does not have the dialog any more, or cannot be reached in it.
	errSilent = errors.New("sip: far end is silent")
	// errDenied, with errSilent: the far end says so itself.
	errDenied = errors.New("sip: far end does not know the dialog")
	// errTheirs: a request of the far end's is under way, which is proof enough.
	errTheirs = errors.New("sip: the far end's offer is under way")
)

// retryEvery is how long, in T1, we wait for a way to the far end before we look for it again.
const retryEvery = 4

// glareMost bounds how often one refresh is sent again after a 491: each is a proof of life already.
const glareMost = 4

// movesMost bounds how often a phone that did not answer is asked anew where it has moved to.
const movesMost = 4

// ask has a leg's far end prove that it lives, in the background: by a refresh of the session within its
// dialog. A far end that gives no sign in 64·T1, or says that it knows of no such dialog, loses its leg with
// call.CauseSilent. Asking while it is being asked, or has ended, does nothing.
func (u *UA) ask(l *leg) { u.background("ask", func() { l.prove(call.CauseSilent) }) }

// flowChanged is the registrar's onFlow. The calls of an agent whose phone cannot be reached any more are asked
// at once, and those that wait for a way to it are told of the new one.
func (u *UA) flowChanged(agent string, up bool) {
	u.o.OnFlow(agent, up)
	for _, l := range u.legs.all() {
		if l.agent != agent || l.relayed {
			continue
		}
		if !up {
			u.ask(l)
			continue
		}
		select {
		case l.moved <- struct{}{}:
		default: // told already
		}
	}
}

// prove is ask in the foreground. why is the cause with which a far end that is not there loses its leg.
func (l *leg) prove(why call.Cause) {
	select {
	case l.turn <- struct{}{}:
	default:
		return
	}
	defer func() { <-l.turn }()
	l.ask(why, l.renew)
}

// ask is prove, by what send sends. The caller has the turn.
func (l *leg) ask(why call.Cause, send func() (*sipmsg.Response, error)) {
	before, asked := l.lapses(), time.Now()
	err := l.refresh(send)
	if errors.Is(err, errSilent) && (why != call.CauseNoMedia || errors.Is(err, errDenied) || !l.heardSince(asked)) {
		l.ua.log.Warn("far end is silent", zap.String("leg", string(l.id)), zap.Error(err))
		l.abandon(why)
		return
	}
	if err != nil {
		l.ua.log.Debug("leg not refreshed", zap.String("leg", string(l.id)), zap.Error(err))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.d.Session.Ends.Equal(before) && !l.answeredAt.IsZero() {
		l.wakeIn(l.untilRetry())
	}
}

// lapses is when the session will.
func (l *leg) lapses() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.d.Session.Ends
}

// refresh sends a refresh, by send, until it is clear whether the far end lives. It returns an error that wraps errSilent
// if it does not, another when that could not be asked (the leg ended, the far end's own offer is under way),
// and nil when it does, whether it took the refresh or not: no refusal but those that deny the dialog ends it
// (RFC 5057 section 5.1).
func (l *leg) refresh(send func() (*sipmsg.Response, error)) error {
	limit := time.NewTimer(ackWithin * l.ua.o.T1)
	defer limit.Stop()
	defer l.unchallenged()
	var tried attempts
	for moves := 0; ; {
		way := l.way()
		res, err := send()
		if errors.Is(err, errSilent) && moves < movesMost && l.way() != way {
			moves++ // the phone has registered from elsewhere meanwhile, and cannot have heard
			limit.Reset(ackWithin * l.ua.o.T1)
			continue
		}
		if errors.Is(err, errNoWay) { // a phone over TCP may be back, over another connection
			if !lull(l, retryEvery*l.ua.o.T1, limit.C) {
				return fmt.Errorf("%w: %w", errSilent, err)
			}
			continue
		}
		if err != nil {
			return err
		}
		if l.strayed(res) { // a phone whose node is dead may be back, at another
			if !lull(l, retryEvery*l.ua.o.T1, limit.C) {
				return fmt.Errorf("%w: %d by the node in between", errSilent, res.StatusCode)
			}
			continue
		}
		switch res.StatusCode { // RFC 3261 section 12.2.1.2
		case sipmsg.StatusCallTransactionDoesNotExists:
			return fmt.Errorf("%w: %w", errSilent, errDenied)
		case sipmsg.StatusRequestTimeout:
			return fmt.Errorf("%w: 408", errSilent)
		}
		if !l.mended(res, &tried) {
			return nil
		}
	}
}

// attempts count what a refresh was sent again for.
type attempts struct{ glares, raises int }

// mended reports whether a refresh may be sent again, which may be answered otherwise than with res; after a 491 it
// waits for that.
func (l *leg) mended(res *sipmsg.Response, tried *attempts) bool {
	switch res.StatusCode {
	case sipmsg.StatusRequestPending:
		tried.glares++
		return tried.glares <= glareMost && lull[time.Time](l, l.glareWait(), nil)
	case statusIntervalTooSmall:
		tried.raises++
		return tried.raises <= raisesMost && l.raise(res)
	default:
		return l.challenged(res)
	}
}

// way is where the far end is to be reached now; empty when it cannot be.
func (l *leg) way() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, err := l.hop()
	if err != nil {
		return ""
	}
	return h.transport + " " + h.dest
}

// lull waits for a while, or until the far end's phone has a new flow; false when the leg ended meanwhile, we
// are closing, or limit came.
func lull[T any](l *leg, d time.Duration, limit <-chan T) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.moved:
	case <-l.ctx.Done():
		return false
	case <-l.ua.patience.Done():
		return false
	case <-limit:
		return false
	}
	return true
}

// glareWait is how long to wait after a 491 (RFC 3261 section 14.1), in steps of 10 ms: from 2.1 to 4 s for
// whoever made the Call-ID, from 0 to 2 s for the other, so that they do not meet again.
func (l *leg) glareWait() time.Duration {
	const step = 10 * time.Millisecond
	if l.invite == nil {
		return time.Duration(210+rand.IntN(191)) * step //nolint:gosec // spread, not secret
	}
	return time.Duration(rand.IntN(201)) * step //nolint:gosec // spread, not secret
}

// raise takes the longer interval that a 422 wants.
func (l *leg) raise(res *sipmsg.Response) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.d.Session.raise(timerWishOf(res))
}

// errNoWay: a request could not be sent.
var errNoWay = errors.New("sip: no way to the far end")

// renew sends one refresh: UPDATE, which disturbs least (RFC 4028 section 7.4), where the far end takes it, else
// a re-INVITE with our description as it is. It returns the final response.
func (l *leg) renew() (*sipmsg.Response, error) {
	l.mu.Lock()
	update := l.d.Update
	l.mu.Unlock()
	var res *sipmsg.Response
	var err error
	if update {
		res, err = l.update()
	} else {
		res, err = l.reoffer(l.stream.Current)
	}
	if err == nil && (res.StatusCode == sipmsg.StatusMethodNotAllowed || res.StatusCode == sipmsg.StatusNotImplemented) {
		l.mu.Lock()
		l.d.Update = !update // the other method next time, whatever its Allow says
		l.mu.Unlock()
	}
	return res, err
}

// update sends an UPDATE without an offer (RFC 3311), and waits for its end.
func (l *leg) update() (*sipmsg.Response, error) {
	req, err := l.own(sipmsg.UPDATE, nil)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(l.ua.patience, ackWithin*l.ua.o.T1, errSilent)
	defer cancel()
	defer context.AfterFunc(l.ctx, cancel)()
	l.mu.Lock()
	done := l.hastens(cancel)
	l.mu.Unlock()
	defer done()
	sent := time.Now()
	tx, err := l.ua.request(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("%w: send UPDATE: %w", errNoWay, err)
	}
	res, err := awaitUnless(ctx, tx, lossOf(leftBy(tx), sent))
	if errors.Is(err, errCutOff) {
		return nil, fmt.Errorf("%w: %w", errNoWay, err)
	}
	if err != nil {
		if l.ctx.Err() == nil && l.ua.patience.Err() == nil {
			return nil, fmt.Errorf("%w: %w", errSilent, err)
		}
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.renewed(res)
	return res, nil
}

// own makes a target refresh request of ours, with an offer unless that is nil, ready to leave. A refresh that
// has to wait for the far end's own offer, or its ACK, fails with errTheirs. The offer is made when it is known that
// it may leave, and not beside an answer of ours: see reoffer.answer.
func (l *leg) own(method sipmsg.RequestMethod, offer func() ([]byte, error)) (*sipmsg.Request, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.ctx.Err() != nil:
		return nil, fmt.Errorf("send %s: %w", method, context.Cause(l.ctx))
	case l.answeredAt.IsZero(), l.reoffering.Load() != nil, len(l.acks) > 0:
		return nil, fmt.Errorf("send %s: %w", method, errTheirs)
	}
	h, err := l.hop()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoWay, err)
	}
	if l.agent != "" && reliable(h.transport) && !l.ua.conns.alive(h.transport, parsePeer(h.dest)) {
		return nil, fmt.Errorf("%w: %w", errNoWay, net.ErrClosed)
	}
	var body []byte
	if offer != nil {
		if body, err = offer(); err != nil {
			return nil, fmt.Errorf("make an offer: %w", err)
		}
	}
	req, err := l.d.request(method, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoWay, err)
	}
	req.AppendHeader(l.ua.contactAt(h))
	req.AppendHeader(sipmsg.NewHeader("Allow", allowed))
	req.AppendHeader(supportedHeader())
	l.d.Session.ask(req)
	if body != nil {
		req.AppendHeader(sipmsg.NewHeader("Content-Type", sdpType))
		req.SetBody(body)
	}
	if err := l.authorized(req); err != nil {
		return nil, err
	}
	l.ua.dispatchableIn(&l.d, req, h)
	l.inviting = method == sipmsg.INVITE
	return req, nil
}

// renewed takes what the far end's final response to a refresh of ours says of the dialog. The caller holds
// l.mu.
func (l *leg) renewed(res *sipmsg.Response) {
	l.d.heard(res)
	if !res.IsSuccess() {
		return
	}
	l.d.refresh(res)
	l.refreshed(l.d.Session.answered(timerWishOf(res), &l.ua.o))
}
