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

const (
	// maxConns bounds the TCP connections that are open at once.
	maxConns = 4096
	// writeTimeout bounds a write to a TCP peer that does not read.
	writeTimeout = 5 * time.Second
)

// listener is one bound socket: either packet or stream is set.
type listener struct {
	transport string
	bound     netip.AddrPort
	advertise netip.AddrPort
	packet    net.PacketConn
	stream    net.Listener
}

func (l *listener) close() error {
	if l.packet != nil {
		return l.packet.Close()
	}
	return l.stream.Close()
}

// bindAll opens every listener or none. The error names the address that could not be had.
func bindAll(ls []Listener, c *conns) ([]*listener, error) {
	var out []*listener
	for _, l := range ls {
		b, err := bind(l, c)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("listen on %s %s: %w", l.Network, l.Address, err), closeAll(out))
		}
		out = append(out, b)
	}
	return out, nil
}

func closeAll(ls []*listener) error {
	var errs error
	for _, l := range ls {
		if err := l.close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = errors.Join(errs, fmt.Errorf("close %s %s: %w", l.transport, l.bound, err))
		}
	}
	return errs
}

func bind(o Listener, c *conns) (*listener, error) {
	var lc net.ListenConfig
	l := &listener{advertise: o.Advertise}
	// An IPv4 address is bound as such, so that the socket's address is written as it was configured.
	family := "4"
	if !o.Address.Addr().Is4() {
		family = ""
	}
	var addr net.Addr
	switch o.Network {
	case "udp":
		p, err := lc.ListenPacket(context.Background(), "udp"+family, o.Address.String())
		if err != nil {
			return nil, err
		}
		l.transport, l.packet, addr = transportUDP, p, p.LocalAddr()
	case "tcp":
		s, err := lc.Listen(context.Background(), "tcp"+family, o.Address.String())
		if err != nil {
			return nil, err
		}
		l.transport, l.stream, addr = transportTCP, &trackedListener{Listener: s, conns: c}, s.Addr()
	default:
		return nil, net.UnknownNetworkError(o.Network)
	}
	bound, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	l.bound = unmap(bound)
	return l, nil
}

// conns knows the open TCP connections that peers made to us. Its methods may be called from any
// goroutine; onClose is called without its lock.
type conns struct {
	mu      sync.Mutex
	open    map[netip.AddrPort]*trackedConn
	onClose func(peer netip.AddrPort)
	refused func()
}

func newConns(onClose func(netip.AddrPort), refused func()) *conns {
	return &conns{open: make(map[netip.AddrPort]*trackedConn), onClose: onClose, refused: refused}
}

// alive reports whether a connection from peer is open.
func (c *conns) alive(peer netip.AddrPort) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open[peer] != nil
}

func (c *conns) add(t *trackedConn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.open) >= maxConns {
		return false
	}
	c.open[t.peer] = t
	return true
}

func (c *conns) remove(t *trackedConn) {
	c.mu.Lock()
	current := c.open[t.peer] == t
	if current {
		delete(c.open, t.peer)
	}
	c.mu.Unlock()
	if current {
		c.onClose(t.peer)
	}
}

// closeAll ends every connection, and with it the goroutine that reads it.
func (c *conns) closeAll() {
	c.mu.Lock()
	all := make([]*trackedConn, 0, len(c.open))
	for _, t := range c.open {
		all = append(all, t)
	}
	c.mu.Unlock()
	for _, t := range all {
		_ = t.Close() // the peer may have closed it first
	}
}

// trackedListener hands out connections that conns knows of, up to maxConns.
type trackedListener struct {
	net.Listener
	conns *conns
}

func (l *trackedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		ap, err := netip.ParseAddrPort(c.RemoteAddr().String())
		t := &trackedConn{Conn: c, peer: unmap(ap), conns: l.conns}
		if err == nil && l.conns.add(t) {
			return t, nil
		}
		l.conns.refused()
		_ = c.Close() // never handed out
	}
}

// trackedConn tells conns of its end, which sipgo brings about when a read fails, and bounds its writes.
type trackedConn struct {
	net.Conn
	peer  netip.AddrPort
	conns *conns
	once  sync.Once
}

func (t *trackedConn) Write(b []byte) (int, error) {
	if err := t.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, fmt.Errorf("bound a write to %s: %w", t.peer, err)
	}
	return t.Conn.Write(b)
}

func (t *trackedConn) Close() error {
	err := t.Conn.Close()
	t.once.Do(func() { t.conns.remove(t) })
	return err
}
