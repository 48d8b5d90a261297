package testkit

import (
	"strings"

	sipmsg "github.com/emiago/sipgo/sip"
)

// request is a client transaction (RFC 3261 section 17.1).
type request struct {
	out    outgoing
	resend *alarm // timer A or E
	limit  *alarm // timer B or F; that of a cancelled INVITE begins anew with its CANCEL (section 9.1)
	heard  bool   // a provisional response came
	final  int    // status, 0 before
	ack    []byte // of a final response that is no 2xx, sent again with each of its repetitions
	// answered is told each provisional response and the first final one; nil stands for none in time.
	answered func(res *sipmsg.Response)
}

// ask sends a request in a transaction of its own.
func (p *Phone) ask(out outgoing, answered func(res *sipmsg.Response)) *request {
	if out.branch == "" {
		out.branch = "z9hG4bK" + newToken()
	}
	q := &request{out: out, answered: answered}
	p.requests[out.branch+string(out.method)] = q
	text := p.text(out)
	most := p.t2()
	if out.method == sipmsg.INVITE {
		most = 0 // timer A doubles without a bound (section 17.1.1.2)
	}
	q.resend = p.repeat(most, func() { p.send(text) })
	q.limit = p.later(p.giveUp(), func() { p.timeout(q) })
	p.send(text)
	return q
}

// timeout is timer B or F.
func (p *Phone) timeout(q *request) {
	q.resend.stop()
	if q.final == 0 {
		q.final = 408 // section 8.1.3.1
		q.answered(nil)
	}
}

// responded takes a response.
func (p *Phone) responded(res *sipmsg.Response) {
	via, seq := res.Via(), res.CSeq()
	if via == nil || seq == nil || res.To() == nil || res.From() == nil {
		return
	}
	q := p.requests[via.Params.GetOr("branch", "")+string(seq.MethodName)]
	if q == nil {
		return
	}
	invite := seq.MethodName == sipmsg.INVITE
	switch {
	case q.final != 0 && invite && res.IsSuccess():
		p.confirmed(res) // every 2xx is acknowledged (section 13.2.2.4)
	case q.final != 0:
		if q.ack != nil && !res.IsProvisional() {
			p.send(q.ack)
		}
	case res.IsProvisional():
		q.provisional(p, invite)
		q.answered(res)
	default:
		q.final = res.StatusCode
		q.resend.stop()
		q.limit.stop()
		if invite && !res.IsSuccess() {
			q.ack = p.refusalAck(q, res)
			p.send(q.ack)
		}
		q.answered(res)
	}
}

// provisional slows the retransmission down, or ends it for an INVITE, which may then take as long as it
// likes (sections 17.1.1.2 and 17.1.2.2).
func (q *request) provisional(p *Phone, invite bool) {
	q.heard = true
	if invite {
		q.resend.stop()
		q.limit.stop()
		return
	}
	q.resend.every = p.t2()
}

// refusalAck is the ACK of a final response that is no 2xx (section 17.1.1.3).
func (p *Phone) refusalAck(q *request, res *sipmsg.Response) []byte {
	out := q.out
	out.method, out.to, out.body, out.headers = sipmsg.ACK, res.To().Value(), "", nil
	return p.text(out)
}

// uriOf is what stands in the Contact of a message; empty when there is none.
func uriOf(h *sipmsg.ContactHeader) string {
	if h == nil {
		return ""
	}
	return h.Address.String()
}

// requires reports whether a message names an option tag in a header.
func requires(msg sipmsg.Message, header, tag string) bool {
	for _, h := range msg.GetHeaders(header) {
		for name := range strings.SplitSeq(h.Value(), ",") {
			if strings.EqualFold(strings.TrimSpace(name), tag) {
				return true
			}
		}
	}
	return false
}
