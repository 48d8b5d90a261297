package sip

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience of the tests: how long for something that must happen, on a machine that does much else.
const testWait = 30 * time.Second

// wire is one message as it stood on the wire.
type wire struct {
	raw, start, body string
	headers          map[string][]string // by name in lower case
	at               time.Time
}

func (w wire) header(name string) string {
	if v := w.headers[strings.ToLower(name)]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func (w wire) tag(name string) string {
	_, tag, _ := strings.Cut(w.header(name), ";tag=")
	return tag
}

// method of a request, or of the request that a response answers.
func (w wire) method() string {
	f := strings.Fields(w.header("cseq"))
	if len(f) != 2 {
		return ""
	}
	return f[1]
}

func parseWire(raw string, at time.Time) wire {
	head, body, _ := strings.Cut(raw, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	w := wire{raw: raw, start: lines[0], body: body, headers: make(map[string][]string), at: at}
	for _, l := range lines[1:] {
		name, value, _ := strings.Cut(l, ":")
		name = strings.ToLower(strings.TrimSpace(name))
		w.headers[name] = append(w.headers[name], strings.TrimSpace(value))
	}
	return w
}

// peer is a phone made of literal messages: what it sends and what it sees is the wire's truth.
type peer struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader // of a TCP connection
	to   netip.AddrPort
	over string // what its Via names; empty: the network of conn
	n    int

	lastRegister string
	passed       []wire // requests that came while status waited for a response
	// settled are the messages, as they were, that need nothing more of the peer: responses it has acknowledged and
	// requests it has answered. A copy crossed that, on a machine slower than a timer of theirs.
	settled map[string]bool
}

// settle notes that a message needs nothing more.
func (p *peer) settle(w wire) {
	if p.settled == nil {
		p.settled = make(map[string]bool)
	}
	p.settled[w.raw] = true
}

func newPeer(tb testing.TB, network string, to netip.AddrPort) *peer {
	tb.Helper()
	return newPeerAt(tb, nil, network, to)
}

// newPeerAt is newPeer at an address of its own.
func newPeerAt(tb testing.TB, at net.Addr, network string, to netip.AddrPort) *peer {
	tb.Helper()
	d := net.Dialer{LocalAddr: at}
	c, err := d.DialContext(tb.Context(), network, to.String())
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = c.Close() })
	return &peer{t: tb, conn: c, in: bufio.NewReader(c), to: to}
}

func (p *peer) addr() string { return p.conn.LocalAddr().String() }

func (p *peer) transport() string {
	return cmp.Or(p.over, strings.ToUpper(p.conn.LocalAddr().Network()))
}

// write sends a message as it is, with line ends made CRLF.
func (p *peer) write(msg string) {
	p.t.Helper()
	msg = strings.ReplaceAll(strings.ReplaceAll(msg, "\r\n", "\n"), "\n", "\r\n")
	_, err := io.WriteString(p.conn, msg)
	require.NoError(p.t, err)
}

// read returns the next message that comes within d.
func (p *peer) read(d time.Duration) (wire, error) {
	if err := p.conn.SetReadDeadline(time.Now().Add(d)); err != nil {
		return wire{}, err
	}
	if p.transport() == transportUDP {
		buf := make([]byte, maxDatagram)
		n, err := p.conn.Read(buf)
		return parseWire(string(buf[:n]), time.Now()), err
	}
	return p.readStream()
}

func (p *peer) readStream() (wire, error) {
	var raw strings.Builder
	length := 0
	for {
		line, err := p.in.ReadString('\n')
		if err != nil {
			return wire{}, err
		}
		raw.WriteString(line)
		if name, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, "content-length") {
			if length, err = strconv.Atoi(strings.TrimSpace(v)); err != nil {
				return wire{}, err
			}
		}
		if line == "\r\n" {
			break
		}
	}
	body := make([]byte, length)
	_, err := io.ReadFull(p.in, body)
	return parseWire(raw.String()+string(body), time.Now()), err
}

// expect reads until a message whose first line has the prefix and whose CSeq names the method; others, and copies of
// what is settled, are passed over.
func (p *peer) expect(prefix, method string) wire {
	p.t.Helper()
	deadline := time.Now().Add(testWait)
	for {
		w, err := p.read(time.Until(deadline))
		require.NoError(p.t, err, "waiting for %q of %s", prefix, method)
		if strings.HasPrefix(w.start, prefix) && w.method() == method && !p.settled[w.raw] {
			return w
		}
		p.pinged(w)
	}
}

// status reads the final response to a method, and requires its code. Copies of what is settled are passed over.
func (p *peer) status(method string, code int) wire {
	p.t.Helper()
	deadline := time.Now().Add(testWait)
	for {
		w, err := p.read(time.Until(deadline))
		require.NoError(p.t, err, "waiting for a final response to %s", method)
		if p.settled[w.raw] || p.pinged(w) {
			continue
		}
		if !strings.HasPrefix(w.start, "SIP/") {
			p.passed = append(p.passed, w)
		}
		if strings.HasPrefix(w.start, "SIP/2.0 1") || !strings.HasPrefix(w.start, "SIP/") || w.method() != method {
			continue
		}
		require.True(p.t, strings.HasPrefix(w.start, "SIP/2.0 "+strconv.Itoa(code)+" "), "want %d, got %s", code, w.start)
		return w
	}
}

// pinged answers the registrar's ping, which comes to a phone whose test takes long; it reports whether w is one.
func (p *peer) pinged(w wire) bool {
	p.t.Helper()
	ping := strings.HasPrefix(w.start, "OPTIONS ")
	if ping {
		p.respond(w, 200, "OK", "ping", "")
	}
	return ping
}

// caughtUp reads all that was sent to the peer so far.
func (p *peer) caughtUp() {
	p.t.Helper()
	k := p.dialog(testNumber)
	k.request("OPTIONS", "")
	for p.expect("SIP/2.0 ", "OPTIONS").header("call-id") != k.callID {
	}
}

// silence requires that no message with that first line comes within d.
func (p *peer) silence(d time.Duration, prefix string) {
	p.t.Helper()
	deadline := time.Now().Add(d)
	for {
		w, err := p.read(time.Until(deadline))
		if err != nil {
			return
		}
		require.False(p.t, strings.HasPrefix(w.start, prefix), "unexpected %s", w.start)
	}
}

// talk is one dialog as the peer sees it.
type talk struct {
	p                      *peer
	callID, fromTag, toTag string
	number                 string
	seq                    int
	branch                 string // of the last INVITE
}

func (p *peer) dialog(number string) *talk {
	p.n++
	return &talk{p: p, callID: fmt.Sprintf("c%d-%s", p.n, newID()), fromTag: newID()[:8], number: number}
}

// message makes a request of the dialog; extra headers are whole lines.
func (k *talk) message(method string, seq int, branch, body string, extra ...string) string {
	to := fmt.Sprintf("<sip:%s@%s>", k.number, k.p.to)
	if k.toTag != "" {
		to += ";tag=" + k.toTag
	}
	lines := []string{
		fmt.Sprintf("%s sip:%s@%s SIP/2.0", method, k.number, k.p.to),
		fmt.Sprintf("Via: SIP/2.0/%s %s;rport;branch=%s", k.p.transport(), k.p.addr(), branch),
		"Max-Forwards: 70",
		fmt.Sprintf("From: <sip:13900001234@%s>;tag=%s", k.p.addr(), k.fromTag),
		"To: " + to,
		"Call-ID: " + k.callID,
		fmt.Sprintf("CSeq: %d %s", seq, method),
		fmt.Sprintf("Contact: <sip:caller@%s>", k.p.addr()),
	}
	lines = append(lines, extra...)
	lines = append(lines, fmt.Sprintf("Content-Length: %d", len(body)))
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

func newBranch() string { return "z9hG4bK" + newID() }

// request sends the next request of the dialog.
func (k *talk) request(method, body string, extra ...string) {
	k.p.t.Helper()
	k.seq++
	branch := newBranch()
	if method == "INVITE" {
		k.branch = branch
	}
	k.p.write(k.message(method, k.seq, branch, body, extra...))
}

const sdpHeader = "Content-Type: application/sdp"

func (k *talk) invite(extra ...string) {
	k.p.t.Helper()
	k.request("INVITE", sdpGood, append(extra, sdpHeader)...)
}

// cancel sends the CANCEL of the last INVITE.
func (k *talk) cancel() {
	k.p.t.Helper()
	tag := k.toTag
	k.toTag = ""
	k.p.write(k.message("CANCEL", k.seq, k.branch, ""))
	k.toTag = tag
}

// ack acknowledges: with the INVITE's branch what was refused, with one of its own a 2xx.
func (k *talk) ack(w wire, body string) {
	k.p.t.Helper()
	k.p.settle(w)
	k.toTag = w.tag("to")
	branch := k.branch
	if strings.HasPrefix(w.start, "SIP/2.0 2") {
		branch = newBranch()
	}
	var extra []string
	if body != "" {
		extra = []string{sdpHeader}
	}
	k.p.write(k.message("ACK", k.seq, branch, body, extra...))
}

// answered dials, and acknowledges the 200 that comes.
func (k *talk) answered() wire {
	k.p.t.Helper()
	k.invite()
	w := k.p.status("INVITE", 200)
	k.ack(w, "")
	return w
}

// respond answers a request that came, literally; extra headers are whole lines.
func (p *peer) respond(req wire, code int, phrase, tag, body string, extra ...string) {
	p.t.Helper()
	if code >= 200 {
		p.settle(req)
	}
	p.write(p.response(req, code, phrase, tag, body, extra...))
}

// response is what respond sends.
func (p *peer) response(req wire, code int, phrase, tag, body string, extra ...string) string {
	to := req.header("to")
	if tag != "" && !strings.Contains(to, "tag=") {
		to += ";tag=" + tag
	}
	lines := []string{fmt.Sprintf("SIP/2.0 %d %s", code, phrase)}
	for _, v := range req.headers["via"] {
		lines = append(lines, "Via: "+v)
	}
	lines = append(lines, "From: "+req.header("from"), "To: "+to, "Call-ID: "+req.header("call-id"),
		"CSeq: "+req.header("cseq"))
	if !slices.ContainsFunc(extra, func(l string) bool { return strings.HasPrefix(l, "Contact:") }) {
		extra = append(extra, fmt.Sprintf("Contact: <sip:8001@%s>", p.addr()))
	}
	lines = append(lines, extra...)
	if body != "" && !slices.ContainsFunc(extra, func(l string) bool { return strings.HasPrefix(l, "Content-Type:") }) {
		lines = append(lines, sdpHeader)
	}
	lines = append(lines, fmt.Sprintf("Content-Length: %d", len(body)))
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

const testNumber = "96777"

// next reads from a channel, within the tests' patience.
func next[T any](tb testing.TB, c <-chan T) T {
	tb.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(testWait):
		require.FailNow(tb, "nothing came")
		panic("unreachable")
	}
}
