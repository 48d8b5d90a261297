package sip

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"

	"hotline/call"
	"hotline/media"
)

// leg is one party on the line; it implements call.Leg whichever side sent the INVITE.
type leg struct {
	ua    *UA
	id    call.LegID
	key   string // of its dialog
	agent string // whose phone it is, if an agent's
	// relayed: that phone is registered at another node.
	relayed bool
	over    atomic.Bool
	of      atomic.Pointer[string] // the call that it belongs to; nil while nobody said. See Belongs
	settled chan struct{}          // closed once nothing of the dialog is under way any more; see Settled
	stream  media.Stream
	ctx     context.Context //nolint:containedctx // call.Leg.Context is this
	cancel  context.CancelCauseFunc

	mu sync.Mutex // guards what follows; held while a response is given to its transaction
	d  dialog
	// lies is how d is reached, for who must not wait for mu; see reach.
	lies atomic.Pointer[flowKey]
	// newest is when the far end's request with the highest CSeq was read; zero before the first in the dialog.
	newest time.Time
	// invite is the INVITE that brought the leg in, nil when we rang it; received is when. Both are set before others have
	// the leg, and never again.
	invite   *exchange
	received time.Time
	// up is the leg for the INVITE's transaction, until the leg has ended: that keeps what it is to tell of a CANCEL for
	// 64·T1, and is not to keep a leg and its stream with it. Nil when we rang it.
	up *atomic.Pointer[leg]
	// answer is the SDP for the 200, nil when the INVITE had no offer: the 200 then has ours (RFC 3261
	// section 13.2.1, "delayed offer").
	answer     []byte
	progressed bool      // a 18x or the 200 was sent
	answeredAt time.Time // when the 200 was sent or received; zero before
	farGone    bool      // the far end's BYE came: ours is not wanted
	byeSent    bool
	hurry      *func()       // ends the waiting for an answer; nil when nothing waits that would be asked anew. See Reroute
	gone       chan struct{} // closed with farGone
	// acks are the 200s of ours that wait for their ACK, by CSeq: the INVITE's, and a re-INVITE's, which may
	// come before the INVITE's ACK does.
	acks map[uint32]*ackWait
	// reliably is how the 18x are sent when the INVITE requires 100rel, else nil.
	reliably *reliably
	// referral is the last REFER of the agent whose phone this is, nil before the first.
	referral *referral
	// authorize is who we are to the trunk that the leg was called through; nil when it has no password for us. asked is how
	// it challenged the INVITE, nil if it did not; challenges are those under way, by status.
	authorize  *asWhom
	asked      *demand
	challenges map[int]challenge

	again atomic.Pointer[time.Timer] // of the 180 that is repeated; nil before the first. As timer

	reoffering atomic.Pointer[reoffer] // an offer of the far end's that has no answer yet; nil when none
	inviting   bool                    // a re-INVITE of ours has no final response yet; mu guards it
	// timer is of the session; nil before the 2xx. Who holds mu sets it, and end stops it.
	timer atomic.Pointer[time.Timer]
	// free gives the leg's place among Options.MaxCalls back, once it has ended. Nil when we rang it.
	free func()

	turn  chan struct{} // taken by whoever sends a refresh or an offer of ours
	moved chan struct{} // has a token when the agent's phone has a new flow

	attachMu sync.Mutex // held while post runs; a leaf in the order of locks
	post     func(call.Command) bool
	untold   *call.AudioFact // that nobody was there to be told of; nil when none
}

var _ call.RelayedLeg = (*leg)(nil)

// errAnswered: the leg was answered, so it cannot be rung.
var errAnswered = errors.New("sip: leg is answered")

// newLeg makes a leg that nobody knows of yet: who makes it completes it, and then enters it in the table.
// The dialog's tags must be known.
func (u *UA) newLeg(d dialog, stream media.Stream) *leg {
	l := &leg{
		ua: u, id: call.LegID(newID()), key: d.id(), agent: d.Agent, relayed: d.Relayed, d: d, stream: stream,
		gone: make(chan struct{}), acks: make(map[uint32]*ackWait),
		settled: make(chan struct{}),
		turn:    make(chan struct{}, 1), moved: make(chan struct{}, 1),
	}
	l.followed()
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	stream.OnKey(func(k media.Key) {
		l.deliver(call.KeyPressed{Leg: l.id, Key: k, At: time.Now()})
	})
	return l
}

// newID makes an identifier of 128 random bits, for Call-IDs, tags and legs.
func newID() string { return rand.Text() }

// ID implements call.Leg.
func (l *leg) ID() call.LegID { return l.id }

// Context implements call.Leg.
func (l *leg) Context() context.Context { return l.ctx }

// Audio implements call.Leg.
func (l *leg) Audio() media.Stream { return l.stream }

// Attach implements call.Leg.
func (l *leg) Attach(post func(call.Command) bool) {
	l.attachMu.Lock()
	defer l.attachMu.Unlock()
	l.post = post
	l.retell()
}

// Belongs implements call.Leg.
func (l *leg) Belongs(callID string) {
	l.of.Store(&callID)
	l.ua.ladder.belongs(callIDOf(l.key), callID)
}

// callID is the call that the leg belongs to; "" while nobody said.
func (l *leg) callID() string {
	if id := l.of.Load(); id != nil {
		return *id
	}
	return ""
}

// owned reports whether somebody is attached.
func (l *leg) owned() bool {
	l.attachMu.Lock()
	defer l.attachMu.Unlock()
	return l.post != nil
}

// deliver hands a command to the owner; false when there is none or its mailbox is full.
func (l *leg) deliver(c call.Command) bool {
	l.attachMu.Lock()
	defer l.attachMu.Unlock()
	return l.post != nil && l.post(c)
}

// Ring implements call.Leg.
func (l *leg) Ring() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return fmt.Errorf("ring: %w", context.Cause(l.ctx))
	}
	if l.invite == nil || !l.answeredAt.IsZero() {
		return fmt.Errorf("ring: %w", errAnswered)
	}
	x := l.invite
	send := func() error { return x.send(x.response(sipmsg.StatusRinging, nil, l.contact())) }
	if l.reliably != nil {
		send = l.ringReliably
	}
	if err := send(); err != nil {
		return fmt.Errorf("send 180: %w", err)
	}
	l.progress(time.Now())
	l.ringOn()
	return nil
}

// progress measures the post-dial delay, once. The caller holds l.mu.
func (l *leg) progress(at time.Time) {
	if !l.progressed {
		l.progressed = true
		took := at.Sub(l.received)
		l.ua.metrics.postDial.Observe(took.Seconds())
		l.ua.load.begun(took)
	}
}

// contact is our Contact in the leg's dialog. The caller holds l.mu.
func (l *leg) contact() sipmsg.Header {
	return l.ua.contactAt(l.d.hop())
}

// Answer implements call.Leg.
func (l *leg) Answer() (time.Time, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.awaitPrack()
	if l.ctx.Err() != nil {
		return time.Time{}, fmt.Errorf("answer: %w", context.Cause(l.ctx))
	}
	if !l.answeredAt.IsZero() {
		return l.answeredAt, nil
	}
	if l.ua.ctx.Err() != nil { // Close refuses what is not answered, whether its PRACK has come or not
		return time.Time{}, fmt.Errorf("answer: %w", ErrClosed)
	}
	body, delayed := l.answer, l.answer == nil && !l.offered()
	if delayed {
		offer, err := l.stream.Offer()
		if err != nil {
			return time.Time{}, fmt.Errorf("make an offer for the 200: %w", err)
		}
		body = offer
	}
	if err := l.accept(l.invite, body, delayed); err != nil {
		return time.Time{}, err
	}
	l.answeredAt = time.Now()
	l.progress(l.answeredAt)
	return l.answeredAt, nil
}

// Hangup implements call.Leg.
func (l *leg) Hangup(why call.Cause) {
	if l.end(call.LegEnd{By: call.System, Why: why, At: time.Now()}) {
		l.dismiss(why)
	}
}

// dismiss is the rest of Hangup, for a leg that we have ended: it waits for what is being written to the far end.
func (l *leg) dismiss(why call.Cause) {
	l.release()
	l.mu.Lock()
	ringing, waiting := l.answeredAt.IsZero(), len(l.acks) > 0
	l.mu.Unlock()
	switch {
	case ringing:
		l.invite.reply(statusOf(why))
		l.forget()
	case waiting: // no BYE before the ACK: who resends the 200 will send it
	default:
		l.farewell()
	}
}

// end cancels the leg's context with e, and reports whether it was the first to. It takes no lock and
// does not block: transactions call it from inside.
func (l *leg) end(e call.LegEnd) bool {
	l.cancel(&e)
	if !errors.Is(context.Cause(l.ctx), &e) {
		return false
	}
	for _, t := range []*time.Timer{l.timer.Load(), l.again.Load()} {
		if t != nil {
			t.Stop() // it would keep the ended leg in memory for as long as it runs
		}
	}
	if l.free != nil {
		l.free()
	}
	return true
}

// hungUp takes the far end's BYE. It reports whether the leg was still up, and so whether the stream is to be
// released, and whether its INVITE is still owed its response.
func (l *leg) hungUp(at time.Time) (first, ringing bool) {
	l.mu.Lock()
	if !l.farGone {
		l.farGone = true
		close(l.gone)
	}
	ringing = l.answeredAt.IsZero()
	first = l.end(call.LegEnd{By: call.Far, Why: call.CauseBye, At: at}) // before any later 18x looks
	l.mu.Unlock()
	l.ua.legs.remove(l)
	return first, ringing
}

// release closes the stream.
func (l *leg) release() {
	if l.up != nil {
		l.up.Store(nil)
	}
	if err := l.stream.Close(); err != nil {
		l.ua.log.Warn("stream of a leg not closed", zap.String("leg", string(l.id)), zap.Error(err))
	}
}

// cancelled is called inside the INVITE's transaction, which answers the CANCEL and the INVITE itself.
func (l *leg) cancelled(at time.Time) {
	if !l.end(call.LegEnd{By: call.Far, Why: call.CauseCancel, At: at}) {
		return
	}
	l.ua.background("cancelled", l.discard)
}

// discard drops a leg that never had, or no longer has, a dialog.
func (l *leg) discard() {
	l.release()
	l.forget()
}

// unreachable ends a leg that came in over a connection that is gone, unless it was answered before: no response can
// reach the caller any more.
func (l *leg) unreachable() {
	l.mu.Lock()
	ringing := l.answeredAt.IsZero()
	l.mu.Unlock()
	if ringing && l.end(call.LegEnd{By: call.Far, Why: call.CauseTransport, At: time.Now()}) {
		l.invite.final.Store(true)
		l.invite.tx.Terminate()
		l.discard()
	}
}

// farewell sends the BYE in the background and then forgets the leg.
func (l *leg) farewell() {
	if !l.ua.background("bye", l.sayBye) {
		l.ua.legs.remove(l)
	}
}

// sayBye sends the BYE, unless one was sent or received, and waits for its answer.
func (l *leg) sayBye() {
	defer l.ua.legs.remove(l)
	l.sayLast()
	l.mu.Lock()
	if l.farGone || l.byeSent {
		l.mu.Unlock()
		return
	}
	l.byeSent = true
	l.mu.Unlock()
	limit := time.NewTimer(rerouteWithin * l.ua.o.T1)
	defer limit.Stop()
	overtaken, began := 0, time.Now()
	for again := true; again; {
		way := l.way()
		res, err := l.bye()
		if l.relayed && (err != nil || l.strayed(res)) { // its node may be dead, and the phone at another
			again = l.way() != way || l.awaitWay(limit.C)
			continue
		}
		if err != nil && l.opens() && time.Since(began) < ackWithin*l.ua.o.T1 && pause(l.ua.o.T1, l.ua.patience.Done()) {
			continue // a carrier that starts anew may have forgotten the call, and may not
		}
		if err != nil {
			l.ua.log.Debug("BYE unanswered", zap.String("leg", string(l.id)), zap.Error(err))
			return
		}
		again = l.challenged(res) // a BYE refused so has ended nothing at the far end
		if res.StatusCode == sipmsg.StatusInternalServerError && overtaken < overtakenMost {
			overtaken++
			again = true
		}
	}
}

// opens tells whether the far end is reached by a connection that we open, so that one which was lost may be replaced: not a
// phone, which opens its own, nor a page's.
func (l *leg) opens() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.d.Agent == "" && reliable(l.d.Transport) && !isWebSocket(l.d.Transport)
}

// overtakenMost is how often a BYE is sent anew, with a number of its own, after a 500: a far end owes that to one that was
// lost and overtaken by a later request of ours, such as a NOTIFY (RFC 3261 section 12.2.2), and talks on.
const overtakenMost = 3

// bye sends one BYE, and returns its final response.
func (l *leg) bye() (*sipmsg.Response, error) {
	l.mu.Lock()
	req, err := l.ua.byeOf(&l.d)
	l.followed()
	if err == nil {
		err = l.authorized(req)
	}
	ctx, cancel := context.WithCancel(l.ua.patience)
	defer cancel()
	done := l.hastens(cancel)
	l.mu.Unlock()
	defer done()
	if err != nil {
		return nil, err
	}
	sent := time.Now()
	tx, err := l.ua.request(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("send %s: %w", req.Method, err)
	}
	if l.ua.site == nil {
		l.ua.legGone(l)
	}
	return awaitUnless(ctx, tx, lossOf(leftBy(tx), sent))
}
