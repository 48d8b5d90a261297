package testkit

import (
	"fmt"
	"strconv"
	"strings"

	sipmsg "github.com/emiago/sipgo/sip"
)

// served is a server transaction (RFC 3261 section 17.2).
type served struct {
	req   *sipmsg.Request
	tag   string
	last  []byte
	final int
	again waiting // timers G and H
	call  *PhoneCall
}

// receive takes a message.
func (p *Phone) receive(msg sipmsg.Message) {
	req, ok := msg.(*sipmsg.Request)
	if !ok {
		p.responded(msg.(*sipmsg.Response)) // there are these two
		return
	}
	via := req.Via()
	if via == nil || req.To() == nil || req.From() == nil || req.CallID() == nil || req.CSeq() == nil {
		return
	}
	branch := via.Params.GetOr("branch", "") + via.SentBy()
	if req.IsAck() {
		p.acked(req, branch)
		return
	}
	key := branch + string(req.Method)
	if s := p.served[key]; s != nil {
		p.repeated(s)
		return
	}
	s := &served{req: req, tag: newToken()}
	p.served[key] = s
	p.serve(s, branch)
}

// repeated answers a retransmission as before. After a 2xx to an INVITE it is absorbed, since the 2xx has
// its own clock (RFC 6026 section 7.1).
func (p *Phone) repeated(s *served) {
	if s.last != nil && (!s.req.IsInvite() || s.final/100 != 2) {
		p.send(s.last)
	}
}

// reply answers, and sends a refusal of an INVITE again until its ACK.
func (p *Phone) reply(s *served, code int, body string, headers ...string) {
	if s.final != 0 {
		return
	}
	s.last = p.response(s.req, code, s.tag, body, headers...)
	p.send(s.last)
	if code < sipmsg.StatusOK {
		return
	}
	s.final = code
	if s.req.IsInvite() && code >= 300 {
		s.again.resend = p.repeat(p.t2(), func() { p.send(s.last) })
		s.again.limit = p.later(p.giveUp(), s.again.resend.stop)
	}
	p.tell()
}

// acked takes an ACK: of a refusal, whose branch it bears, or of a 2xx.
func (p *Phone) acked(req *sipmsg.Request, branch string) {
	if s := p.served[branch+string(sipmsg.INVITE)]; s != nil && s.final >= 300 {
		s.again.stop()
		return
	}
	c := p.callOf(req)
	if c == nil {
		return
	}
	w := c.unacked[req.CSeq().SeqNo]
	if w == nil {
		return
	}
	w.stop()
	delete(c.unacked, req.CSeq().SeqNo)
	if c.state == Answering {
		c.state = Talking
	}
	if c.leaving && c.state != Over {
		c.bye("hung up")
	}
	p.tell()
}

// callOf finds the call of a request in its dialog.
func (p *Phone) callOf(req *sipmsg.Request) *PhoneCall {
	for _, c := range p.calls {
		if c.id == req.CallID().Value() && c.tag == req.To().Params.GetOr("tag", "") {
			return c
		}
	}
	return nil
}

// serve answers a new request.
func (p *Phone) serve(s *served, branch string) {
	req := s.req
	if req.Method == sipmsg.CANCEL {
		p.cancelled(s, p.served[branch+string(sipmsg.INVITE)])
		return
	}
	if !req.To().Params.Has("tag") {
		switch req.Method { //nolint:exhaustive // what is not served is one case
		case sipmsg.INVITE:
			p.rung(s)
		case sipmsg.OPTIONS:
			p.reply(s, sipmsg.StatusOK, "")
		default:
			p.reply(s, sipmsg.StatusMethodNotAllowed, "")
		}
		return
	}
	c := p.callOf(req)
	switch {
	case c == nil, c.state == Over && req.Method != sipmsg.BYE && req.Method != sipmsg.NOTIFY:
		p.reply(s, sipmsg.StatusCallTransactionDoesNotExists, "")
	case req.CSeq().SeqNo < c.farSeq:
		p.reply(s, sipmsg.StatusInternalServerError, "") // section 12.2.2
	default:
		c.farSeq = req.CSeq().SeqNo
		s.call, s.tag = c, c.tag
		c.serve(s)
	}
}

// serve answers a request in the call's dialog.
func (c *PhoneCall) serve(s *served) {
	p := c.p
	switch s.req.Method { //nolint:exhaustive // what is not served is one case
	case sipmsg.INVITE:
		c.reinvited(s)
	case sipmsg.BYE:
		p.reply(s, sipmsg.StatusOK, "")
		c.over("bye")
		if c.incoming != nil { // an early dialog's INVITE is owed its answer (section 15.1.2)
			p.reply(c.incoming, sipmsg.StatusRequestTerminated, "")
		}
	case sipmsg.PRACK:
		c.pracked(s)
	case sipmsg.NOTIFY:
		c.notify(s)
	case sipmsg.UPDATE:
		c.updated(s)
	case sipmsg.OPTIONS, sipmsg.INFO:
		p.reply(s, sipmsg.StatusOK, "")
	default:
		p.reply(s, sipmsg.StatusMethodNotAllowed, "")
	}
}

// rung takes an INVITE: 100, 180, and then it rings until somebody answers.
func (p *Phone) rung(s *served) {
	c := p.newCall(s.req.CallID().Value())
	c.incoming, s.call, s.tag = s, c, c.tag
	c.from = s.req.To().Value() + ";tag=" + c.tag
	c.to, c.target, c.farSeq = s.req.From().Value(), uriOf(s.req.Contact()), s.req.CSeq().SeqNo
	c.state = Ringing
	p.reply(s, sipmsg.StatusTrying, "")
	if p.o.Reliable && (requires(s.req, "supported", "100rel") || requires(s.req, "require", "100rel")) {
		c.ringReliably()
	} else {
		p.reply(s, sipmsg.StatusRinging, "")
	}
	p.tell()
}

// ringReliably sends a 180 again until its PRACK (RFC 3262 section 3).
func (c *PhoneCall) ringReliably() {
	p, s := c.p, c.incoming
	c.rseq = 1
	p.reply(s, sipmsg.StatusRinging, "", "Require: 100rel", fmt.Sprintf("RSeq: %d", c.rseq))
	text := s.last
	c.reliable = &waiting{resend: p.repeat(0, func() { p.send(text) })}
	c.reliable.limit = p.later(p.giveUp(), func() {
		c.over("no PRACK")
		p.reply(s, sipmsg.StatusGatewayTimeout, "")
	})
}

// pracked takes a PRACK (section 3: one that matches nothing is answered 481).
func (c *PhoneCall) pracked(s *served) {
	h := s.req.GetHeader("RAck")
	if c.reliable == nil || h == nil || h.Value() != fmt.Sprintf("%d %s", c.rseq, c.incoming.req.CSeq().Value()) {
		c.p.reply(s, sipmsg.StatusCallTransactionDoesNotExists, "")
		return
	}
	c.reliable.stop()
	c.reliable = nil
	c.p.reply(s, sipmsg.StatusOK, "")
	c.p.tell()
}

// accept sends a 2xx to an INVITE, and again until its ACK (RFC 3261 section 13.3.1.4).
func (c *PhoneCall) accept(s *served) {
	p := c.p
	c.version++
	if body := string(s.req.Body()); body != "" {
		c.far = body
	}
	direction := mirrored(directionOf(s.req.Body()))
	if c.direction == sendOnly && direction == sendRecv {
		direction = sendOnly // our own hold stays (RFC 3264 section 8.4)
	}
	p.reply(s, sipmsg.StatusOK, p.sdp(c.version, direction), p.timed(s.req)...)
	text := s.last
	w := &waiting{resend: p.repeat(p.t2(), func() { p.send(text) })}
	w.limit = p.later(p.giveUp(), func() { c.bye("no ACK") })
	c.unacked[s.req.CSeq().SeqNo] = w
}

// reinvited takes a re-INVITE (section 14.2).
func (c *PhoneCall) reinvited(s *served) {
	switch {
	case c.reoffering:
		c.p.reply(s, sipmsg.StatusRequestPending, "")
	case c.state != Talking:
		c.p.reply(s, sipmsg.StatusInternalServerError, "", "Retry-After: 0")
	default:
		if uri := uriOf(s.req.Contact()); uri != "" {
			c.target = uri
		}
		c.accept(s)
		c.refreshed++
	}
}

// updated takes an UPDATE (RFC 3311 section 5.2).
func (c *PhoneCall) updated(s *served) {
	offer, answer := s.req.Body(), ""
	if len(offer) > 0 {
		if c.reoffering {
			c.p.reply(s, sipmsg.StatusRequestPending, "")
			return
		}
		c.version++
		answer = c.p.sdp(c.version, mirrored(directionOf(offer)))
	}
	c.p.reply(s, sipmsg.StatusOK, answer, c.p.timed(s.req)...)
	c.refreshed++
	c.p.tell()
}

// notify takes the news of a transfer: the status line in a message/sipfrag (RFC 3515 section 2.4.5).
func (c *PhoneCall) notify(s *served) {
	if !c.refers {
		c.p.reply(s, sipmsg.StatusCallTransactionDoesNotExists, "")
		return
	}
	c.p.reply(s, sipmsg.StatusOK, "")
	if words := strings.Fields(string(s.req.Body())); len(words) > 1 {
		if status, err := strconv.Atoi(words[1]); err == nil {
			c.notified = append(c.notified, status)
		}
	}
	c.p.tell()
}

// cancelled takes a CANCEL and the INVITE that it is for, if there is one (RFC 3261 section 9.2).
func (p *Phone) cancelled(s, invite *served) {
	if invite == nil {
		p.reply(s, sipmsg.StatusCallTransactionDoesNotExists, "")
		return
	}
	s.tag = invite.tag
	p.reply(s, sipmsg.StatusOK, "")
	if invite.final == 0 {
		p.reply(invite, sipmsg.StatusRequestTerminated, "")
		invite.call.over("cancelled")
	}
}
