package mediaload

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"hotline/media"
)

const (
	rtpHeader    = 12 // RFC 3550 section 5.1
	maxDatagram  = 2048
	payloadALaw  = 8 // RFC 3551 section 6
	payloadMask  = 0x7F
	rtpVersion   = 2 << 6
	rtpMarker    = 0x80
	rtpSequence  = 2 // where it lies in a packet
	rtpTimestamp = 4
	rtpSource    = 8
)

// Plain relays calls as the simplest program does: a goroutine for each socket, which reads a packet, sends it on as it
// is from the socket of the other leg, and has a tap hear it. It checks nothing, rewrites nothing, has no RTCP, and
// serves nobody: engines are measured against it. Safe for any goroutine.
type Plain struct {
	address netip.Addr
	running sync.WaitGroup

	mu    sync.Mutex
	ports ports
	conns []*net.UDPConn
}

// NewPlain makes a relay whose sockets are bound at an address (IPv4), at ports of a range. It must be closed.
func NewPlain(address netip.Addr, r media.PortRange) *Plain {
	return &Plain{address: address, ports: ports{next: r.Lo, last: r.Hi}}
}

// Join joins two parties by their offers, and returns the answers to them. tap, if not nil, hears both.
// Errors: the system's; [media.ErrNoPorts]; not two offers, or one that has no address.
func (p *Plain) Join(offers [][]byte, tap media.Tap) (answers [][]byte, err error) {
	var legs [2]plainLeg
	if len(offers) != len(legs) {
		return nil, fmt.Errorf("%w: a call of %d parties", errBadSDP, len(offers))
	}
	for i := range legs {
		phone, err := described(offers[i])
		if err != nil {
			return nil, err
		}
		legs[i].phone = phone.at
		if legs[i].conn, err = p.bind(); err != nil {
			return nil, err
		}
		legs[i].side, legs[i].tap = media.Side(i), tap
		local := legs[i].conn.LocalAddr().(*net.UDPAddr).AddrPort() //nolint:forcetypeassert // as net says
		answers = append(answers, describe(party{at: local}))
	}
	for i := range legs {
		leg := legs[i]
		p.running.Go(func() { leg.relay(&legs[1-i]) })
	}
	return answers, nil
}

func (p *Plain) bind() (conn *net.UDPConn, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	err = p.ports.take(func(port uint16) error {
		conn, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.address, port)))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("plain relay: %w", err)
	}
	p.conns = append(p.conns, conn)
	return conn, nil
}

// Part ends all calls, and waits for their goroutines. More may be joined afterwards.
func (p *Plain) Part() error {
	p.mu.Lock()
	conns := p.conns
	p.conns = nil
	p.mu.Unlock()
	var errs []error
	for _, c := range conns {
		errs = append(errs, c.Close())
	}
	p.running.Wait()
	return errors.Join(errs...)
}

// plainLeg is one party's socket.
type plainLeg struct {
	conn  *net.UDPConn
	phone netip.AddrPort
	side  media.Side
	tap   media.Tap
}

// relay passes packets to the other leg until the socket is closed.
func (l *plainLeg) relay(far *plainLeg) {
	var buf [maxDatagram]byte
	for {
		n, _, err := l.conn.ReadFromUDPAddrPort(buf[:])
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil || n < rtpHeader {
			continue
		}
		at := time.Now()
		_, _ = far.conn.WriteToUDPAddrPort(buf[:n], far.phone) // what does not get out, its phone will miss
		if l.tap != nil && buf[1]&payloadMask == payloadALaw {
			l.tap.Frame(media.Frame{
				Side: l.side, At: at, ALaw: buf[rtpHeader:n],
				Sequence:  binary.BigEndian.Uint16(buf[rtpSequence:]),
				Timestamp: binary.BigEndian.Uint32(buf[rtpTimestamp:]),
				SSRC:      binary.BigEndian.Uint32(buf[rtpSource:]),
			})
		}
	}
}
