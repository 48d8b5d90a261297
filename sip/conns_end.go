package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// cut ends the connection at once: without the good-bye of TLS (RFC 8446 section 6.1) or of a WebSocket (RFC 6455 section
// 5.5.1), for which a peer that does not read would be waited for. Its reader notices. It may be called with any lock held.
func (t *trackedConn) cut() {
	t.die()
	_ = t.raw.Close() // the peer may have closed it first
}

// die has no request leave by the connection any more: the next opens another. What came over it is still answered, for as long
// as that takes. It may be called with any lock held.
func (t *trackedConn) die() {
	t.deadSince.CompareAndSwap(0, max(1, int64(time.Since(t.accepted))))
	t.dead.close()
}

// ready returns when requests may leave by the connection. Errors: net.ErrClosed, when they may not any more; ctx's.
func (t *trackedConn) ready(ctx context.Context) error {
	select {
	case <-t.taken.done():
		return nil
	case <-t.dead.done():
		return fmt.Errorf("connection to %s: %w", t.peer, net.ErrClosed)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

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
		t.die()
		close(t.gone)
		t.conns.remove(t)
	})
	return err
}

// await tells whether there is a connection that lives, and returns when requests may leave by it. Errors: ctx's.
func (c *conns) await(ctx context.Context, key flowKey) (there bool, err error) {
	for t := c.living(key); t != nil; t = c.living(key) {
		if err := t.ready(ctx); err == nil || ctx.Err() != nil {
			return true, err
		}
	}
	return false, nil
}

// connEnd is the end of a connection.
type connEnd struct {
	transport string
	peer      netip.AddrPort
	at        time.Time // what came from peer later came by another
	succeeded bool      // there is another, by which requests reach peer
}

func (c *conns) remove(t *trackedConn) {
	end := connEnd{transport: t.transport, peer: t.peer, at: time.Now()}
	c.mu.Lock()
	now := c.open[t.key()]
	if now == t {
		delete(c.open, t.key())
	}
	if host := hostOf(t.peer.Addr()); c.hosts[host] > 1 {
		c.hosts[host]--
	} else {
		delete(c.hosts, host)
	}
	c.strangers.leaveLocked(t)
	c.mu.Unlock()
	if now != nil && now != t && now.made {
		end.succeeded, end.at = true, t.accepted.Add(time.Duration(t.deadSince.Load()))
	}
	if now == t || end.succeeded {
		c.onClose(end)
	}
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

// connClosed is told of every connection that ends: the flows over it are lost, and calls that could only be answered over
// it; a carrier that was registered to over it is so anew. sipgo has its table of connections locked meanwhile. The registrar is told at once, before a phone can register over a
// connection that comes after, from the same address; nobody sends with its lock held. A leg's lock is held while a response
// is written to a peer that may not read, so that legs are told by a goroutine of their own.
func (u *UA) connClosed(end connEnd) {
	if !end.succeeded {
		u.registrar.connClosed(end.transport, end.peer)
	}
	for _, one := range u.plan().list {
		if one.reg != nil {
			one.reg.lost(end)
		}
	}
	u.background("connection closed", func() { u.legs.connClosed(end) })
}
