package sip

import (
	"net/netip"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"

	"hotline/call"
)

// freeWithin is how long, in T1, a ring that was taken back holds its phone to be busy: a CANCEL is sent
// three times by then.
const freeWithin = 8

// heardWithin is for how long, in T1, after its beginning a ring by way of another node that nothing has answered is held to be
// on its way: after that, the node cannot be reached, and waiting does not make it surer that the phone is free. Its edge is to
// judge (docs/cluster.md).
const heardWithin = 4

// doubtAfter is after how long, in T1, a phone is asked whether it is there that has not answered a ring at all before that was
// taken back. An INVITE has been sent twice by then, and a 100 comes within 200 ms (RFC 3261 section 17.2.1).
const doubtAfter = 2

// takeBack withdraws the INVITE, and waits a while for the phone to be free.
func (r *ringing) takeBack(why call.Cause) error {
	if r.o.doubted != nil && !r.heard && time.Since(r.began) >= doubtAfter*r.ua.o.T1 {
		r.o.doubted()
	}
	taken := &call.RingError{Why: why, At: time.Now(), Unsure: r.o.claim != nil}
	wait := freeWithin * r.ua.o.T1
	if r.o.relayed && !r.heard {
		wait = min(wait, max(0, heardWithin*r.ua.o.T1-time.Since(r.began)))
	}
	free := make(chan bool, 1)
	begun := r.ua.background("withdraw", func() {
		sure := false
		defer func() { r.settle(); free <- sure }()
		sure = r.withdraw(why)
	})
	if !begun {
		return taken
	}
	limit := time.NewTimer(wait)
	defer limit.Stop()
	select {
	case sure := <-free:
		taken.Unsure = taken.Unsure && !sure
	case <-limit.C:
	}
	return taken
}

// silence is when a ring is given up that nothing has answered; nil for never.
func (r *ringing) silence() (at <-chan time.Time, stop func()) {
	if deaf := r.deafWay(); deaf != nil {
		const both = 2
		given := make(chan time.Time, both)
		early := time.AfterFunc(deafWithin*r.ua.o.T1, func() {
			if deaf() {
				r.deaf.Store(true)
				given <- time.Now()
			}
		})
		if r.o.within <= 0 {
			return given, func() { early.Stop() }
		}
		late := time.AfterFunc(r.o.within, func() { given <- time.Now() })
		return given, func() { early.Stop(); late.Stop() }
	}
	if r.o.within <= 0 {
		return nil, func() {}
	}
	t := time.NewTimer(r.o.within)
	return t.C, func() { t.Stop() }
}

// unheard is abandon for silence's sake.
func (r *ringing) unheard() error {
	if r.deaf.Load() {
		r.o.deaf()
	}
	return r.abandon()
}

// abandon is the end of a ring that nothing answered in time. A response that comes later is met in the background: with a
// CANCEL, or an ACK and a BYE.
func (r *ringing) abandon() error {
	r.givenUp = true
	r.ua.background("withdraw", func() {
		defer r.settle()
		r.withdraw(call.CauseUnreachable)
	})
	return r.silent(r.o.claim != nil)
}

// repeatNoMore has the INVITE not leave again until what it returns is called, though its transaction goes on: who has answered none of its sendings, and comes
// back, would ring for a moment for nobody. One that was taken back sooner is repeated still: the phone may ring already, its
// response lost, and only the next makes that known, without which no CANCEL may be sent (RFC 3261 section 9.1).
func (r *ringing) repeatNoMore() (over func()) {
	branch := r.tx.Origin().Via().Params.GetOr("branch", "")
	r.ua.guards.put(branch, time.Now())
	return func() { r.ua.guards.drop(branch) }
}

// withdraw takes an INVITE back: CANCEL once a provisional response has come (RFC 3261 section 9.1), and
// an answer that crosses it is acknowledged and hung up. It returns when the INVITE has its final response,
// or none came in 64·T1 after the CANCEL, and reports whether the phone has said itself that it is free; where there is a
// claim, that of a phone that is hung up is waited for.
func (r *ringing) withdraw(why call.Cause) (sure bool) {
	var limit <-chan time.Time
	cancel := func() {
		if limit == nil {
			limit = time.After(ackWithin * r.ua.o.T1)
			r.ua.cancelInvite(r.req, reasonFor(why)...)
		}
	}
	if r.heard {
		cancel()
	} else if r.givenUp || time.Since(r.sent) >= silentWithin*r.ua.o.T1 {
		defer r.repeatNoMore()()
	}
	for {
		select {
		case <-r.tx.Done():
			return false
		case <-r.ua.patience.Done():
			r.tx.Terminate()
			return false
		case <-limit:
			r.tx.Terminate()
			return false
		case res := <-r.tx.Responses():
			switch {
			case res.IsProvisional():
				r.provisional(res)
				cancel()
			case res.IsSuccess():
				return r.dismissed(r.dismiss(res))
			default:
				return res.StatusCode != sipmsg.StatusRequestTimeout
			}
		}
	}
}

// cancelInvite sends the CANCEL of an INVITE of ours, and waits for its answer in the background: the INVITE's own
// responses must be read meanwhile.
func (u *UA) cancelInvite(invite *sipmsg.Request, more ...sipmsg.Header) {
	req := cancelOf(invite)
	for _, h := range more {
		req.AppendHeader(h)
	}
	tx, err := u.request(u.patience, req)
	if err != nil {
		u.log.Debug("CANCEL not sent", zap.Error(err))
		return
	}
	waits := u.background("cancel", func() {
		if _, err := await(u.patience, tx); err != nil {
			u.log.Debug("CANCEL unanswered", zap.Error(err))
		}
	})
	if !waits {
		tx.Terminate()
	}
}

// completedElsewhere is the Reason (RFC 3326 section 3.1) of a CANCEL to a phone that rang beside the one that answered.
const completedElsewhere = `SIP ;cause=200 ;text="Call completed elsewhere"`

// reasonFor is what a CANCEL says of why it was sent: a phone need not show its user a call that another took as one
// that was missed. Of the others there is nothing to say.
func reasonFor(why call.Cause) []sipmsg.Header {
	if why != call.CauseElsewhere {
		return nil
	}
	return []sipmsg.Header{sipmsg.NewHeader("Reason", completedElsewhere)}
}

// cancelOf makes the CANCEL of an INVITE of ours.
func cancelOf(invite *sipmsg.Request) *sipmsg.Request {
	return alongside(sipmsg.CANCEL, invite, invite.GetHeader("to"))
}

// alongside makes the CANCEL of an INVITE of ours, or the ACK of its refusal: the same in all that makes up the
// transaction, the branch included (RFC 3261 sections 9.1, 17.1.1.3).
func alongside(method sipmsg.RequestMethod, invite *sipmsg.Request, to sipmsg.Header) *sipmsg.Request {
	req := sipmsg.NewRequest(method, *invite.Recipient.Clone())
	req.AppendHeader(invite.Via().Clone())
	for _, name := range []string{"route", "max-forwards", "from", "call-id"} {
		sipmsg.CopyHeaders(name, invite, req)
	}
	req.AppendHeader(sipmsg.HeaderClone(to))
	req.AppendHeader(&sipmsg.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: method})
	req.SetBody(nil)
	req.SetTransport(invite.Transport())
	req.SetDestination(invite.Destination())
	req.Laddr = invite.Laddr
	return req
}

// parsePeer reads a destination that is an address; the zero value when it is a name.
func parsePeer(dest string) netip.AddrPort {
	ap, err := netip.ParseAddrPort(dest)
	if err != nil {
		return netip.AddrPort{}
	}
	return unmap(ap)
}
