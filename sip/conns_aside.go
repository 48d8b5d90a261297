package sip

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/netip"
)

// A carrier may connect to us from the very port at which it takes our connections (Kamailio does, with tcp_reuse_port). sipgo
// finds a connection by its peer alone, so that the two would be one to it: what has been verified by TLS, and what anybody at
// that address has opened. Hence theirs stands aside: to sipgo, and to all that goes by a request's source, it is from another
// port, which nobody has. What it is used for is not affected: a response goes by the connection of its request.

// standAsideLocked gives a connection that was made to us another peer, if its own is that of a connection of ours, or may be.
// Then takes is where the peer takes connections. The lock is conns'.
func (c *conns) standAsideLocked(t *trackedConn) {
	if t.made {
		return
	}
	other := c.open[t.key()]
	if (other == nil || !other.made && !other.takes.IsValid()) && (c.takes == nil || !c.takes(t.transport, t.peer)) {
		return
	}
	key := t.key()
	for port := uint16(math.MaxUint16); port > 0; port-- { // those of connections are rather below; whose is this one stands aside too
		key.source = netip.AddrPortFrom(t.peer.Addr(), port)
		if c.open[key] == nil {
			t.takes, t.peer = t.peer, key.source
			return
		}
	}
}

// shown is the peer as people are to see it: where it really is.
func (t *trackedConn) shown() netip.AddrPort {
	if t.takes.IsValid() {
		return t.takes
	}
	return t.peer
}

// shownAt is where the peer of a connection really is; a datagram's is where it is.
func (u *UA) shownAt(transport string, peer netip.AddrPort) netip.AddrPort {
	if reliable(transport) {
		if t := u.conns.of(transport, peer); t != nil {
			return t.shown()
		}
	}
	return peer
}

// RemoteAddr is the peer as sipgo is to know it.
func (t *trackedConn) RemoteAddr() net.Addr {
	if t.takes.IsValid() {
		return net.TCPAddrFromAddrPort(t.peer)
	}
	return t.Conn.RemoteAddr()
}

// takesTLS tells whether a trunk may take connections by TLS at an address: its port is the same, and its host is that
// address, or a name.
func (u *UA) takesTLS(transport string, peer netip.AddrPort) bool {
	if transport != transportTLS {
		return false
	}
	at := func(network, address string) bool {
		host, port := hostAndPort(address)
		if network != networkTLS || port != peer.Port() {
			return false
		}
		a, err := netip.ParseAddr(host)
		return err != nil || a.Unmap() == peer.Addr()
	}
	for _, t := range u.plan().list {
		if t.out != nil && at(t.out.Network, t.out.Address) || t.reg != nil && at(t.reg.o.Network, t.reg.o.Address) {
			return true
		}
	}
	return false
}

// makesWay ends a connection that stands where a trunk takes ours, since it was there before that was configured; its peer
// makes another, which stands aside. It returns when the place is free. Errors: ctx's.
func (t *trackedConn) makesWay(ctx context.Context) error {
	t.cut()
	select {
	case <-t.gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the end of a connection from %s: %w", t.peer, context.Cause(ctx))
	}
}
