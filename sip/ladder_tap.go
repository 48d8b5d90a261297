package sip

import (
	"bytes"
	"fmt"
	"iter"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"

	"hotline/call"
)

// crossing is one message crossing a socket.
type crossing struct {
	data          []byte // not kept
	at            time.Time
	received      bool
	transport     string
	local, remote netip.AddrPort
	opens         bool // it is an INVITE that may become a call
}

// idle: nobody wants to know of any message.
func (l *ladder) idle() bool { return l == nil || l.out == nil && l.observers.all.Load() == nil }

// saw takes a message as it is on the wire. It is called by whoever reads or writes the socket.
func (l *ladder) saw(c crossing) {
	if l.idle() {
		return
	}
	c.data = bytes.TrimLeft(c.data, "\r\n")
	head, body, _ := bytes.Cut(c.data, endOfHead)
	f := factsOf(head)
	if l.out != nil && len(f.callID) > 0 && l.wants(f.callID, c.opens) {
		l.enter(c, f, head, body)
	}
	l.show(c, f) // once it has a track
}

// enter puts a message on its track.
func (l *ladder) enter(c crossing, f facts, head, body []byte) {
	m := call.SIPMessage{
		At: c.at, Received: c.received, Transport: c.transport, Local: l.ends.of(c.transport, c.local, c.remote), Remote: unmap(c.remote),
	}
	if f.secret || len(head) > ladderHead {
		head = hideSecrets(head)
	}
	m.Head = strings.ToValidUTF8(string(bytes.TrimRight(head, "\r\n")), "\uFFFD")
	if len(body) > 0 {
		m.Body = strings.ToValidUTF8(string(f.contentType), "\uFFFD") + ", " + strconv.Itoa(len(body)) + " octets"
	}
	l.keep(string(f.callID), m)
}

// facts are what of a head decides how it is kept. They point into it.
type facts struct {
	callID, contentType []byte
	secret              bool // it has credentials
}

// factsOf reads a head, line by line and once: it is on the way of every message. Of several Call-IDs the
// first counts. A value that was folded counts if it began on the next line (RFC 3261 section 7.3.1).
func factsOf(head []byte) (f facts) {
	var folded *[]byte // where the value of a header goes that was empty up to the line's end
	for len(head) > 0 {
		line := head
		if end := bytes.IndexByte(head, '\n'); end >= 0 {
			line = head[:end]
			head = head[end+1:]
		} else {
			head = nil
		}
		if folds(line) && folded != nil {
			*folded = bytes.TrimSpace(line)
		}
		folded = nil
		if into := f.field(line); into != nil && *into == nil {
			_, value, _ := bytes.Cut(line, []byte(":"))
			if value = bytes.TrimSpace(value); len(value) > 0 {
				*into = value
			} else {
				folded = into
			}
		}
	}
	return f
}

// field is where a line's value goes; nil when it is none that counts. Credentials are noted.
func (f *facts) field(line []byte) *[]byte {
	if len(line) == 0 {
		return nil
	}
	switch line[0] | 0x20 { // lower case
	case 'c':
		if isNamed(line, "call-id") {
			return &f.callID
		}
		if isNamed(line, "content-type") || isNamed(line, "c") {
			return &f.contentType
		}
	case 'i':
		if isNamed(line, "i") {
			return &f.callID
		}
	case 'a', 'p':
		f.secret = f.secret || credentials(line)
	}
	return nil
}

// isNamed tells whether a line is a header of this name, which is in lower case.
func isNamed(line []byte, name string) bool {
	if len(line) <= len(name) || !strings.EqualFold(string(line[:len(name)]), name) { // no allocation
		return false
	}
	rest := bytes.TrimLeft(line[len(name):], " \t")
	return len(rest) > 0 && rest[0] == ':'
}

// credentials tells whether a line has some (RFC 3261 sections 20.7, 20.28), or a key of audio (RFC 4568 section 4): a
// body is not kept, but one that is parted from its head by nothing that we know is taken for head.
func credentials(line []byte) bool {
	return isNamed(line, "authorization") || isNamed(line, "proxy-authorization") || isNamed(line, "a=crypto")
}

// folds tells whether a line goes on with the header before it.
func folds(line []byte) bool { return len(line) > 0 && (line[0] == ' ' || line[0] == '\t') }

// harmless are the lines of a head, of which one with credentials says no more than its name, and what it folds into nothing.
func harmless(head []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		hiding := false
		for line := range bytes.Lines(head) {
			if hiding && folds(line) {
				continue
			}
			if hiding = credentials(line); hiding {
				name, _, _ := bytes.Cut(line, []byte(":"))
				end := line[len(bytes.TrimRight(line, "\r\n")):]
				line = fmt.Appendf(nil, "%s: (hidden)%s", bytes.TrimSpace(name), end) // line is the reader's
			}
			if !yield(line) {
				return
			}
		}
	}
}

// hideSecrets is a head without credentials, and no longer than ladderHead, cut between two lines.
func hideSecrets(head []byte) []byte {
	var out []byte
	for line := range harmless(head) {
		if len(out)+len(line) > ladderHead {
			return fmt.Appendf(out, "(cut: %d octets in all)", len(head))
		}
		out = append(out, line...)
	}
	return out
}

// heardDatagram traces what was read from a UDP socket.
func (u *UA) heardDatagram(data []byte, from netip.AddrPort, local net.Addr) {
	if u.ladder.idle() {
		return
	}
	ours, _ := addrPortOf(local)
	u.ladder.saw(crossing{
		data: data, at: time.Now(), received: true, transport: transportUDP, local: ours, remote: from,
		opens: bytes.HasPrefix(data, []byte(sipmsg.INVITE+" ")) && u.known(from.Addr()),
	})
}

// WriteTo writes one datagram, which is one message.
func (s *udpTurn) WriteTo(p []byte, to net.Addr) (int, error) {
	at := time.Now()
	if s.ua.guards.holds(p, at) {
		return len(p), nil
	}
	n, err := s.PacketConn.WriteTo(p, to)
	if err == nil && !s.ua.ladder.idle() {
		ours, _ := addrPortOf(s.LocalAddr())
		remote, _ := addrPortOf(to)
		s.ua.ladder.saw(crossing{data: p, at: at, transport: transportUDP, local: ours, remote: remote})
	}
	return n, err
}

// heardStream traces a message that came over a connection: the parser found its ends, so it is written
// anew. It is called before anything is changed in it.
func (u *UA) heardStream(msg sipmsg.Message, t *trackedConn, peer netip.AddrPort) {
	if u.ladder.idle() {
		return
	}
	req, _ := msg.(*sipmsg.Request)
	opens := req != nil && req.IsInvite() && (u.known(peer.Addr()) || t != nil && t.known())
	id := msg.CallID()
	if !u.ladder.observed() && (id == nil || !u.ladder.wants([]byte(id.Value()), opens)) {
		return
	}
	c := crossing{
		data: []byte(msg.String()), at: time.Now(), received: true, transport: strings.ToUpper(msg.Transport()), remote: peer, opens: opens,
	}
	if t != nil { // else it is gone
		c.transport, c.local, c.remote = t.transport, t.ours, t.shown()
	}
	u.ladder.saw(c)
}

// wrote traces what was written to the connection: sipgo writes one message at a time.
func (t *trackedConn) wrote(data []byte, at time.Time) {
	if t.conns.ladder.idle() {
		return
	}
	t.conns.ladder.saw(crossing{data: data, at: at, transport: t.transport, local: t.ours, remote: t.shown()})
}
