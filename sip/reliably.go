package sip

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"

	"hotline/call"
)

// firstSeqMost bounds the RSeq of the first reliable response to a request (RFC 3262 section 3).
const firstSeqMost = 1<<31 - 1

// statusServerTimeout ends an INVITE whose reliable 18x got no PRACK: RFC 3262 section 3 wants a 5xx, and it is
// the far end that we waited for.
const statusServerTimeout = sipmsg.StatusGatewayTimeout

// reliably is what a leg remembers of its 18x when its INVITE requires them to be reliable (RFC 3262 section 3).
// To an INVITE that only supports that they go out as ever: a 180 that is lost costs the caller a ring-back
// tone, and a reliable one four messages more. The leg's mutex guards it.
type reliably struct {
	seq uint32 // RSeq of the last one, 0 before the first
	// open is the one that waits for its PRACK. There is one at most: the next would say nothing new.
	open    *unpracked
	offered bool // our offer has gone out, in the first
}

// unpracked is a reliable 18x that waits for its PRACK.
type unpracked struct {
	seq   uint32
	res   *sipmsg.Response
	offer bool          // it bears our offer, so the PRACK must bear the answer (RFC 3262 section 5)
	taken bool          // the PRACK came
	got   chan struct{} // closed when what it bears was taken too
}

// reliablyFor is nil unless the INVITE requires reliable 18x.
func reliablyFor(invite *sipmsg.Request) *reliably {
	if !requires(invite, optionReliable) {
		return nil
	}
	return &reliably{}
}

// offered reports whether our offer went out in a 18x, so that the 200 must have none. The caller holds l.mu.
func (l *leg) offered() bool { return l.reliably != nil && l.reliably.offered }

// ringReliably sends a 180 that is resent until its PRACK comes, with our offer if the INVITE had none: it is
// then the first reliable response (RFC 3261 section 13.2.1). While one is resent it does nothing. The caller
// holds l.mu.
func (l *leg) ringReliably() error {
	r := l.reliably
	if r.open != nil {
		return nil
	}
	var body []byte
	offer := l.answer == nil && !r.offered
	if offer {
		var err error
		if body, err = l.stream.Offer(); err != nil {
			return fmt.Errorf("make an offer for a 18x: %w", err)
		}
	}
	if r.seq++; r.seq == 1 {
		r.seq = 1 + rand.Uint32N(firstSeqMost) //nolint:gosec // spread, not secret
	}
	res := l.invite.response(sipmsg.StatusRinging, body, l.contact(), sipmsg.NewHeader("Allow", allowed),
		sipmsg.NewHeader("Require", optionReliable), sipmsg.NewHeader("RSeq", strconv.FormatUint(uint64(r.seq), 10)))
	p := &unpracked{seq: r.seq, res: res, offer: offer, got: make(chan struct{})}
	if err := l.invite.send(res); err != nil {
		return err
	}
	r.open, r.offered = p, r.offered || offer
	if !l.ua.background("resend 18x", func() { l.resendRinging(p) }) {
		r.open = nil
		return ErrClosed
	}
	return nil
}

// resendRinging repeats a reliable 18x until its PRACK, over TCP too: after T1, then twice that, and so on (RFC
// 3262 section 3). An INVITE that has its final response is not rung any more, but the PRACK is awaited all
// the same; without one in 64·T1 an INVITE that has none is refused.
func (l *leg) resendRinging(p *unpracked) {
	defer l.notOpen(p)
	deadline := time.NewTimer(ackWithin * l.ua.o.T1)
	defer deadline.Stop()
	interval := l.ua.o.T1
	again := time.NewTimer(interval)
	defer again.Stop()
	for {
		select {
		case <-p.got:
			return
		case <-again.C:
			interval *= 2
			again.Reset(interval)
			l.repeat(p)
		case <-deadline.C:
			l.unheard(p)
			return
		case <-l.ua.ctx.Done(): // Close hangs up what is not answered
			return
		}
	}
}

// repeat sends a reliable 18x again, unless the INVITE has its final response or the PRACK came just now.
func (l *leg) repeat(p *unpracked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() == nil && l.answeredAt.IsZero() && !p.taken {
		_ = l.invite.respond(p.res) // logged there; a far end that is gone ends with the deadline
	}
}

// unheard ends a leg whose reliable 18x got no PRACK, unless it was answered meanwhile: the ACK then tells
// whether the far end is there.
func (l *leg) unheard(p *unpracked) {
	l.mu.Lock()
	ends := !p.taken && l.answeredAt.IsZero() && l.end(call.LegEnd{By: call.Far, Why: call.CauseNoAck, At: time.Now()})
	if ends {
		l.reliably.open = nil
	}
	l.mu.Unlock()
	if !ends {
		return
	}
	l.invite.reply(statusServerTimeout)
	l.discard()
}

// notOpen waits for a PRACK no longer, and forgets the leg if that was all that it was kept for.
func (l *leg) notOpen(p *unpracked) {
	l.mu.Lock()
	if l.reliably.open == p && !p.taken {
		l.reliably.open = nil
	}
	over := l.ctx.Err() != nil && l.answeredAt.IsZero()
	l.mu.Unlock()
	if over {
		l.ua.legs.remove(l)
	}
}

// forget takes a leg that was never answered out of the table; one whose PRACK is still to come stays there for
// it, since a final response does not settle a 18x (RFC 3262 section 3), and resendRinging does it.
func (l *leg) forget() {
	l.mu.Lock()
	waits := l.reliably != nil && l.reliably.open != nil
	l.mu.Unlock()
	if !waits {
		l.ua.legs.remove(l)
	}
}

// awaitPrack returns when no offer of ours in a 18x waits for its answer, or the leg is over: the 200 must not be
// sent before (RFC 3262 section 3). The caller holds l.mu, which is free while it waits.
func (l *leg) awaitPrack() {
	for l.reliably != nil && l.reliably.open != nil && l.reliably.open.offer && l.ctx.Err() == nil {
		got := l.reliably.open.got
		l.mu.Unlock()
		select {
		case <-got:
		case <-l.ctx.Done():
		}
		l.mu.Lock()
	}
}
