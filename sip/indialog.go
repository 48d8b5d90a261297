package sip

import (
	"strings"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"

	"hotline/call"
	"hotline/media"
)

// within finds the leg of a request in a dialog and takes the request's turn in it. When it returns nil
// the request was answered: 481 outside any dialog, 500 out of order (RFC 3261 section 12.2.2).
func (u *UA) within(x *exchange) *leg {
	l := u.legs.find(x)
	if l == nil {
		x.reply(sipmsg.StatusCallTransactionDoesNotExists)
		return nil
	}
	l.mu.Lock()
	ordered := l.d.inOrder(x.req)
	l.mu.Unlock()
	if !ordered {
		x.reply(sipmsg.StatusInternalServerError)
		return nil
	}
	return l
}

// bye ends a leg from the far end (RFC 3261 section 15.1.2). One that crosses ours is answered 200 as well.
func (u *UA) bye(x *exchange) {
	at := time.Now()
	l := u.within(x)
	if l == nil {
		return
	}
	l.mu.Lock()
	if !l.farGone {
		l.farGone = true
		close(l.gone)
	}
	ringing := l.answeredAt.IsZero()
	l.mu.Unlock()
	first := l.end(call.LegEnd{By: call.Far, Why: call.CauseBye, At: at})
	u.legs.remove(l)
	x.reply(sipmsg.StatusOK)
	if ringing { // an early dialog's INVITE is still owed its response
		l.invite.reply(sipmsg.StatusRequestTerminated)
	}
	if first {
		l.release()
	}
}

// info takes a key pressed (RFC 6086; the bodies are those that phones send, registered nowhere).
// Without a body it is a sign of life.
func (u *UA) info(x *exchange) {
	kind := mediaType(x.req)
	switch kind {
	case "", "application/dtmf-relay", "application/dtmf":
	default:
		x.reply(sipmsg.StatusUnsupportedMediaType, sipmsg.NewHeader("Accept", accepted))
		return
	}
	l := u.within(x)
	if l == nil {
		return
	}
	if kind != "" {
		k, ok := infoKey(string(x.req.Body()))
		if !ok {
			x.reply(sipmsg.StatusBadRequest)
			return
		}
		l.stream.Press(k)
	}
	x.reply(sipmsg.StatusOK)
}

// infoKey reads the key of an application/dtmf-relay body ("Signal=5", other lines ignored) or of an
// application/dtmf one ("5"). Phones write * and # also as the event codes 10 and 11 (RFC 4733 section 3.2).
func infoKey(body string) (media.Key, bool) {
	signal := strings.TrimSpace(body)
	for line := range strings.Lines(body) {
		if name, value, ok := strings.Cut(line, "="); ok && strings.EqualFold(strings.TrimSpace(name), "signal") {
			signal = strings.TrimSpace(value)
		}
	}
	signal = strings.ToUpper(signal)
	if events := map[string]media.Key{"10": '*', "11": '#', "12": 'A', "13": 'B', "14": 'C', "15": 'D'}; events[signal] != 0 {
		return events[signal], true
	}
	if len(signal) != 1 {
		return 0, false
	}
	k := media.Key(signal[0])
	return k, k.Valid()
}
