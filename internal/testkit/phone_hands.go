package testkit

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

// Register registers the phone as an agent's, for an hour (RFC 3261 section 10.2), and fails the test when
// it may not.
func (p *Phone) Register() { p.tb.Helper(); p.bind(3600) }

// Unregister takes the registration back.
func (p *Phone) Unregister() { p.tb.Helper(); p.bind(0) }

// bind registers for so many seconds, and waits for the answer.
func (p *Phone) bind(expires int) {
	p.tb.Helper()
	status := 0
	p.do(func() { p.granted = 0; p.register(expires) })
	p.await(p.patience(), func() bool { status = p.granted; return status != 0 })
	if status != sipmsg.StatusOK {
		p.tb.Fatalf("REGISTER of %s, for %d s: %d", p.o.User, expires, status)
	}
}

// register sends a REGISTER, with credentials if they are given.
func (p *Phone) register(expires int, credentials ...string) {
	p.sequence++
	uri, self := "sip:"+p.o.Hotline, fmt.Sprintf("<sip:%s@%s>", p.o.User, p.o.Hotline)
	out := outgoing{
		method: sipmsg.REGISTER, uri: uri, from: self + ";tag=" + newToken(), to: self, callID: p.regCall,
		seq: p.sequence, headers: append(credentials, fmt.Sprintf("Expires: %d", expires)),
	}
	p.ask(out, func(res *sipmsg.Response) {
		switch {
		case res == nil:
			p.granted = sipmsg.StatusRequestTimeout
		case res.IsProvisional():
			return
		case res.StatusCode == sipmsg.StatusUnauthorized && len(credentials) == 0:
			p.register(expires, p.credentials(res, sipmsg.REGISTER, uri))
			return
		default:
			p.granted = res.StatusCode
		}
		p.tell()
	})
}

// credentials is the header that answers a challenge (RFC 3261 section 22.2); a challenge that is no digest
// gets none.
func (p *Phone) credentials(res *sipmsg.Response, method sipmsg.RequestMethod, uri string) string {
	asks, answers := "WWW-Authenticate", "Authorization"
	if res.StatusCode == sipmsg.StatusProxyAuthRequired {
		asks, answers = "Proxy-Authenticate", "Proxy-Authorization"
	}
	for _, h := range res.GetHeaders(asks) {
		challenge, err := digest.ParseChallenge(h.Value())
		if err != nil {
			continue
		}
		creds, err := digest.Digest(challenge, digest.Options{
			Method: string(method), URI: uri, Username: p.o.User, Password: p.o.Password, Count: 1,
		})
		if err == nil {
			return answers + ": " + creds.String()
		}
	}
	return "Subject: no credentials"
}

// patience is how long what should come at once may take: as long as a request is tried, and more.
func (p *Phone) patience() time.Duration { return p.giveUp() + Patience }

// AwaitCall waits for the next call to ring that was not returned before, and returns it; the test fails
// when there is none.
func (p *Phone) AwaitCall(after ...*PhoneCall) *PhoneCall {
	p.tb.Helper()
	var found *PhoneCall
	ok := p.await(p.patience(), func() bool {
		for _, c := range p.calls {
			if c.incoming != nil && !slices.Contains(after, c) {
				found = c
				return true
			}
		}
		return false
	})
	if !ok {
		p.tb.Fatalf("%s was not rung", p.o.User)
	}
	return found
}

// Await waits until the call is in a state, and fails the test when it is over before, or too late.
func (c *PhoneCall) Await(want CallState) {
	c.p.tb.Helper()
	c.await(string(want), func() bool { return c.state == want })
}

// AwaitReoffered waits for the end of a Hold or Resume, and returns its final status.
func (c *PhoneCall) AwaitReoffered() (status int) {
	c.p.tb.Helper()
	c.await("re-INVITE answered", func() bool { status = c.reoffered; return status != 0 })
	return status
}

// AwaitRefreshed waits until the hotline has refreshed the session.
func (c *PhoneCall) AwaitRefreshed() {
	c.p.tb.Helper()
	c.awaitFor(c.p.o.Session, "refreshed", func() bool { return c.refreshed > 0 }) // half of it should do
}

// AwaitPRACK waits until a reliable 180 of ours is acknowledged.
func (c *PhoneCall) AwaitPRACK() {
	c.p.tb.Helper()
	c.await("acknowledged by PRACK", func() bool { return c.rseq != 0 && c.reliable == nil })
}

// AwaitReferred waits for the answer to a Refer, which may come after the call's end.
func (c *PhoneCall) AwaitReferred() (status int) {
	c.p.tb.Helper()
	if !c.p.await(c.p.patience(), func() bool { status = c.referred; return status != 0 }) {
		c.p.tb.Fatalf("%s: no answer to REFER: %s", c.p.o.User, c)
	}
	return status
}

// AwaitTransfer waits for the final news of a Refer, and returns it: the status in the last NOTIFY, which is
// not final if the call was over before.
func (c *PhoneCall) AwaitTransfer() (status int) {
	c.p.tb.Helper()
	ok := c.p.await(c.p.patience(), func() bool {
		if n := len(c.notified); n > 0 {
			status = c.notified[n-1]
		}
		return status >= 200 || c.state == Over
	})
	if !ok {
		c.p.tb.Fatalf("%s heard of no end of the transfer: %s", c.p.o.User, c)
	}
	return status
}

func (c *PhoneCall) await(what string, f func() bool) {
	c.p.tb.Helper()
	c.awaitFor(c.p.patience(), what, f)
}

func (c *PhoneCall) awaitFor(limit time.Duration, what string, f func() bool) {
	c.p.tb.Helper()
	ended := false
	ok := c.p.await(limit, func() bool {
		if f() {
			return true
		}
		ended = c.state == Over
		return ended
	})
	if !ok || ended {
		c.p.tb.Fatalf("%s: not %s but %s", c.p.o.User, what, c)
	}
}

// String says where the call stands, and why it ended.
func (c *PhoneCall) String() (s string) {
	c.p.do(func() {
		s = fmt.Sprintf("%s (%s), re-INVITE %d, REFER %d, told %v, BYE %d",
			c.state, c.why, c.reoffered, c.referred, c.notified, c.byed)
	})
	return s
}

// Ended is why the call is over, empty while it is not: bye, hung up, cancelled, declined, a status, or
// what was not answered.
func (c *PhoneCall) Ended() (why string) {
	c.p.do(func() { why = c.why })
	return why
}

// Answer answers a call that rings.
func (c *PhoneCall) Answer() {
	c.p.do(func() {
		if c.state == Ringing && c.incoming != nil {
			c.state = Answering
			c.reliable.stop() // a final response ends the retransmission, not the wait (RFC 3262 section 3)
			c.accept(c.incoming)
			c.p.tell()
		}
	})
}

// Hangup ends the call, whatever its state: CANCEL, a refusal or BYE. The BYE of who answered waits for the
// ACK (RFC 3261 section 15).
func (c *PhoneCall) Hangup() {
	c.p.do(func() {
		switch {
		case c.state == Talking:
			c.bye("hung up")
		case c.state == Answering:
			c.leaving = true
		case c.state == Ringing && c.incoming != nil:
			c.over("declined")
			c.p.reply(c.incoming, sipmsg.StatusBusyHere, "")
		case c.state != Over:
			c.cancelling = true
			if c.invite.heard {
				c.cancel()
			}
		}
	})
}

// Hold and Resume send a re-INVITE (RFC 3264 section 8.4).
func (c *PhoneCall) Hold() { c.p.do(func() { c.reoffer(sendOnly) }) }

// Resume takes the far end off hold.
func (c *PhoneCall) Resume() { c.p.do(func() { c.reoffer(sendRecv) }) }

// Refer asks for the other party to be connected with somebody (RFC 3515), in place of the far end of
// another call of this phone, if replaces is not nil (RFC 3891).
func (c *PhoneCall) Refer(user string, replaces *PhoneCall) {
	to := fmt.Sprintf("sip:%s@%s", user, c.p.o.Hotline)
	if replaces != nil {
		c.p.do(func() {
			_, tag, _ := strings.Cut(replaces.to, ";tag=")
			to += "?Replaces=" + url.QueryEscape(fmt.Sprintf("%s;to-tag=%s;from-tag=%s", replaces.id, tag, replaces.tag))
		})
	}
	c.ReferTo(to)
}

// Rings is how many calls ring: INVITEs without a final response.
func (p *Phone) Rings() (n int) {
	p.do(func() {
		for _, s := range p.served {
			if s.req.IsInvite() && s.final == 0 {
				n++
			}
		}
	})
	return n
}

// Unsettled says what still goes on: calls that are not over, requests without an answer, and responses
// without their ACK. Empty: the phone is idle, and so is the far end as far as it can know.
func (p *Phone) Unsettled() (list []string) {
	p.do(func() {
		for _, c := range p.calls {
			if c.state != Over {
				list = append(list, "a call is "+string(c.state))
			}
		}
		for _, q := range p.requests {
			if q.final == 0 {
				list = append(list, string(q.out.method)+" unanswered")
			}
		}
		for _, s := range p.served {
			if s.final == 0 {
				list = append(list, string(s.req.Method)+" rings on")
			} else if s.again.resend != nil && !s.again.resend.off {
				list = append(list, "refusal without ACK")
			}
		}
	})
	return list
}

// Press presses a key, told by INFO (application/dtmf-relay).
func (c *PhoneCall) Press(key byte) {
	c.p.do(func() {
		out := c.request(sipmsg.INFO)
		out.body, out.kind = fmt.Sprintf("Signal=%c\r\nDuration=160\r\n", key), "application/dtmf-relay"
		c.p.ask(out, func(*sipmsg.Response) {})
	})
}

// ReferTo asks for the other party to be connected with a URI, whatever that is (RFC 3515).
func (c *PhoneCall) ReferTo(uri string) {
	c.p.do(func() {
		c.refers, c.referred, c.notified = true, 0, nil
		by := fmt.Sprintf("Referred-By: <sip:%s@%s>", c.p.o.User, c.p.o.Hotline)
		c.p.ask(c.request(sipmsg.REFER, "Refer-To: <"+uri+">", by), func(res *sipmsg.Response) {
			switch {
			case res == nil:
				c.referred = sipmsg.StatusRequestTimeout
			case !res.IsProvisional():
				c.referred = res.StatusCode
			}
			c.p.tell()
		})
	})
}
