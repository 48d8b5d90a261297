package sip

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// shaker is a listener of connections that begin with a handshake. Each has a goroutine for it, so that whoever connects and
// then says nothing holds nobody up; and it is over before sipgo is handed the connection.
type shaker struct {
	*trackedListener
	ready  chan *trackedConn
	ctx    context.Context //nolint:containedctx // the listener's own life
	cancel context.CancelFunc
	begin  sync.Once
	tasks  sync.WaitGroup
}

func newShaker(l *trackedListener) *shaker {
	s := &shaker{trackedListener: l, ready: make(chan *trackedConn)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Accept returns the next connection whose handshake is done. It fails with net.ErrClosed only.
func (s *shaker) Accept() (net.Conn, error) {
	s.begin.Do(func() { s.tasks.Go(s.acceptAll) })
	select {
	case t := <-s.ready:
		return t, nil
	case <-s.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close closes the listener and whatever has not been handed out, and waits for it.
func (s *shaker) Close() error {
	err := s.trackedListener.Close()
	s.cancel()
	s.begin.Do(func() {}) // nobody begins any more
	s.tasks.Wait()
	return err
}

func (s *shaker) acceptAll() {
	defer s.cancel()
	for {
		c, err := s.trackedListener.Accept()
		if err != nil {
			return // the listener is closed; nothing else is an error
		}
		if t, ok := c.(*trackedConn); ok {
			s.tasks.Go(func() { s.shake(t) })
		}
	}
}

// shake has one connection through its handshake, for which it has as long as for its first message.
func (s *shaker) shake(t *trackedConn) {
	handed := false
	defer func() {
		if !handed {
			_ = t.Close() // the peer may have closed it first
		}
	}()
	defer s.conns.contain("handshake", nil)
	ctx, cancel := context.WithDeadline(s.ctx, t.accepted.Add(s.conns.l.first))
	defer cancel()
	if err := t.shakes(ctx); err != nil {
		if s.ctx.Err() == nil {
			s.conns.dropped(dropHandshake)
		}
		return
	}
	select {
	case s.ready <- t:
		handed = true
	case <-s.ctx.Done():
	}
}

// shakes has strangers wait their turn, since a handshake costs more than any message, and then shakes hands.
func (t *trackedConn) shakes(ctx context.Context) error {
	for host, passed := t.peer.Addr(), false; !passed && !t.conns.known(host); {
		var wait time.Duration
		if wait, passed = t.conns.gate.turn(host, time.Now()); wait > 0 && !pause(wait, ctx.Done()) {
			return context.Cause(ctx)
		}
	}
	if !t.conns.known(t.peer.Addr()) {
		t.conns.sentry.load.cost(strangeHandshake)
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := t.SetDeadline(deadline); err != nil {
			return err
		}
	}
	return errors.Join(t.shake(context.WithValue(ctx, helloTurn{}, t.awaitsHello)), t.SetDeadline(time.Time{}))
}

// helloTurn is the key of what waits until a hello of TLS may be answered, in a handshake's context.
type helloTurn struct{}

// awaitsHello has a stranger whose hello has come wait until it may be answered: those who connected one after another may say
// it in one instant. Errors: ctx's.
func (t *trackedConn) awaitsHello(ctx context.Context) error {
	for host, passed := t.peer.Addr(), false; !passed && !t.conns.known(host); {
		var wait time.Duration
		if wait, passed = t.conns.sentry.shakes.turn(host, time.Now()); wait > 0 && !pause(wait, ctx.Done()) {
			return context.Cause(ctx)
		}
	}
	return nil
}

// wrapper puts what a transport has around TCP around a connection; shake is its handshake, before which nothing is read from
// wrapped or written to it.
type wrapper func(c net.Conn) (wrapped net.Conn, shake func(ctx context.Context) error)

// wrapTLS is how a listener's connections are encrypted: with the certificate that is in force when one is made.
func wrapTLS(c *certificate) wrapper {
	config := &tls.Config{
		MinVersion: tls.VersionTLS12, // RFC 8996: neither 1.0 nor 1.1
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if awaits, ok := hello.Context().Value(helloTurn{}).(func(context.Context) error); ok {
				return nil, awaits(hello.Context())
			}
			return nil, nil //nolint:nilnil // as it is
		},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &c.now.Load().Certificate, nil },
	}
	return func(raw net.Conn) (net.Conn, func(context.Context) error) {
		secured := tls.Server(&steady{Conn: raw}, config)
		return secured, secured.HandshakeContext
	}
}

// steady is a connection of whose writes each has a deadline: those too that TLS makes by itself while it is read from, for
// which nobody has set one, or one that is long past.
type steady struct {
	net.Conn
	until atomic.Int64 // the deadline, in nanoseconds since 1970
}

func (s *steady) SetDeadline(t time.Time) error {
	s.until.Store(t.UnixNano())
	return s.Conn.SetDeadline(t)
}

func (s *steady) SetWriteDeadline(t time.Time) error {
	s.until.Store(t.UnixNano())
	return s.Conn.SetWriteDeadline(t)
}

func (s *steady) Write(b []byte) (int, error) {
	if now := time.Now(); s.until.Load() <= now.UnixNano() {
		if err := s.SetWriteDeadline(now.Add(writeTimeout)); err != nil {
			return 0, err
		}
	}
	return s.Conn.Write(b)
}
