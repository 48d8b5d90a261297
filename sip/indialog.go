package sip

import (
	"strings"

	sipmsg "github.com/emiago/sipgo/sip"

	"hotline/media"
)

// within finds the leg of a request in a dialog and takes the request's turn in it; see inTurn. One that overtook
// the 2xx to our INVITE, or is of an early dialog, is for later: 481 would end the dialog.
func (u *UA) within(x *exchange) *leg {
	l := u.legs.find(x)
	if l == nil && u.legs.inviting(x) {
		x.stranger = false
		x.reply(sipmsg.StatusInternalServerError, retryLater())
		return nil
	}
	return inTurn(x, l)
}

// inTurn takes a request's turn in the dialog of its leg, nil if it has none. When it returns nil the request
// was answered: 481 outside any dialog, 500 out of order (RFC 3261 section 12.2.2).
func inTurn(x *exchange, l *leg) *leg {
	if l == nil {
		x.reply(sipmsg.StatusCallTransactionDoesNotExists)
		return nil
	}
	x.stranger = false
	l.mu.Lock()
	at := arrivedAt(x.req)
	ordered := l.d.inOrder(x.req)
	if ordered {
		l.newest = at
	} else { // sent, and read, before one that was handled first: each has a goroutine of its own
		ordered = x.req.CSeq().SeqNo < l.d.RemoteSeq && at.Before(l.newest)
	}
	if ordered {
		l.d.heard(x.req)
	}
	l.mu.Unlock()
	if !ordered {
		x.reply(sipmsg.StatusInternalServerError)
		return nil
	}
	return l
}

// bye ends a leg from the far end (RFC 3261 section 15.1.2). One that crosses ours is answered 200 as well,
// and so is one that overtook the 200 that it follows: the leg then ends as soon as it is there.
func (u *UA) bye(x *exchange) {
	at := arrivedAt(x.req)
	l, early := u.legs.leaving(x, at)
	if early {
		x.stranger = false
		x.reply(sipmsg.StatusOK)
		return
	}
	if l = inTurn(x, l); l == nil {
		return
	}
	first, ringing := l.hungUp(at)
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
