package testkit

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Raw speaks SIP by hand over UDP, for what no telephone would say. It belongs to one goroutine.
type Raw struct {
	tb   testing.TB
	conn *net.UDPConn
	to   string
}

// RawReply is a response to a request of Raw's.
type RawReply struct {
	Status int
	Text   string // the whole message
}

// Header is the value of the first header of a name, without regard to case; empty when there is none.
func (r RawReply) Header(name string) string {
	for line := range strings.Lines(r.Text) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimSpace(key), name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// DialRaw opens a socket towards host:port, and closes it with the test.
func DialRaw(tb testing.TB, to string) *Raw {
	tb.Helper()
	peer, err := net.ResolveUDPAddr("udp4", to)
	if err != nil {
		tb.Fatalf("resolve %s: %v", to, err)
	}
	conn, err := net.DialUDP("udp4", nil, peer)
	if err != nil {
		tb.Fatalf("open a socket to %s: %v", to, err)
	}
	tb.Cleanup(func() { _ = conn.Close() }) // nothing was written that could be lost
	return &Raw{tb: tb, conn: conn, to: to}
}

// Edit changes a request that is well formed: a header's new value by its name, or none by "".
type Edit map[string]string

// Request is the text of a request, well formed but for the edits. Each is another transaction.
func (r *Raw) Request(method string, edits Edit) string {
	us, id := r.conn.LocalAddr().String(), rand.Text()
	headers := [][2]string{
		{"Via", fmt.Sprintf("SIP/2.0/UDP %s;branch=z9hG4bK%s;rport", us, id)},
		{"From", fmt.Sprintf("<sip:13900001234@%s>;tag=%s", us, id[:8])},
		{"To", fmt.Sprintf("<sip:96777@%s>", r.to)},
		{"Call-ID", id},
		{"CSeq", "1 " + method},
		{"Contact", fmt.Sprintf("<sip:13900001234@%s>", us)},
		{"Max-Forwards", "70"},
		{"Content-Length", "0"},
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s sip:96777@%s SIP/2.0\r\n", method, r.to)
	for _, h := range headers {
		value, edited := edits[h[0]]
		if !edited {
			value = h[1]
		}
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\r\n", h[0], value)
		}
	}
	return b.String() + "\r\n"
}

// Send sends a datagram, whatever it is.
func (r *Raw) Send(text string) {
	r.tb.Helper()
	if _, err := r.conn.Write([]byte(text)); err != nil {
		r.tb.Fatalf("send %q: %v", tail(text, 200), err)
	}
}

// Ask sends a request until its final response comes, as RFC 3261 section 17.1.2.2 has it, and returns
// that. What else comes meanwhile is passed over.
func (r *Raw) Ask(request string) RawReply {
	r.tb.Helper()
	id := RawReply{Text: request}.Header("Call-ID")
	limit := time.Now().Add(Patience)
	for time.Now().Before(limit) {
		r.Send(request)
		if reply, ok := r.answer(id, time.Now().Add(time.Second)); ok {
			return reply
		}
	}
	r.tb.Fatalf("no answer within %s to:\n%s", Patience, request)
	return RawReply{}
}

// answer reads until the final response to a request has come, or the deadline.
func (r *Raw) answer(callID string, deadline time.Time) (RawReply, bool) {
	r.tb.Helper()
	if err := r.conn.SetReadDeadline(deadline); err != nil {
		r.tb.Fatalf("set a deadline: %v", err)
	}
	datagram := make([]byte, 1<<16)
	for {
		n, err := r.conn.Read(datagram)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return RawReply{}, false
		}
		if err != nil {
			r.tb.Fatalf("read a response: %v", err)
		}
		reply := RawReply{Text: string(datagram[:n])}
		words := strings.Fields(reply.Text)
		if len(words) < 2 || reply.Header("Call-ID") != callID {
			continue
		}
		// What is no number is a request, and 1xx is not final.
		if reply.Status, err = strconv.Atoi(words[1]); err == nil && reply.Status >= 200 {
			return reply, true
		}
	}
}
