package sip

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// cut ends the connection at once: without the good-bye of TLS (RFC 8446 section 6.1) or of a WebSocket (RFC 6455 section
// 5.5.1), for which a peer that does not read would be waited for. Its reader notices. It may be called with any lock held.
func (t *trackedConn) cut() { _ = t.raw.Close() } // the peer may have closed it first

// part says the good-bye of the transport, if it has one, and closes. Only who holds no lock may call it: a peer that does
// not read is waited for, but no longer than writeSoonIn, since whoever writes to it waits too.
func (t *trackedConn) part() {
	if t.shake == nil {
		return // TCP has none, and is closed by whom Read tells
	}
	late := time.AfterFunc(writeSoonIn, t.cut)
	defer late.Stop()
	_ = t.Conn.Close() // who has gone before does not hear it
}

// Close ends the connection, and waits for nobody: sipgo calls it with its table of connections locked, which everybody
// needs who sends over any connection. Read has said good-bye by then.
func (t *trackedConn) Close() error {
	err := t.raw.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil // it is as it should be
	}
	t.once.Do(func() {
		close(t.gone)
		t.conns.remove(t)
	})
	return err
}

// endHost ends the connections of a stranger's host, each of whose reader notices.
func (c *conns) endHost(host netip.Addr) {
	host = hostOf(host)
	for _, t := range c.all() {
		if hostOf(t.peer.Addr()) == host && !t.ofTrunk() {
			t.cut()
		}
	}
}

// closeAll ends every connection, and with it the goroutine that reads it.
func (c *conns) closeAll() {
	var closing sync.WaitGroup
	for _, t := range c.all() { // at once: a peer that does not read is waited for
		closing.Go(func() {
			t.part()
			_ = t.Close() // the peer may have closed it first
		})
	}
	closing.Wait()
}

// all are the open connections. Nothing is done to them with the lock held: who connects, and who answers, needs it.
func (c *conns) all() []*trackedConn {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]*trackedConn, 0, len(c.open))
	for _, t := range c.open {
		all = append(all, t)
	}
	return all
}

// keeps tells whether a connection is needed, though nothing comes over it: a trunk's, the flow of an
// agent's phone, that of a call.
func (u *UA) keeps(transport string, peer netip.AddrPort) bool {
	if _, ok := u.plan().match(peer.Addr()); ok {
		return true
	}
	if _, ok := u.registrar.agentAt(transport, peer); ok {
		return true
	}
	if c := u.conns.of(transport, peer); c != nil && c.made && c.known() {
		return true
	}
	return u.legs.reach(transport, peer)
}

// connClosed is told of every connection that ends: the flows over it are lost, and calls that
// could only be answered over it.
func (u *UA) connClosed(transport string, peer netip.AddrPort) {
	u.registrar.connClosed(transport, peer)
	u.legs.connClosed(transport, peer)
}
