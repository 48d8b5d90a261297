package sip

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"

	"hotline/call"
)

const testOrigin = "https://desk.example"

// listensWS adds listeners of WebSockets, over TCP and over TLS.
func listensWS(t *testing.T, change func(o *Options)) func(o *Options) {
	t.Helper()
	files := newPEM(t, "one")
	return func(o *Options) {
		for _, network := range []string{"ws", "wss"} {
			l := Listener{Network: network, Address: netip.MustParseAddrPort("127.0.0.1:0"), Path: "/ws", Origins: []string{testOrigin}}
			if network == "wss" {
				l.Certificate, l.Key = files.cert, files.key
			}
			o.Listen = append(o.Listen, l)
		}
		if change != nil {
			change(o)
		}
	}
}

// ws is where the rig listens for WebSockets.
func (r *rig) ws(network string) netip.AddrPort {
	if network == "wss" {
		return r.Addrs()[3]
	}
	return r.Addrs()[2]
}

// browser is a WebSocket's client as a connection: a Write is a message, a Read what one carries.
type browser struct {
	net.Conn
	rest []byte
}

func (b *browser) Write(p []byte) (int, error) {
	return len(p), wsutil.WriteClientText(b.Conn, p)
}

func (b *browser) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		data, _, err := wsutil.ReadServerData(b.Conn)
		if err != nil {
			return 0, err
		}
		b.rest = data
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func dialWS(ctx context.Context, url, origin string, protocols ...string) (net.Conn, error) {
	d := ws.Dialer{Protocols: protocols, TLSConfig: &tls.Config{InsecureSkipVerify: true}, Timeout: testWait}
	if origin != "" {
		d.Header = ws.HandshakeHeaderHTTP(http.Header{"Origin": {origin}})
	}
	c, _, _, err := d.Dial(ctx, url)
	return c, err
}

func newWSPeer(t *testing.T, r *rig, network string) *peer {
	t.Helper()
	to := r.ws(network)
	c, err := dialWS(t.Context(), network+"://"+to.String()+"/ws", testOrigin, "sip")
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	b := &browser{Conn: c}
	return &peer{t: t, conn: b, in: bufio.NewReader(b), to: to, over: strings.ToUpper(network)}
}

// A page's phone registers, is rung and calls over its WebSocket: INVITE, ACK and BYE come by it, though its own address means
// nothing to anybody.
func TestWebSocket(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"ws", "wss"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			legs := make(chan call.Leg, 2)
			r := newRig(t, listensWS(t, func(o *Options) { o.OnIncoming = untilOver(legs) }))
			via := "SIP/2.0/" + strings.ToUpper(network) + " " + r.ws(network).String()
			page := newWSPeer(t, r, network)
			page.register(r)
			inv, out := page.rungBy(r)
			require.True(t, strings.HasPrefix(inv.header("via"), via), inv.header("via"))
			require.Contains(t, inv.header("contact"), "sip:hotline@"+r.ws(network).String()+";transport=ws>")
			page.respond(inv, 200, "OK", "a1", sdpGood, "Contact: <sip:8001@df7jal23ls0d.invalid;transport=ws>")
			ack := page.expect("ACK sip:8001@df7jal23ls0d.invalid;transport=ws", "ACK")
			require.True(t, strings.HasPrefix(ack.header("via"), via))
			rung := next(t, out)
			require.NoError(t, rung.err)
			rung.leg.Hangup(call.CauseBye)
			bye := page.expect("BYE sip:8001@df7jal23ls0d.invalid;transport=ws", "BYE")
			require.True(t, strings.HasPrefix(bye.header("via"), via))
			page.respond(bye, 200, "OK", "", "")

			caller := newWSPeer(t, r, network).dialog(testNumber) // no agent, and told by nothing but its WebSocket
			caller.seq++
			caller.branch = newBranch()
			invite := caller.message("INVITE", caller.seq, caller.branch, sdpGood, sdpHeader)
			caller.p.write(strings.ReplaceAll(strings.Replace(invite, "Content-Length: ", "X-Length: ", 1), caller.p.addr(), "192.0.2.7"))
			caller.ack(caller.p.status("INVITE", 200), "")
			next(t, legs).Hangup(call.CauseBye)
			caller.p.respond(caller.p.expect("BYE sip:caller@192.0.2.7", "BYE"), 200, "OK", "", "")

			require.Empty(t, r.flows, "the phone was reachable all the time")
			require.NoError(t, page.conn.Close())
			require.Equal(t, "8001 false", next(t, r.flows))
		})
	}
}

// Nobody but the far end can make a WebSocket: where it is gone there is no way, and none is tried.
func TestWebSocketGone(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 1)
	r := newRig(t, listensWS(t, func(o *Options) { o.OnIncoming = untilOver(legs) }))
	p := newWSPeer(t, r, "ws")
	k := p.dialog(testNumber)
	k.answered()
	l := next(t, legs)
	require.NoError(t, p.conn.Close())
	require.Eventually(t, func() bool { return r.conns.of(transportWS, netip.MustParseAddrPort(p.addr())) == nil }, testWait, time.Millisecond)
	one, ok := l.(*leg)
	require.True(t, ok)
	one.mu.Lock()
	_, err := r.hopOf(&one.d)
	one.mu.Unlock()
	require.ErrorIs(t, err, net.ErrClosed)
	l.Hangup(call.CauseBye)
	ended(t, l)
	require.Eventually(t, func() bool { return len(r.legs.all()) == 0 }, testWait, time.Millisecond)
	_, err = r.transport.GetConnection(transportTCP, p.addr())
	require.Error(t, err, "somebody called back")
}

// What is no page of ours, or does not speak SIP, is refused before SIP hears of it; what is no browser has no Origin.
func TestWebSocketRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, listensWS(t, nil))
	base := "ws://" + r.ws("ws").String()
	for _, try := range []struct {
		name, url, origin string
		protocols         []string
		status            int // 0: let in
	}{
		{"as it should be", base + "/ws", testOrigin, []string{"sip"}, 0},
		{"case", base + "/ws", "HTTPS://DESK.example", []string{"sip"}, 0},
		{"one of several", base + "/ws?token=1", testOrigin, []string{"chat", "sip"}, 0},
		{"no browser", base + "/ws", "", []string{"sip"}, 0},
		{"another path", base + "/", testOrigin, []string{"sip"}, 404},
		{"longer path", base + "/ws/", testOrigin, []string{"sip"}, 404},
		{"another site", base + "/ws", "https://evil.example", []string{"sip"}, 403},
		{"the site over http", base + "/ws", "http://desk.example", []string{"sip"}, 403},
		{"longer site", base + "/ws", testOrigin + ".evil.example", []string{"sip"}, 403},
		{"from a file", base + "/ws", "null", []string{"sip"}, 403},
		{"no subprotocol", base + "/ws", testOrigin, nil, 400},
		{"another subprotocol", base + "/ws", testOrigin, []string{"chat"}, 400},
	} {
		t.Run(try.name, func(t *testing.T) {
			before := r.dropped(dropHandshake)
			c, err := dialWS(t.Context(), try.url, try.origin, try.protocols...)
			if try.status == 0 {
				require.NoError(t, err)
				require.NoError(t, c.Close())
				return
			}
			var status ws.StatusError
			require.ErrorAs(t, err, &status)
			require.Equal(t, try.status, int(status))
			require.Eventually(t, func() bool { return r.dropped(dropHandshake) > before }, testWait, time.Millisecond)
		})
	}
	t.Run("no WebSocket", func(t *testing.T) {
		res, err := http.Get("http://" + r.ws("ws").String() + "/ws") //nolint:noctx // a test's
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.GreaterOrEqual(t, res.StatusCode, 400)
	})
	t.Run("too long", func(t *testing.T) {
		p := newPeer(t, "tcp", r.ws("ws"))
		p.write("GET /ws HTTP/1.1\r\n" + strings.Repeat("X-Filler: "+strings.Repeat("x", 1000)+"\r\n", upgradeMost/1000+1))
		p.closed()
	})
	t.Run("a line without end", func(t *testing.T) {
		p := newPeer(t, "tcp", r.ws("ws"))
		p.write("GET /" + strings.Repeat("x", 2*upgradeMost))
		p.closed()
	})
	p := newWSPeer(t, r, "ws")
	p.served()
}

// Who is slow with the handshake, or never begins it, holds up nobody, and is gone after a while.
func TestWebSocketSlow(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"ws", "wss"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, listensWS(t, endingConns(time.Second, time.Minute)))
			slow := make([]*peer, 10)
			for i := range slow {
				if network == "wss" {
					slow[i] = newTLSPeer(t, nil, r.ws("wss"))
				} else {
					slow[i] = newPeer(t, "tcp", r.ws("ws"))
				}
				slow[i].write("GET /ws HTTP/1.1\r\nHost:")
			}
			newWSPeer(t, r, network).served()
			for _, p := range slow {
				p.closed()
			}
			require.Eventually(t, func() bool { return r.dropped(dropHandshake) == len(slow) }, testWait, time.Millisecond)
		})
	}
}

// frame sends frames as they are.
func (b *browser) frame(t *testing.T, f ws.Frame) {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, ws.WriteFrame(&out, f))
	_, err := b.Conn.Write(out.Bytes())
	require.NoError(t, err)
}

// says reads the next frame.
func (b *browser) says(t *testing.T) ws.Frame {
	t.Helper()
	require.NoError(t, b.SetReadDeadline(time.Now().Add(testWait)))
	f, err := ws.ReadFrame(b.Conn)
	require.NoError(t, err)
	return f
}

// Pings are answered, messages may come in pieces, with pings between them, and good-bye is said.
func TestWebSocketFrames(t *testing.T) {
	t.Parallel()
	r := newRig(t, listensWS(t, nil))
	p := newWSPeer(t, r, "ws")
	b := p.conn.(*browser)
	masked := ws.MaskFrame
	b.frame(t, masked(ws.NewPingFrame([]byte("are you there"))))
	pong := b.says(t)
	require.Equal(t, ws.OpPong, pong.Header.OpCode)
	require.Equal(t, "are you there", string(pong.Payload))
	b.frame(t, masked(ws.NewPongFrame(nil))) // nobody asked

	k := p.dialog(testNumber)
	options := []byte(k.message("OPTIONS", 1, newBranch(), ""))
	b.frame(t, masked(ws.NewFrame(ws.OpBinary, false, options[:20])))
	b.frame(t, masked(ws.NewPingFrame(nil)))
	require.Equal(t, ws.OpPong, b.says(t).Header.OpCode)
	b.frame(t, masked(ws.NewFrame(ws.OpContinuation, false, nil)))
	b.frame(t, masked(ws.NewFrame(ws.OpContinuation, true, options[20:])))
	p.status("OPTIONS", 200)

	p.write("\r\n\r\n") // RFC 5626 section 4.4.1, also here (RFC 7118 section 6)
	answer := b.says(t)
	require.Equal(t, ws.OpText, answer.Header.OpCode)
	require.Equal(t, "\r\n", string(answer.Payload))
	p.write("")
	p.write("\r\n")

	// A message ends with what carries it, whatever it says of its length.
	long := strings.Replace(k.message("OPTIONS", 2, newBranch(), ""), "Content-Length: 0", "Content-Length: 7", 1)
	p.write(long)
	p.status("OPTIONS", 400)
	first := k.message("OPTIONS", 3, newBranch(), "")
	p.write(first + strings.Replace(first, "CSeq: 3", "CSeq: 4", 1))
	require.Equal(t, "3 OPTIONS", p.status("OPTIONS", 200).header("cseq"))
	p.write(k.message("OPTIONS", 5, newBranch(), ""))
	require.Equal(t, "5 OPTIONS", p.status("OPTIONS", 200).header("cseq"))

	b.frame(t, masked(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, "done"))))
	bye := b.says(t)
	require.Equal(t, ws.OpClose, bye.Header.OpCode)
	code, _ := ws.ParseCloseFrameData(bye.Payload)
	require.Equal(t, ws.StatusNormalClosure, code)
	_, err := b.Conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

// Good-bye is said for the reason that there was, though somebody was writing when it was found.
func TestWebSocketByeBesideAWrite(t *testing.T) {
	t.Parallel()
	far, near := net.Pipe()
	c := &wsConn{Conn: near, open: true}
	b := &browser{Conn: far}
	t.Cleanup(func() { _ = far.Close() })
	wrote, read, closed := make(chan error, 1), make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := c.Write([]byte("\r\n"))
		wrote <- err
	}()
	first := make([]byte, 1) // of that message, whose rest waits to be read
	_, err := io.ReadFull(far, first)
	require.NoError(t, err)
	go func() {
		_, err := c.Read(make([]byte, maxDatagram))
		read <- err
	}()
	b.frame(t, ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))))
	require.ErrorIs(t, next(t, read), io.EOF, "who reads does not wait for who writes")
	go func() { closed <- c.Close() }()
	_, err = io.ReadFull(far, make([]byte, 3))
	require.NoError(t, err)
	require.NoError(t, next(t, wrote))
	bye := b.says(t)
	require.Equal(t, ws.OpClose, bye.Header.OpCode)
	code, _ := ws.ParseCloseFrameData(bye.Payload)
	require.Equal(t, ws.StatusNormalClosure, code)
	require.NoError(t, next(t, closed))
}

// What breaks the rules ends its connection, with the reason, and costs no memory.
func TestWebSocketBroken(t *testing.T) {
	t.Parallel()
	r := newRig(t, listensWS(t, nil))
	huge := ws.Header{Fin: true, OpCode: ws.OpText, Masked: true, Length: 1 << 40}
	half := ws.NewFrame(ws.OpText, false, bytes.Repeat([]byte("x"), maxDatagram/2+1))
	rest := ws.NewFrame(ws.OpContinuation, true, half.Payload)
	pieces := []ws.Frame{ws.MaskFrame(ws.NewFrame(ws.OpText, false, nil))}
	for range fragmentsMost {
		pieces = append(pieces, ws.MaskFrame(ws.NewFrame(ws.OpContinuation, false, nil)))
	}
	for name, broken := range map[string]struct {
		frames []ws.Frame
		status ws.StatusCode
	}{
		"pieces without end":  {pieces, ws.StatusPolicyViolation},
		"not masked":          {[]ws.Frame{ws.NewTextFrame([]byte("OPTIONS sip:x SIP/2.0\r\n\r\n"))}, ws.StatusProtocolError},
		"too big":             {[]ws.Frame{{Header: huge}}, ws.StatusMessageTooBig},
		"too big in pieces":   {[]ws.Frame{ws.MaskFrame(half), ws.MaskFrame(rest)}, ws.StatusMessageTooBig},
		"a rest of nothing":   {[]ws.Frame{ws.MaskFrame(rest)}, ws.StatusProtocolError},
		"another in between":  {[]ws.Frame{ws.MaskFrame(half), ws.MaskFrame(half)}, ws.StatusProtocolError},
		"extensions":          {[]ws.Frame{{Header: ws.Header{Fin: true, Rsv: 4, OpCode: ws.OpText, Masked: true}}}, ws.StatusProtocolError},
		"an unknown code":     {[]ws.Frame{{Header: ws.Header{Fin: true, OpCode: 5, Masked: true}}}, ws.StatusProtocolError},
		"a control too long":  {[]ws.Frame{{Header: ws.Header{Fin: true, OpCode: ws.OpPing, Masked: true, Length: 126}}}, ws.StatusProtocolError},
		"a control in pieces": {[]ws.Frame{{Header: ws.Header{OpCode: ws.OpPing, Masked: true}}}, ws.StatusProtocolError},
	} {
		t.Run(name, func(t *testing.T) {
			b := newWSPeer(t, r, "ws").conn.(*browser)
			for _, f := range broken.frames {
				b.frame(t, f)
			}
			bye := b.says(t)
			require.Equal(t, ws.OpClose, bye.Header.OpCode)
			status, _ := ws.ParseCloseFrameData(bye.Payload)
			require.Equal(t, broken.status, status)
		})
	}
	newWSPeer(t, r, "ws").served()
}
