package sip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// writeTimeout bounds a write to a peer that does not read.
const writeTimeout = 5 * time.Second

// writeSoonIn bounds one that others wait for.
const writeSoonIn = 250 * time.Millisecond

// conns knows the open connections that peers made to us, by whatever transport, and bounds them. Its methods may be called from
// any goroutine; the functions it was given are called without its lock.
type conns struct {
	l limits
	// known tells hosts that have business with us from strangers, kept the connections that have.
	known func(host netip.Addr) bool
	// toTrunk tells whether a connection was made by us to a trunk that there still is; nil: none was.
	toTrunk func(t *trackedConn) bool
	kept    func(transport string, peer netip.AddrPort) bool
	takes   func(transport string, peer netip.AddrPort) bool // see standAsideLocked; nil: never
	// onClose is told of each connection that ended; it must wait for nobody, as Close. dropped is told of each that was refused
	// or ended by us, failed of each error of a listener.
	onClose func(end connEnd)
	dropped func(why string)
	failed  func(why string, err error)
	ladder  *ladder
	// relayed takes what is for the proxy to another node; false: it is not.
	relayed func(message []byte, from way) bool
	guards  *guards
	sentry  *sentry
	gate    *gate // of strangers; not UDP's, where whoever claims addresses could keep all others out
	// refused is given what cannot be parsed, and the way to answer it.
	refused func(o *outline, write func(answer []byte) (why string))
	contain func(where string, after func()) // as UA.contain

	mu        sync.Mutex
	open      map[flowKey]*trackedConn // by what sipgo finds them by: the carrier, and the peer
	hosts     map[netip.Addr]int       // how many each has open
	strangers strangeConns
}

// alive reports whether a connection from peer is open, of that transport, and requests may be sent over it.
func (c *conns) alive(transport string, peer netip.AddrPort) bool {
	t := c.of(transport, peer)
	return t != nil && !t.dead.isClosed()
}

// of is the connection from a peer, dead or alive, by which what came over it is known; nil when none of that transport is open.
func (c *conns) of(transport string, peer netip.AddrPort) *trackedConn {
	if t := c.at(flowKey{carrierOf(transport), peer}); t != nil && t.transport == transport {
		return t
	}
	return nil
}

// at is of, by what sipgo finds connections by.
func (c *conns) at(key flowKey) *trackedConn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open[key]
}

// living is at, unless that is dead.
func (c *conns) living(key flowKey) *trackedConn {
	if t := c.at(key); t != nil && !t.dead.isClosed() {
		return t
	}
	return nil
}

// carried is the connection to peer that a request may leave by, since it lives and sipgo has it; nil when there is none.
func (c *conns) carried(carrier string, peer netip.AddrPort) *trackedConn {
	if t := c.living(flowKey{carrier, peer}); t != nil && t.taken.isClosed() {
		return t
	}
	return nil
}

// heard notes that a whole message came over the connection from peer, and returns it; nil when it is not open any more.
func (c *conns) heard(carrier string, peer netip.AddrPort) *trackedConn {
	t := c.at(flowKey{carrier, peer})
	if t != nil {
		t.hears()
	}
	return t
}

// add takes a connection, or tells why it does not.
func (c *conns) add(t *trackedConn) (why string) {
	host := hostOf(t.peer.Addr())
	known := t.made || c.known(t.peer.Addr())
	if !known {
		if why = c.sentry.refusesConn(t.peer.Addr()); why != "" {
			return why
		}
	}
	if !known && c.crowded(t) {
		c.recount(time.Now())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.standAsideLocked(t)
	if other := c.open[t.key()]; other != nil && (t.made && !other.dead.isClosed() || !t.made && other.ours != t.ours) {
		// Two phones behind a NAT that gave them one port, to different ports of ours: each would be taken for the other.
		return dropConn
	}
	if len(c.open) >= c.l.conns || !known && (c.hosts[host] >= c.l.perHost || c.crowdedLocked(t)) {
		return dropConn
	}
	c.open[t.key()] = t
	c.hosts[host]++
	if !known {
		c.strangers.enterLocked(t)
	}
	return ""
}

// trackedListener hands out connections that conns knows of, as far as its limits allow.
type trackedListener struct {
	net.Listener
	transport string
	conns     *conns
	done      <-chan struct{} // closed with the listener
	wrap      wrapper         // nil: TCP as it is
}

// Accept fails with net.ErrClosed only, which ends the listener. Whatever else goes wrong (no file descriptor left,
// a peer that has gone again) passes, and must not take the hotline down.
func (l *trackedListener) Accept() (net.Conn, error) {
	for failures := 0; ; {
		c, err := l.Listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		if err != nil {
			failures++
			l.conns.failed(dropAccept, err)
			if !backOff(failures, l.done) {
				return nil, net.ErrClosed
			}
			continue
		}
		failures = 0
		t, why := l.track(c)
		if why == "" {
			return t, nil
		}
		l.conns.dropped(why)
		_ = c.Close() // never handed out
	}
}

// track makes conns know of a connection, or tells why it does not take it.
func (l *trackedListener) track(c net.Conn) (t *trackedConn, why string) {
	ap, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return nil, dropConn
	}
	t = &trackedConn{
		Conn: c, raw: c, transport: l.transport, peer: unmap(ap), conns: l.conns, accepted: time.Now(), gone: make(chan struct{}),
	}
	t.in.known = t.known
	t.ours, _ = addrPortOf(c.LocalAddr())
	if l.wrap != nil {
		t.Conn, t.shake = l.wrap(c)
		if framed, ok := t.Conn.(*wsConn); ok {
			t.in.whole, framed.came = true, t.hold
		}
	}
	t.endures(l.conns.l.first)
	return t, l.conns.add(t)
}

// trackedConn tells conns of its end, which sipgo brings about when a read fails. It bounds its writes, and
// how long it is read from for nothing: sipgo's reader alone calls Read.
type trackedConn struct {
	net.Conn
	raw       net.Conn // the socket, beneath what the transport has around it
	transport string
	peer      netip.AddrPort
	takes     netip.AddrPort // where the peer takes connections, if this one stands aside; see standAsideLocked
	ours      netip.AddrPort
	shake     func(ctx context.Context) error // the handshake, before which nothing is read or written; nil: none
	conns     *conns
	accepted  time.Time
	in        framer       // of whoever calls Read
	handed    time.Time    // when Read returned the last message; as in
	made      bool         // by us
	to        aim          // then, the trunk that it was made to, if it is one
	until     atomic.Int64 // nanoseconds after accepted: when a message must have come
	heardAt   atomic.Int64 // nanoseconds after accepted: when a whole message came last; 0: none has
	strange   atomic.Bool  // a stranger's, who has proved nothing since; see strangeConns
	taken     latch        // sipgo finds it by its peer
	dead      latch        // no request is to leave by it any more
	deadSince atomic.Int64 // as until; 0: it is not
	once      sync.Once
	gone      chan struct{} // closed with it
	writing   sync.Mutex    // one message at a time
	unsent    atomic.Int32  // messages that are being written, or wait for that
}

func (t *trackedConn) key() flowKey { return flowKey{carrierOf(t.transport), t.peer} }

// endures lets the connection be without a message for d from now.
func (t *trackedConn) endures(d time.Duration) {
	t.until.Store(int64(time.Since(t.accepted) + d))
}

// hears notes that a whole message has come.
func (t *trackedConn) hears() {
	t.heardAt.Store(max(1, int64(time.Since(t.accepted))))
	t.endures(t.conns.l.idle)
}

// Read returns one message that sipgo's parser reads, whole; what is none is refused. It fails when the connection
// does, and where a stream cannot be cut into messages any more; then the connection is closed. b is larger than any
// message.
func (t *trackedConn) Read(b []byte) (int, error) {
	t.taken.close() // who reads has entered it in sipgo's table before
	n, err := t.message(b)
	if err != nil {
		t.part()
	}
	return n, err
}

// message is Read, which leaves the connection open.
func (t *trackedConn) message(b []byte) (int, error) {
	for {
		f, ok := t.in.next()
		if err := t.holds(ok); err != nil {
			return 0, err
		}
		switch {
		case ok && !f.lost && t.unwanted(&f):
		case ok && f.refused == nil && t.relayed(f.message):
		case ok && f.refused == nil && len(f.message) <= len(b):
			t.handed = time.Now()
			return copy(b, f.message), nil
		case ok:
			if f.refused == nil {
				return 0, io.ErrShortBuffer
			}
			f.refused.source = t.shown()
			t.conns.refused(f.refused, t.answer)
			if f.lost {
				t.die()
				pause(t.conns.l.grace-time.Since(t.handed), t.gone) // as below
				return 0, fmt.Errorf("stream from %s not to be read on: %w", t.peer, net.ErrClosed)
			}
		default:
			n, err := t.receive(b)
			if err != nil {
				// sipgo's goroutines look the connection up when they begin to serve a request. Where it is gone they
				// would make one to whatever host the Via names.
				t.die()
				pause(t.conns.l.grace-time.Since(t.handed), t.gone)
				return 0, err
			}
			t.in.write(b[:n])
		}
	}
}

// answer writes the answer to what cannot be parsed, or tells why it was not sent: whoever made the connection may end it.
func (t *trackedConn) answer(answer []byte) (why string) {
	if _, err := t.Write(answer); err != nil {
		return dropNoWay
	}
	return ""
}

// holds is hold for what was cut off, if anything was; but a WebSocket holds each frame by itself: there are those that make no
// message.
func (t *trackedConn) holds(cut bool) error {
	if !cut || t.in.whole {
		return nil
	}
	err := t.hold()
	if err != nil {
		t.die()
		pause(t.conns.l.grace-time.Since(t.handed), t.gone) // as in message
	}
	return err
}

// unsentMost is how many messages may wait for a peer to read before it is read from no more.
const unsentMost = 64

// hold lets a stranger wait who sends more than one may, and whoever does not read what he is answered: sipgo
// serves each message on a goroutine of its own, so that of those that wait to be written there would be no end.
// It fails when the time of the connection is up.
func (t *trackedConn) hold() error {
	if err := t.awaitsTurn(); err != nil {
		return err
	}
	if t.unsent.Load() > unsentMost {
		t.writing.Lock()   // stands in line, behind those that wait
		t.writing.Unlock() //nolint:staticcheck // nothing else is to be done
	}
	return nil
}

// receive reads until the connection's time is up, which only whole messages put off. One that somebody needs
// gets more time.
func (t *trackedConn) receive(b []byte) (int, error) {
	for {
		until := t.ends()
		if err := t.SetReadDeadline(t.accepted.Add(time.Duration(until))); err != nil {
			return 0, fmt.Errorf("bound a read from %s: %w", t.peer, err)
		}
		n, err := t.Conn.Read(b)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if t.ends() != until {
			continue
		}
		if err := t.lasts(); err != nil {
			return 0, err
		}
	}
}

// Write writes one message. What fails ends the connection, since a part of the message may be gone, and the next
// would not be understood.
func (t *trackedConn) Write(b []byte) (int, error) {
	t.unsent.Add(1)
	defer t.unsent.Add(-1)
	t.writing.Lock() // else each message that waits would put off the end of the one that is being written
	defer t.writing.Unlock()
	return t.write(b, writeTimeout)
}

// writeSoon is Write for who must not wait: the goroutine that reads what other nodes send. A peer whose window is closed
// has long stopped to read: it loses its connection, and all others wait no longer than writeSoonIn for it.
func (t *trackedConn) writeSoon(b []byte) error {
	t.unsent.Add(1)
	defer t.unsent.Add(-1)
	for limit := time.Now().Add(writeSoonIn); !t.writing.TryLock(); {
		if !time.Now().Before(limit) || !pause(time.Millisecond, t.gone) {
			t.cut() // ends the other write too, or the next would wait again
			return fmt.Errorf("write to %s, which does not read: %w", t.peer, os.ErrDeadlineExceeded)
		}
	}
	defer t.writing.Unlock()
	_, err := t.write(b, writeSoonIn)
	return err
}

// write is called with t.writing.
func (t *trackedConn) write(b []byte, within time.Duration) (int, error) {
	at := time.Now()
	if err := t.SetWriteDeadline(at.Add(within)); err != nil {
		return 0, fmt.Errorf("bound a write to %s: %w", t.peer, err)
	}
	if t.conns.guards.holds(b, at) {
		return len(b), nil
	}
	n, err := t.Conn.Write(b)
	if err != nil {
		t.cut() // its reader notices, and tells: the writer may hold locks that this takes
		return n, err
	}
	t.wrote(b, at)
	return n, nil
}
