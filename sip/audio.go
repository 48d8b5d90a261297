package sip

import (
	"errors"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"

	"hotline/call"
	"hotline/media"
)

// Ask implements call.Leg.
func (l *leg) Ask() { l.ua.background("ask", func() { l.prove(call.CauseNoMedia) }) }

// Mend implements call.Leg.
func (l *leg) Mend() { l.ua.background("mend", l.mend) }

// mend is Mend in the foreground. A refresh under way is waited for: it may have changed nothing of the audio.
func (l *leg) mend() {
	select {
	case l.turn <- struct{}{}:
	case <-l.ctx.Done():
		return
	case <-l.ua.patience.Done():
		return
	}
	defer func() { <-l.turn }()
	l.ask(call.CauseNoMedia, l.offerAnew)
}

// offerAnew sends a re-INVITE with a fresh offer. An offer of the far end's that is under way, or an ACK, is waited for,
// as long as after as many 491s: what it agrees on may go one way only as well.
func (l *leg) offerAnew() (*sipmsg.Response, error) {
	for tries := 0; ; tries++ {
		res, err := l.reoffer(l.stream.Offer)
		if !errors.Is(err, errTheirs) || tries == glareMost || !lull[time.Time](l, l.glareWait(), nil) {
			return res, err
		}
	}
}

// heardSince reports whether audio came since the far end was asked. Who talks is there, whatever has become of the way of
// the signalling; and should the audio cease, the far end is asked again.
func (l *leg) heardSince(asked time.Time) bool { return l.stream.Stats().LastPacket.After(asked) }

// learned has the owner of a stream's leg know of a fact. What is found out before there is a leg concerns nobody: it
// is about a phone that has not answered.
func (u *UA) learned(s media.Stream, f media.Fact) {
	if l := u.legs.withStream(s); l != nil {
		l.tell(call.AudioFact{Leg: l.id, Fact: f, At: time.Now()})
	}
}

// tell hands a fact to the owner. Silence is told again after a while, but audio that goes one way is not: without an
// owner, as between two calls, it waits for the next, and so does what followed it.
func (l *leg) tell(f call.AudioFact) {
	l.attachMu.Lock()
	defer l.attachMu.Unlock()
	told := l.post != nil && l.post(f)
	if f.Fact == media.FactHeard {
		l.untold = nil
	} else if f.Fact == media.FactOneWay && !told {
		l.untold = &f
	}
}

// retell hands what was not told to a new owner. The caller holds attachMu.
func (l *leg) retell() {
	if l.untold != nil && l.post != nil && l.post(*l.untold) {
		l.untold = nil
	}
}
