package sim

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

const invite = "INVITE"

// floodCall is one call of a flood.
type floodCall struct {
	flood  *flood
	index  int
	begun  time.Time
	number string    // dialled
	until  time.Time // when it is to hang up
	to     string    // the To of the 200, with its tag
	target string    // its Contact
	ack    []byte    // sent again for every 200 that is repeated
	over   bool

	// The request that waits for its answer: when it was sent first, when it is to be sent again (zero when not),
	// and what the wait will be then.
	request []byte
	first   time.Time
	again   time.Time
	wait    time.Duration
}

// send sends a request for the first time.
func (c *floodCall) send(request []byte, now time.Time) {
	c.request, c.first, c.wait = request, now, c.flood.o.T1
	c.again = now.Add(c.wait)
	c.write(request)
}

// resend sends the request again, and doubles the wait (RFC 3261 sections 17.1.1.2 and 17.1.2.2).
func (c *floodCall) resend(now time.Time) {
	const most = 8 // T2, in T1
	c.write(c.request)
	c.wait *= 2
	if bytes.HasPrefix(c.request, []byte("BYE")) {
		c.wait = min(c.wait, most*c.flood.o.T1)
	}
	c.again = now.Add(c.wait)
}

// write leaves an error of the socket (a full queue, nobody at the port) to the resending.
func (c *floodCall) write(message []byte) { _, _ = c.flood.conn.Write(message) }

// take takes a response in.
func (c *floodCall) take(m heard) {
	switch {
	case m.status < 200:
		if m.method == invite && c.ack == nil {
			c.again = time.Time{} // it has arrived
		}
	case m.method == invite && c.ack != nil:
		c.write(c.ack)
	case m.method == invite && m.status < 300:
		c.answered(m)
	case m.method == invite:
		c.final(m.status)
		c.write(c.message("ACK", c.uri(), m.to, c.branch("i"), 1, nil))
		c.refused()
	case m.status < 300:
		c.flood.figures.Completed++
		c.end()
	default:
		c.refused()
	}
}

func (c *floodCall) answered(m heard) {
	f := c.flood
	c.final(m.status)
	f.figures.Setup = append(f.figures.Setup, m.at.Sub(c.begun))
	c.to, c.target = m.to, m.contact
	c.ack = c.message("ACK", c.target, c.to, c.branch("a"), 1, nil)
	c.write(c.ack)
	if f.o.Hold <= 0 {
		c.bye(m.at)
		return
	}
	c.again, c.until = time.Time{}, m.at.Add(f.o.Hold)
	f.held = append(f.held, c)
}

func (c *floodCall) bye(now time.Time) {
	c.send(c.message("BYE", c.target, c.to, c.branch("b"), 2, nil), now)
}

// final counts the final response to the INVITE.
func (c *floodCall) final(status int) { c.flood.figures.Statuses[c.number][status]++ }

func (c *floodCall) refused() {
	c.flood.figures.Refused++
	c.end()
}

func (c *floodCall) end() {
	c.over = true
	delete(c.flood.calls, c.index)
}

func (c *floodCall) uri() string { return "sip:" + c.number + "@" + c.flood.o.Server.String() }

func (c *floodCall) branch(of string) string {
	return "z9hG4bK" + of + c.flood.run + strconv.Itoa(c.index)
}

func (c *floodCall) invite() []byte {
	const port = 40000 // nobody listens there, and nothing is said in calls as short as these
	host := c.flood.self.Addr()
	sdp := fmt.Appendf(nil, "v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP 8 101\r\n"+
		"a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n", host, host, port)
	return c.message(invite, c.uri(), "<"+c.uri()+">", c.branch("i"), 1, sdp)
}

func (c *floodCall) message(method, uri, to, branch string, seq int, body []byte) []byte {
	f := c.flood
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=%s;rport\r\nMax-Forwards: 70\r\n"+
		"From: <sip:%s@%s>;tag=%s%d\r\nTo: %s\r\nCall-ID: %d-%s\r\nCSeq: %d %s\r\nContact: <sip:%s@%s>\r\n",
		method, uri, f.self, branch, f.o.From, f.self, f.run, c.index, to, c.index, f.run, seq, method, f.o.From, f.self)
	if body != nil {
		b.WriteString("Content-Type: application/sdp\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n", len(body))
	b.Write(body)
	return b.Bytes()
}

// heard is what a flood must know of a response.
type heard struct {
	at      time.Time
	status  int
	method  string // of its CSeq
	index   int    // of the call, from its Call-ID
	run     string
	to      string
	contact string
}

// read hands on the responses that a socket receives, until it is closed. An error of a connected UDP socket may be
// an ICMP message about an earlier packet: it is no end.
func read(conn net.Conn, out chan<- heard) {
	defer close(out)
	buf := make([]byte, 64<<10)
	for failures := 0; ; {
		n, err := conn.Read(buf)
		at := time.Now()
		if err != nil {
			const most = 1000 // in a row: nobody is there
			if failures++; failures > most || errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		failures = 0
		if m, ok := parse(string(buf[:n])); ok {
			m.at = at
			out <- m
		}
	}
}

// parse reads the little of a response that counts here.
func parse(message string) (m heard, ok bool) {
	head, _, _ := strings.Cut(message, "\r\n\r\n")
	first, rest, _ := strings.Cut(head, "\r\n")
	status, found := strings.CutPrefix(first, "SIP/2.0 ")
	if !found || len(status) < 3 {
		return m, false
	}
	var err error
	if m.status, err = strconv.Atoi(status[:3]); err != nil {
		return m, false
	}
	for line := range strings.SplitSeq(rest, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "cseq":
			_, m.method, _ = strings.Cut(value, " ")
		case "to", "t":
			m.to = value
		case "contact", "m":
			m.contact = strings.Trim(value, "<>")
		case "call-id", "i":
			index, run, _ := strings.Cut(value, "-")
			if m.index, err = strconv.Atoi(index); err != nil {
				return m, false
			}
			m.run = run
		}
	}
	return m, m.method != ""
}
