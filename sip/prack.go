package sip

import (
	"fmt"
	"strconv"
	"strings"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"

	"hotline/call"
)

// rack is what a PRACK acknowledges (RFC 3262 section 7.2).
type rack struct {
	seq    uint32 // RSeq of the response
	cseq   uint32 // of the request that it answers
	method sipmsg.RequestMethod
}

func (r rack) String() string { return fmt.Sprintf("%d %d %s", r.seq, r.cseq, r.method) }

// rackOf reads a RAck; false when there is none, or not one.
func rackOf(req *sipmsg.Request) (rack, bool) {
	if count(req, "rack") != 1 {
		return rack{}, false
	}
	f := strings.Fields(req.GetHeader("rack").Value())
	const fields = 3
	if len(f) != fields {
		return rack{}, false
	}
	seq, err := strconv.ParseUint(f[0], 10, 32)
	if err != nil {
		return rack{}, false
	}
	cseq, err := strconv.ParseUint(f[1], 10, 32)
	if err != nil {
		return rack{}, false
	}
	return rack{seq: uint32(seq), cseq: uint32(cseq), method: sipmsg.RequestMethod(f[2])}, true
}

// prack takes the acknowledgement of a reliable 18x of ours (RFC 3262 section 3). One that comes again as
// another request acknowledges nothing any more.
func (u *UA) prack(x *exchange) {
	ack, ok := rackOf(x.req)
	if !ok {
		x.reply(sipmsg.StatusBadRequest)
		return
	}
	l := u.within(x)
	if l == nil {
		return
	}
	p, code := l.takePrack(x.req, ack)
	switch code {
	case 0:
	case sipmsg.StatusInternalServerError:
		x.reply(code, retryLater())
		return
	default:
		x.reply(code)
		return
	}
	settled := false
	defer func() { // a fault on the way must not leave the 200 waiting for this PRACK
		if !settled {
			l.heard(p, func() {})
		}
	}()
	answer, commit := x.response(sipmsg.StatusOK, nil), func() {}
	switch {
	case p.offer: // be its answer what it may, the 18x has arrived
		if !l.offerAnswered(x.req) {
			l.Hangup(call.CauseError)
		}
	case len(x.req.Body()) > 0:
		answer, commit = l.answerPrack(x)
	}
	l.heard(p, func() {
		settled = true
		if x.send(answer) == nil {
			commit()
		}
	})
}

// takePrack matches a PRACK with the 18x that waits for it, which it takes, or returns the status owed: 481 for
// one that acknowledges nothing, and 500 for one with an offer, while the INVITE's has no answer (as RFC
// 3311 section 5.2 says of an UPDATE).
func (l *leg) takePrack(req *sipmsg.Request, ack rack) (p *unpracked, code int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.reliably
	if r == nil || r.open == nil || r.open.taken {
		return nil, sipmsg.StatusCallTransactionDoesNotExists
	}
	want := rack{seq: r.open.seq, cseq: l.invite.req.CSeq().SeqNo, method: sipmsg.INVITE}
	switch {
	case ack != want:
		return nil, sipmsg.StatusCallTransactionDoesNotExists
	case len(req.Body()) > 0 && (!r.offered || !l.answeredAt.IsZero()):
		return nil, sipmsg.StatusInternalServerError
	}
	r.open.taken = true
	return r.open, 0
}

// heard answers the PRACK of a 18x, and lets that go, with the next 18x and the 200 that wait for it: they follow
// the answer.
func (l *leg) heard(p *unpracked, answer func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	answer()
	l.reliably.open = nil
	close(p.got)
}

// answerPrack makes the answer to a PRACK with a new offer (RFC 3262 section 5): a 2xx with ours, upon which the
// session changes, or the refusal of an offer that we do not take. The 18x is acknowledged all the same.
func (l *leg) answerPrack(x *exchange) (res *sipmsg.Response, commit func()) {
	body, commit, err := l.stream.Propose(x.req.Body())
	if err != nil {
		l.ua.log.Info("offer in PRACK refused", zap.String("leg", string(l.id)), zap.Error(err))
		return x.response(statusOfMedia(err), nil, warningsOfMedia(err)...), func() {}
	}
	return x.response(sipmsg.StatusOK, body), commit
}
