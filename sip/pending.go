package sip

import (
	"context"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"

	"hotline/call"
)

// This file is about an INVITE that waits long for its answer, while an agent's phone rings: proxies on the way must
// not give it up, and its sender may have said how long it is meant.

// ringEvery is how often a 180 is sent anew to an INVITE that has no final response: a proxy may cancel one of which it
// hears nothing for three minutes, and some may be lost on the way (RFC 3261 section 13.3.1.1).
const ringEvery = time.Minute

// ringOn has the 180 repeated from now on until the leg is answered or over. The caller holds l.mu.
func (l *leg) ringOn() {
	if l.again.Load() != nil {
		return
	}
	t := time.AfterFunc(l.ua.ringEvery, l.ringAgain)
	l.again.Store(t)
	if l.ctx.Err() != nil { // end may have looked before
		t.Stop()
	}
}

// ringAgain is the timer's. The timer's goroutine must not wait.
func (l *leg) ringAgain() {
	l.ua.background("ring", func() {
		err := l.Ring()
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.ctx.Err() != nil || !l.answeredAt.IsZero() {
			return
		}
		if err != nil {
			l.ua.log.Debug("180 not sent again", zap.String("leg", string(l.id)), zap.Error(err))
		}
		t := l.again.Load()
		t.Reset(l.ua.ringEvery)
		if l.ctx.Err() != nil {
			t.Stop()
		}
	})
}

// lifetime is how long an INVITE is meant, from its arrival (RFC 3261 sections 13.2.1, 20.19). 0 is for as long as it
// takes: it does not say, or says what cannot be meant, for which a caller is not to be lost. What is longer than a day
// is a day.
func lifetime(invite *sipmsg.Request) time.Duration {
	h := invite.GetHeader("expires")
	if h == nil || !isNumber(trim(h.Value()), expiresMost) {
		return 0
	}
	return parseExpires(h.Value())
}

// expiresMost bounds an Expires, in seconds (RFC 3261 section 20.19).
const expiresMost = 1<<32 - 1

// lapseAt has the INVITE of a leg refused at an instant, unless it has its final response by then (RFC 3261 section
// 13.3.1). To whoever owns the leg that is a caller who gave up.
func (l *leg) lapseAt(at time.Time) {
	t := time.AfterFunc(time.Until(at), func() { l.ua.background("lapse", l.lapse) })
	context.AfterFunc(l.ctx, func() { t.Stop() })
}

func (l *leg) lapse() {
	l.mu.Lock()
	ends := l.answeredAt.IsZero() && l.end(call.LegEnd{By: call.Far, Why: call.CauseCancel, At: time.Now()})
	l.mu.Unlock()
	if !ends {
		return
	}
	l.invite.reply(statusOf(call.CauseCancel))
	l.discard()
}
