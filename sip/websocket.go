package sip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

const (
	// subprotocol is that of SIP (RFC 7118 section 4.1).
	subprotocol = "sip"
	// upgradeMost is how long the request of a WebSocket's handshake may be, in octets: a browser's cookies are in it.
	upgradeMost = 16 << 10
)

// errUpgrade: a handshake's request is not ended where it should be.
var errUpgrade = errors.New("sip: request of a WebSocket too long")

// wrapWS is how a listener's connections become WebSockets, over those that inner makes; nil: over TCP.
func wrapWS(o Listener, inner wrapper) wrapper {
	return func(raw net.Conn) (net.Conn, func(context.Context) error) {
		var under net.Conn = &steady{Conn: raw}
		secure := func(context.Context) error { return nil }
		if inner != nil {
			under, secure = inner(raw)
		}
		c := &wsConn{Conn: under}
		return c, func(ctx context.Context) error {
			if err := secure(ctx); err != nil {
				return err
			}
			// raw, since the good-bye of TLS would wait for the peer.
			defer context.AfterFunc(ctx, func() { _ = raw.Close() })()
			return c.upgrade(o)
		}
	}
}

// wsConn is a WebSocket as a connection: Read returns what one message carries, Write makes its octets one (RFC 7118 section
// 4.2). It answers what WebSockets say to each other: pings, and the good-bye (RFC 6455 section 5.5). One goroutine reads.
type wsConn struct {
	net.Conn
	// came is called for each frame, whatever it carries, before it is looked into; set before it is read from.
	came func() error // its error ends the connection

	in        []byte // read, and not looked at
	message   []byte // the fragments of a message so far
	fragments int    // how many: each may be empty

	mu   sync.Mutex // one frame is written at a time
	open bool       // the handshake is done, and good-bye not said
	// leaving is the status of the good-bye, once one is due: the first reason stands. 0: none is.
	leaving atomic.Uint32
}

// upgrade is the server's side of the handshake (RFC 6455 section 4.2). Who asks for another path, comes from a page of
// another site, or does not speak SIP is answered so. What is no browser sends no Origin, and may.
func (c *wsConn) upgrade(o Listener) error {
	agreed := false
	_, err := ws.Upgrader{
		OnRequest: func(uri []byte) error {
			if path, _, _ := strings.Cut(string(uri), "?"); path != o.Path {
				return ws.RejectConnectionError(ws.RejectionStatus(http.StatusNotFound))
			}
			return nil
		},
		OnHeader: func(key, value []byte) error {
			if strings.EqualFold(string(key), "Origin") && !slices.ContainsFunc(o.Origins, func(origin string) bool {
				return strings.EqualFold(origin, string(value)) // a scheme and a host (RFC 6454 section 7)
			}) {
				return ws.RejectConnectionError(ws.RejectionStatus(http.StatusForbidden))
			}
			return nil
		},
		Protocol: func(offered []byte) bool {
			agreed = agreed || string(offered) == subprotocol
			return string(offered) == subprotocol
		},
		OnBeforeUpgrade: func() (ws.HandshakeHeader, error) {
			if !agreed {
				return nil, ws.RejectConnectionError(ws.RejectionStatus(http.StatusBadRequest), ws.RejectionReason("subprotocol sip needed"))
			}
			return nil, nil
		},
	}.Upgrade(&atMost{c.Conn, upgradeMost})
	if err != nil {
		return fmt.Errorf("upgrade a connection from %s: %w", c.RemoteAddr(), err)
	}
	c.mu.Lock()
	c.open = true
	c.mu.Unlock()
	return nil
}

// atMost lets no more be read than so many octets.
type atMost struct {
	io.ReadWriter
	left int
}

func (a *atMost) Read(b []byte) (int, error) {
	if a.left <= 0 {
		return 0, errUpgrade
	}
	n, err := a.ReadWriter.Read(b[:min(len(b), a.left)])
	a.left -= n
	return n, err
}

// Read returns the next message, which may be empty. An error of the connection, a deadline that passed above all, loses
// nothing of what came before it.
func (c *wsConn) Read(b []byte) (int, error) {
	for {
		f, ok, err := c.frame()
		if err != nil {
			return 0, err
		}
		if ok {
			whole, err := c.take(f)
			if err != nil {
				return 0, err
			}
			if whole {
				n := copy(b, c.message) // b is larger than any message
				c.message, c.fragments = nil, 0
				return n, nil
			}
			continue
		}
		n, err := c.Conn.Read(b)
		c.in = append(c.in, b[:n]...)
		if err != nil && n == 0 {
			return 0, err
		}
	}
}

// frame cuts the next frame off what was read; false when it is not whole yet. What breaks the rules ends the connection.
func (c *wsConn) frame() (f ws.Frame, ok bool, err error) {
	r := bytes.NewReader(c.in)
	if f.Header, err = ws.ReadHeader(r); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return f, false, nil
		}
		return f, false, c.fail(ws.StatusProtocolError, err)
	}
	state := ws.StateServerSide
	if c.fragments > 0 {
		state = state.Set(ws.StateFragmented)
	}
	if err := ws.CheckHeader(f.Header, state); err != nil {
		return f, false, c.fail(ws.StatusProtocolError, err)
	}
	if f.Header.Length > maxDatagram || !f.Header.OpCode.IsControl() && len(c.message)+int(f.Header.Length) > maxDatagram {
		return f, false, c.fail(ws.StatusMessageTooBig, errTooBig)
	}
	head, end := len(c.in)-r.Len(), len(c.in)-r.Len()+int(f.Header.Length)
	if len(c.in) < end {
		return f, false, nil
	}
	f.Payload = bytes.Clone(c.in[head:end])
	ws.Cipher(f.Payload, f.Header.Mask, 0)
	if c.in = c.in[end:]; len(c.in) == 0 {
		c.in = nil // a connection without traffic holds nothing
	}
	return f, true, nil
}

// errTooBig: a message is larger than any that we take, errFragments: it is in more pieces.
var (
	errTooBig    = errors.New("sip: message too big")
	errFragments = errors.New("sip: message in too many fragments")
)

// fragmentsMost is how many fragments a message may have. The protocol has no bound, and they may be empty (RFC 6455 section
// 5.4): who sends them without end would keep us reading, and never say anything.
const fragmentsMost = 1024

// take does what a frame asks; true means that c.message is whole.
func (c *wsConn) take(f ws.Frame) (whole bool, err error) {
	if c.came != nil {
		if err := c.came(); err != nil {
			return false, err
		}
	}
	if !f.Header.OpCode.IsControl() {
		if c.fragments++; c.fragments > fragmentsMost {
			return false, c.fail(ws.StatusPolicyViolation, errFragments)
		}
		c.message = append(c.message, f.Payload...)
		return f.Header.Fin, nil
	}
	switch f.Header.OpCode { //nolint:exhaustive // a control frame has one of three
	case ws.OpPing:
		return false, c.write(ws.OpPong, f.Payload)
	case ws.OpClose:
		status, _ := ws.ParseCloseFrameData(f.Payload)
		if status.Empty() || status == ws.StatusNoStatusRcvd {
			status = ws.StatusNormalClosure
		}
		c.leave(status)
		return false, io.EOF
	default: // a pong
		return false, nil
	}
}

// fail says good-bye for a reason, and is the error that ends the connection.
func (c *wsConn) fail(status ws.StatusCode, why error) error {
	c.leave(status)
	return fmt.Errorf("WebSocket from %s: %w: %w", c.RemoteAddr(), why, net.ErrClosed)
}

// leave has good-bye said, for the first reason that there was: now, if nobody is writing, else by Close. Who reads does not
// wait for a peer that reads nothing.
func (c *wsConn) leave(status ws.StatusCode) {
	c.leaving.CompareAndSwap(0, uint32(status))
	if c.mu.TryLock() {
		defer c.mu.Unlock()
		c.bye()
	}
}

// bye says good-bye, once. It is called with c.mu.
func (c *wsConn) bye() {
	if c.open {
		c.open = false
		_ = c.put(ws.OpClose, ws.NewCloseFrameBody(ws.StatusCode(c.leaving.Load()), "")) // it may have gone
	}
}

// Write writes one message, as text, which all of SIP is but for some bodies (RFC 7118 section 4.2).
func (c *wsConn) Write(b []byte) (int, error) {
	code := ws.OpText
	if !utf8.Valid(b) {
		code = ws.OpBinary
	}
	if err := c.write(code, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (c *wsConn) write(code ws.OpCode, payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.open {
		return net.ErrClosed
	}
	return c.put(code, payload)
}

// put is called with c.mu. Where it fails a part of the frame may be gone, and what follows would be taken for the rest of
// it: nothing does, and nobody waits for that.
func (c *wsConn) put(code ws.OpCode, payload []byte) error {
	var out bytes.Buffer
	if err := ws.WriteFrame(&out, ws.NewFrame(code, true, payload)); err != nil {
		return err
	}
	_, err := c.Conn.Write(out.Bytes())
	if err != nil {
		c.open = false
	}
	return err
}

// Close says good-bye and closes. It waits for whoever is writing, who may have written all and be about to leave; a peer that
// does not read is its caller's to bound.
func (c *wsConn) Close() error {
	c.leaving.CompareAndSwap(0, uint32(ws.StatusGoingAway))
	c.mu.Lock()
	c.bye()
	c.mu.Unlock()
	return c.Conn.Close()
}
