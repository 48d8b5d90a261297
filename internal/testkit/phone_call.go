package testkit

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
)

// CallState is where a phone's call stands.
type CallState string

// The states.
const (
	Calling   CallState = "calling"   // our INVITE has no answer that says that it rings
	Ringing   CallState = "ringing"   // a 18x was heard or sent
	Answering CallState = "answering" // our 200 waits for its ACK
	Talking   CallState = "talking"
	Over      CallState = "over"
)

// PhoneCall is one call of a Phone. Its fields are the phone's goroutine's; its methods may be called from
// any other.
type PhoneCall struct {
	p          *Phone
	id         string
	from, to   string // what stands in From and To of our requests, tags included
	tag        string // ours
	target     string // the far end's Contact
	seq        uint32 // of our last request
	farSeq     uint32 // of theirs
	state      CallState
	why        string
	invite     *request // ours
	incoming   *served  // theirs
	cancelling bool     // hung up before the answer to our INVITE
	leaving    bool     // hung up before the ACK of our 200
	tried      bool     // credentials were sent
	version    int      // of our SDP
	direction  string   // of our stream as the far end agreed to it
	far        string   // the far end's last SDP
	reoffering bool     // our re-INVITE has no answer yet
	reoffered  int      // final status of the last re-INVITE
	rseq       uint32   // of the last reliable provisional response, theirs or ours
	reliable   *waiting // ours that waits for its PRACK
	acks       map[uint32][]byte
	unacked    map[uint32]*waiting
	byed       int  // final status of our BYE
	refers     bool // a REFER was sent: NOTIFYs are expected, before its answer too
	referred   int  // final status of our REFER
	notified   []int
	refreshed  int // re-INVITEs and UPDATEs of theirs that were answered 200
}

// waiting is a response of ours that is sent again until it is acknowledged.
type waiting struct{ resend, limit *alarm }

func (w *waiting) stop() {
	if w != nil {
		w.resend.stop()
		w.limit.stop()
	}
}

func (p *Phone) newCall(id string) *PhoneCall {
	c := &PhoneCall{
		p: p, id: id, tag: newToken(), direction: sendRecv,
		acks: make(map[uint32][]byte), unacked: make(map[uint32]*waiting),
	}
	p.calls = append(p.calls, c)
	return c
}

// Call dials a number.
func (p *Phone) Call(number string) *PhoneCall {
	var c *PhoneCall
	p.do(func() {
		c = p.newCall(newToken())
		c.state = Calling
		c.from = fmt.Sprintf("<sip:%s@%s>;tag=%s", p.o.User, p.o.Hotline, c.tag)
		c.target = fmt.Sprintf("sip:%s@%s", number, p.o.Hotline)
		c.to = "<" + c.target + ">"
		c.call()
	})
	return c
}

// call sends the INVITE, with credentials if they are given.
func (c *PhoneCall) call(credentials ...string) {
	headers := append(credentials, c.p.allow())
	if c.p.o.Reliable {
		headers = append(headers, "Require: 100rel", "Supported: 100rel")
	}
	if c.p.o.Session > 0 {
		headers = append(headers, "Supported: timer", c.p.session("uas"))
	}
	c.version++
	out := c.request(sipmsg.INVITE, headers...)
	out.body = c.p.sdp(c.version, sendRecv)
	c.invite = c.p.ask(out, c.answered)
}

// request is the next request of the dialog (RFC 3261 section 12.2.1.1).
func (c *PhoneCall) request(method sipmsg.RequestMethod, headers ...string) outgoing {
	c.seq++
	return outgoing{method: method, uri: c.target, from: c.from, to: c.to, callID: c.id, seq: c.seq, headers: headers}
}

// answered takes the responses to our INVITE.
func (c *PhoneCall) answered(res *sipmsg.Response) {
	switch {
	case res == nil:
		c.over("no response")
	case res.IsProvisional():
		c.progress(res)
	case res.IsSuccess():
		c.established(res)
	case !c.tried && (res.StatusCode == sipmsg.StatusUnauthorized || res.StatusCode == sipmsg.StatusProxyAuthRequired):
		c.tried = true
		c.call(c.p.credentials(res, sipmsg.INVITE, c.target))
	default:
		c.over(strconv.Itoa(res.StatusCode))
	}
}

// progress takes a provisional response, and sends the CANCEL that waited for one (section 9.1).
func (c *PhoneCall) progress(res *sipmsg.Response) {
	if res.StatusCode > sipmsg.StatusTrying && res.To().Params.Has("tag") {
		c.learn(res)
		if c.state == Calling {
			c.state = Ringing
			c.p.tell()
		}
		if requires(res, "require", "100rel") {
			c.prack(res)
		}
	}
	if c.cancelling {
		c.cancel()
	}
}

// learn takes the far end's tag and target from a response.
func (c *PhoneCall) learn(res *sipmsg.Response) {
	c.to = res.To().Value()
	if uri := uriOf(res.Contact()); uri != "" {
		c.target = uri
	}
}

// prack acknowledges a reliable provisional response that is the next (RFC 3262 section 4).
func (c *PhoneCall) prack(res *sipmsg.Response) {
	h := res.GetHeader("RSeq")
	if h == nil {
		return
	}
	n, err := strconv.ParseUint(h.Value(), 10, 32)
	if err != nil || c.rseq != 0 && uint32(n) != c.rseq+1 {
		return
	}
	c.rseq = uint32(n)
	c.p.ask(c.request(sipmsg.PRACK, fmt.Sprintf("RAck: %d %s", n, res.CSeq().Value())), func(*sipmsg.Response) {})
}

// established takes the first 2xx. One that crossed our CANCEL is hung up (section 9.1).
func (c *PhoneCall) established(res *sipmsg.Response) {
	c.learn(res)
	c.acknowledge(res)
	if c.state == Over || c.cancelling {
		c.bye("cancelled")
		return
	}
	c.state, c.far = Talking, string(res.Body())
	c.p.tell()
}

// acknowledge sends the ACK of a 2xx and keeps it (section 13.2.2.4).
func (c *PhoneCall) acknowledge(res *sipmsg.Response) {
	seq := res.CSeq().SeqNo
	c.acks[seq] = c.p.text(outgoing{
		method: sipmsg.ACK, uri: c.target, from: c.from, to: c.to, callID: c.id, seq: seq, branch: "z9hG4bK" + newToken(),
	})
	c.p.send(c.acks[seq])
}

// confirmed acknowledges a 2xx that comes again.
func (p *Phone) confirmed(res *sipmsg.Response) {
	for _, c := range p.calls {
		if ack := c.acks[res.CSeq().SeqNo]; ack != nil && c.id == res.CallID().Value() && c.to == res.To().Value() {
			p.send(ack)
		}
	}
}

// cancel sends the CANCEL of our INVITE, once, and waits for the INVITE's end for 64·T1 more.
func (c *PhoneCall) cancel() {
	q := c.invite
	if p := c.p; p.requests[q.out.branch+string(sipmsg.CANCEL)] == nil {
		out := q.out
		out.method, out.body, out.headers = sipmsg.CANCEL, "", nil
		p.ask(out, func(*sipmsg.Response) {})
		q.limit = p.later(p.giveUp(), func() { p.timeout(q) })
	}
}

// reoffer sends a re-INVITE with a direction (RFC 3261 section 14.1).
func (c *PhoneCall) reoffer(direction string) {
	if c.state != Talking {
		return
	}
	c.reoffering, c.reoffered = true, 0
	c.version++
	out := c.request(sipmsg.INVITE)
	out.body = c.p.sdp(c.version, direction)
	c.p.ask(out, func(res *sipmsg.Response) {
		switch {
		case res == nil:
			c.settle(sipmsg.StatusRequestTimeout)
			c.bye("no response to a re-INVITE")
		case res.IsProvisional():
		case res.IsSuccess():
			c.learn(res)
			c.acknowledge(res)
			c.direction = direction
			c.settle(res.StatusCode)
		case res.StatusCode == sipmsg.StatusRequestPending:
			c.reoffering = false
			c.p.later(c.backOff(), func() { c.reoffer(direction) })
		case res.StatusCode == sipmsg.StatusCallTransactionDoesNotExists, res.StatusCode == sipmsg.StatusRequestTimeout:
			c.settle(res.StatusCode)
			c.bye(strconv.Itoa(res.StatusCode) + " to a re-INVITE")
		default:
			c.settle(res.StatusCode)
		}
	})
}

func (c *PhoneCall) settle(status int) {
	c.reoffering, c.reoffered = false, status
	c.p.tell()
}

// backOff is how long to wait after a 491: 2.1 to 4 s for who made the Call-ID, up to 2 s for the other,
// where T1 is 500 ms (section 14.1).
func (c *PhoneCall) backOff() time.Duration {
	unit := c.p.o.T1 / 50 // 10 ms
	if c.invite != nil {
		return unit * time.Duration(210+rand.IntN(191))
	}
	return unit * time.Duration(rand.IntN(201))
}

// bye ends the call from our side.
func (c *PhoneCall) bye(why string) {
	c.over(why)
	c.p.ask(c.request(sipmsg.BYE), func(res *sipmsg.Response) {
		c.byed = sipmsg.StatusRequestTimeout
		if res != nil {
			c.byed = res.StatusCode
		}
		c.p.tell()
	})
}

// over notes the call's end, once, and stops what is resent for it.
func (c *PhoneCall) over(why string) {
	if c.state == Over {
		return
	}
	c.state, c.why = Over, why
	for _, w := range c.unacked {
		w.stop()
	}
	clear(c.unacked)
	c.reliable.stop()
	c.reliable = nil
	c.p.tell()
}
