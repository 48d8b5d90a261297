package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
)

// listener is one bound socket: either packet or stream is set.
type listener struct {
	transport string
	bound     netip.AddrPort
	advertise netip.AddrPort
	name      string // that stands for it; empty: none does
	namePort  uint16
	packet    net.PacketConn
	stream    net.Listener
	once      sync.Once
	done      chan struct{} // closed with the socket
}

func (l *listener) close() error {
	l.once.Do(func() { close(l.done) })
	if l.packet != nil {
		return l.packet.Close()
	}
	return l.stream.Close()
}

// prepare enlarges the buffer of a listener's UDP socket, as far as it may be, and has it tell when datagrams came.
func (l *listener) prepare() error {
	conn, ok := l.packet.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	timestamps(raw)
	return enlarge(raw)
}

// bindAll opens every listener or none. The error names the address that could not be had.
func bindAll(ls []Listener, c *conns, certs *certificates) ([]*listener, error) {
	var out []*listener
	for _, l := range ls {
		b, err := bind(l, c, certs)
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

// wrapperOf is what a listener's transport has around TCP; nil: nothing.
func wrapperOf(o Listener, certs *certificates) wrapper {
	switch o.Network {
	case networkTLS:
		return wrapTLS(certs.of(o))
	case networkWS:
		return wrapWS(o, nil)
	case networkWSS:
		return wrapWS(o, wrapTLS(certs.of(o)))
	default:
		return nil
	}
}

func bind(o Listener, c *conns, certs *certificates) (*listener, error) {
	var lc net.ListenConfig
	l := &listener{advertise: o.Advertise, name: o.AdvertiseName, namePort: o.AdvertisePort, done: make(chan struct{})}
	// A socket is of one family, [::] too: its address is then written as it was configured, it may stand beside 0.0.0.0, and
	// what is said of it holds for all who come to it.
	at, family := unmap(o.Address), "4"
	if !at.Addr().Is4() {
		family = "6"
	}
	var addr net.Addr
	switch o.Network {
	case networkUDP:
		p, err := lc.ListenPacket(context.Background(), networkUDP+family, at.String())
		if err != nil {
			return nil, err
		}
		l.transport, l.packet, addr = transportUDP, p, p.LocalAddr()
		if err := l.prepare(); err != nil {
			return nil, errors.Join(err, l.close())
		}
	case networkTCP, networkTLS, networkWS, networkWSS:
		s, err := lc.Listen(context.Background(), networkTCP+family, at.String())
		if err != nil {
			return nil, err
		}
		l.transport, addr = strings.ToUpper(o.Network), s.Addr()
		tracked := &trackedListener{Listener: s, transport: l.transport, conns: c, done: l.done}
		l.stream = tracked
		if tracked.wrap = wrapperOf(o, certs); tracked.wrap != nil {
			l.stream = newShaker(tracked)
		}
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
