package sip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"

	"hotline/call"
	"hotline/media"
)

// Ring rings an agent's phone over its registered flow, and returns the leg when it answers. When ctx is
// done the INVITE is taken back, with the call.CancelCause that ended ctx as the reason, and Ring returns
// when the phone is free again, so that the next INVITE cannot overtake the CANCEL; a phone that does
// not say so is waited for during freeWithin·T1 at most. An answer that crosses is acknowledged and hung
// up here. The error is always a *call.RingError.
func (u *UA) Ring(ctx context.Context, r call.RingRequest) (call.Leg, error) {
	if u.site != nil && r.Claim != nil && r.Claim.Via != "" {
		return u.ringThrough(ctx, r)
	}
	f, ok := u.flowTo(r.Agent)
	if !ok {
		return nil, &call.RingError{Why: call.CauseUnreachable, At: time.Now()}
	}
	from, to, headers := u.shown(&r, hopOfFlow(f))
	o := outgoing{
		from: from, to: to, headers: headers, agent: r.Agent, call: r.CallID, claim: r.Claim,
		media:    media.StreamOptions{Signalling: f.source.Addr(), Prefer: r.Prefer, Secure: u.registrar.security(r.Agent)},
		progress: r.Progress,
	}
	o.by(u, f)
	l, err := u.invite(ctx, o)
	if err != nil {
		return nil, err
	}
	return l, nil
}

// shown is what a phone is to show of who calls: From and To, and headers beside them.
func (u *UA) shown(r *call.RingRequest, h hop) (from, to string, headers []sipmsg.Header) {
	self := u.selfAt(h).Addr().String()
	uri := sipmsg.Uri{Scheme: schemeSIP, User: plain(r.From), Host: self}
	if uri.User == "" {
		uri.User = anonymous
	}
	from = nameAddr(r.Display, &uri)
	if r.Private {
		from, headers = nobodysFrom, []sipmsg.Header{sipmsg.NewHeader("Privacy", "id")}
	}
	callee := sipmsg.Uri{Scheme: schemeSIP, User: r.Agent, Host: self}
	return from, nameAddr("", &callee), headers
}

// invite sends an INVITE and waits for its end. The error is a *call.RingError.
func (u *UA) invite(ctx context.Context, o outgoing) (*leg, error) {
	if !u.tasks.enter() {
		return nil, &call.RingError{Why: call.CauseUnreachable, At: time.Now()}
	}
	defer u.tasks.leave()
	if o.heard == nil {
		o.heard = func() {}
	}
	until := time.Now().Add(o.within)
	for lost, unsent := 0, 0; ; {
		l, why, err := u.inviteOnce(ctx, o)
		switch why {
		case cutNot:
		case cutUnsent:
			unsent++
		case cutLost:
			lost++
		}
		if why == cutNot || lost > 1 || unsent > 1 || ctx.Err() != nil || !o.secureAgain(ctx, until) {
			return l, err
		}
	}
}

// secureAgain has a connection be there for another try, and reports whether there is one, and time for it: until is when that is
// over, where it is bounded.
func (o *outgoing) secureAgain(ctx context.Context, until time.Time) bool {
	bounded := o.within > 0
	if bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, until)
		defer cancel()
	}
	if o.secure != nil && o.secure(ctx) != nil {
		return false
	}
	if !bounded {
		return true
	}
	least := o.within / restLeast
	o.within = time.Until(until)
	return o.within >= least
}

// inviteOnce is invite without another try. Of each cut there may be one: what answers the INVITE later is met. An agent's
// connection is the phone's to open.
func (u *UA) inviteOnce(ctx context.Context, o outgoing) (l *leg, why cut, err error) {
	r := &ringing{
		ua: u, o: o, began: time.Now(), byes: make(map[string]time.Time), acks: make(map[string]*sipmsg.Request),
		challenges: make(map[int]challenge),
	}
	r.d = dialog{
		CallID: newID(), LocalTag: newID(), Local: o.from, Remote: o.to, Target: o.target.String(),
		Transport: o.hop.transport, Ours: o.hop.ours, Agent: o.agent, Session: sessionTimer{Interval: u.o.SessionExpires},
	}
	r.d.Peer, r.d.Relayed, r.d.SIPS = parsePeer(o.hop.dest), o.relayed, o.hop.sips
	if o.relayed {
		r.d.By = &legOwner{Token: o.claim.Token, Owner: o.claim.Owner, Call: o.call}
	}
	if err := r.open(o.hop); err != nil {
		u.log.Warn("no stream to ring with", zap.Error(err))
		return nil, cutNot, &call.RingError{Why: call.CauseUnreachable, At: time.Now()}
	}
	u.ladder.begin(r.d.CallID, o.call, cmp.Or(o.agent, dialled(&o.target)), o.agent != "")
	u.legs.ring(r)
	defer u.legs.rung(r)
	if o.current != nil && !o.current() {
		r.close()
		return nil, cutNot, &call.RingError{Why: call.CauseUnreachable, At: time.Now()}
	}
	if l, err = r.run(ctx); err != nil {
		r.close()
		if o.agent != "" {
			return nil, cutNot, err
		}
		return nil, r.cut, err
	}
	return l, cutNot, nil
}

// open makes the stream and the offer, for a way.
func (r *ringing) open(h hop) (err error) {
	o := r.o.media
	if !r.o.relayed {
		o.Advertise = r.ua.audioAt(h, nil)
	} else if r.o.claim != nil { // the way is the other node's, and not the phone's
		o.Advertise = r.ua.audioTo(r.o.claim.Phone)
	}
	r.told = o.Advertise
	if r.stream, err = r.ua.openStream(o); err != nil {
		return err
	}
	if r.offer, err = r.stream.Offer(); err != nil {
		r.close()
	}
	return err
}

// anew is open, in place of a stream whose offer is no more. Errors: open's; the ring then has what it had.
func (r *ringing) anew(h hop) error {
	before, offer, told := r.stream, r.offer, r.told
	if err := r.open(h); err != nil {
		r.stream, r.offer, r.told = before, offer, told
		return err
	}
	if err := before.Close(); err != nil {
		r.ua.log.Warn("stream of an offer that is no more not closed", zap.Error(err))
	}
	return nil
}

func (r *ringing) close() {
	if err := r.stream.Close(); err != nil {
		r.ua.log.Warn("stream of a ring not closed", zap.Error(err))
	}
}

// send sends the INVITE, with all that the refusals of those before it asked for.
func (r *ringing) send(ctx context.Context) error {
	r.begin()
	req, err := r.d.request(sipmsg.INVITE, 0)
	if err != nil {
		return err
	}
	req.AppendHeader(r.ua.contactAt(r.o.hop))
	req.AppendHeader(sipmsg.NewHeader("Allow", allowed))
	req.AppendHeader(optionList("Supported", except(ours(), r.refused)))
	if len(r.o.require) > 0 {
		req.AppendHeader(optionList("Require", r.o.require))
	}
	if !among(r.refused, optionTimer) {
		r.d.Session.ask(req)
	}
	for _, h := range r.o.headers {
		req.AppendHeader(h)
	}
	req.AppendHeader(sipmsg.NewHeader("Content-Type", sdpType))
	req.SetBody(r.offer)
	for _, c := range r.challenges {
		if err := r.o.authorize.credentials(req, c.auth); err != nil {
			return fmt.Errorf("answer a challenge: %w", err)
		}
	}
	r.ua.dispatchable(req, r.o.hop)
	if err := r.claimed(req); err != nil {
		return err
	}
	if err := r.ua.prepare(ctx, req); err != nil {
		return fmt.Errorf("send INVITE: %w", err)
	}
	tx, err := r.ua.txs.NewClientTransaction(ctx, req)
	if err != nil {
		if errors.Is(err, errNotOpened) { // lost since
			r.cut = cutUnsent
		}
		return fmt.Errorf("send INVITE: %w", err)
	}
	r.over, r.sent = leftBy(tx), time.Now()
	// Before anything is sent, so that nothing is missed.
	r.ua.reacks.watch(tx)
	tx.OnRetransmission(r.again)
	left := r.guarded(tx)
	if err := tx.Init(); err != nil {
		tx.Terminate()
		if r.over != nil {
			r.cut = cutUnsent
		}
		return fmt.Errorf("send INVITE: %w", err)
	}
	if !left() {
		tx.Terminate()
		return gateError{verdict: call.GateLate}
	}
	r.req, r.tx, r.heard = req, tx, false
	return nil
}

// run waits for the end of the ring.
func (r *ringing) run(ctx context.Context) (*leg, error) {
	if err := r.begun(ctx); err != nil {
		return nil, err
	}
	silent, stop := r.silence()
	defer stop()
	for {
		select {
		case <-silent:
			return nil, r.unheard()
		case <-ctx.Done():
			return nil, r.takeBack(withdrawnFor(ctx))
		case <-r.ua.ctx.Done():
			return nil, r.takeBack(call.CauseWithdrawn)
		case <-r.allLost:
			return nil, r.takeBack(call.CauseUnreachable)
		case <-r.tx.Done():
			if err := r.goOn(ctx, r.noResponse); err != nil {
				return nil, err
			}
		case <-r.loss.c: // it has not been heard; else its response may come by another connection (RFC 3261 section 18.2.2)
			if err := r.wasLost(ctx); err != nil {
				return nil, err
			}
		case res := <-r.tx.Responses():
			at := arrivedAt(res)
			silent, r.loss.c = nil, nil
			r.o.heard()
			switch {
			case res.IsProvisional():
				r.provisional(res)
			case res.IsSuccess():
				return r.answered(res, at)
			default:
				if err := r.refusal(ctx, res, at); err != nil {
					return nil, err
				}
			}
		}
	}
}

// begun sends the first INVITE. The error is a *call.RingError.
func (r *ringing) begun(ctx context.Context) error {
	err := r.send(ctx)
	if err == nil {
		r.loss = r.lost()
		return nil
	}
	if refused, ok := errors.AsType[gateError](err); ok {
		r.settle()
		return refused.ring()
	}
	r.ua.log.Info("INVITE not sent", zap.Error(err))
	return r.goOn(ctx, func() error {
		r.settle()
		return r.silent(false)
	})
}

// wasLost is told that the connection is gone by which the INVITE left. The error, a *call.RingError, is the end of the ring.
func (r *ringing) wasLost(ctx context.Context) error {
	if r.loss.spares() {
		return nil
	}
	r.loss.c = nil
	return r.goOn(ctx, func() error {
		if r.o.agent != "" {
			return nil
		}
		r.cut = cutLost
		return r.abandon()
	})
}

// refusal is told of a refusal. The error, a *call.RingError, is the end of the ring.
func (r *ringing) refusal(ctx context.Context, res *sipmsg.Response, at time.Time) error {
	if r.mend(res) {
		if err := r.sendMended(ctx, res, at); err != nil {
			return err
		}
		r.loss = r.lost()
		return nil
	}
	over := func() error {
		r.settle()
		return r.refusedBy(res, at)
	}
	if ofFlow(res) {
		return r.goOn(ctx, over)
	}
	return over()
}

// sendMended sends the INVITE again, with what a refusal of it asked for. The error is a *call.RingError.
func (r *ringing) sendMended(ctx context.Context, refusal *sipmsg.Response, at time.Time) error {
	err := r.send(ctx)
	if err == nil {
		return nil
	}
	r.settle()
	if refused, ok := errors.AsType[gateError](err); ok { // nothing but the gate, or the time, is at fault
		return refused.ring()
	}
	r.ua.log.Info("INVITE not sent again", zap.Error(err))
	return &call.RingError{Why: call.CauseDeclined, Code: refusal.StatusCode, At: at}
}

// noResponse is the end of a ring whose transaction is over without a response.
func (r *ringing) noResponse() error {
	r.settle()
	return r.silent(r.o.claim != nil)
}

// silent is the end of a ring that nothing answered: the flow is not what it was.
func (r *ringing) silent(unsure bool) error {
	if r.o.failed != nil {
		r.o.failed()
	}
	if r.o.agent == "" {
		r.ua.unheard(r.o.hop, r.over, r.sent)
	}
	return &call.RingError{Why: call.CauseUnreachable, At: time.Now(), Unsure: unsure}
}

// lost is of the connection that the INVITE left by. A phone's own is of no consequence: its next connection the phone opens, and
// may answer by; unless the phone has another flow already.
func (r *ringing) lost() loss {
	if r.over == nil || r.o.agent != "" && !r.over.made && !r.spares() {
		return loss{}
	}
	return lossOf(r.over, r.sent)
}

// progress tells of a 18x. It is called on the read loop's goroutine, since a 200 right behind it may be
// handled first, and the transaction then drops it.
func (u *UA) progress(res *sipmsg.Response) {
	if seq := res.CSeq(); !res.IsProvisional() || res.StatusCode == sipmsg.StatusTrying || seq == nil || seq.MethodName != sipmsg.INVITE {
		return
	}
	r := u.legs.ringOf(res)
	if r == nil {
		return
	}
	if r.gated() {
		u.registrar.rungLeg(r.o.agent, r.d.CallID)
	}
	if r.o.progress != nil {
		r.o.progress(res.StatusCode, arrivedAt(res))
	}
}

// withdrawnFor is why a ring was withdrawn.
func withdrawnFor(ctx context.Context) call.Cause {
	if c, ok := errors.AsType[call.CancelCause](context.Cause(ctx)); ok {
		return c.Why
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return call.CauseNoAnswer
	}
	return call.CauseWithdrawn
}
