//go:build !linux

package media

import (
	"net"
	"net/netip"
)

// rtcpSocket is a stream's RTCP port, of which nothing is read: when the socket has no more room the system throws away
// what comes. Safe for any goroutine.
type rtcpSocket struct{ conn *net.UDPConn }

// openRTCP binds a port. Errors: errPortTaken; the system's.
func openRTCP(at netip.AddrPort) (*rtcpSocket, error) {
	conn, err := listen(at)
	if err != nil {
		return nil, err
	}
	return &rtcpSocket{conn}, nil
}

// send sends a datagram. What cannot be sent is lost, like any datagram.
func (s *rtcpSocket) send(b []byte, to netip.AddrPort) { _, _ = s.conn.WriteToUDPAddrPort(b, to) }

// drain has nothing to do.
func (s *rtcpSocket) drain(int) int { return 0 }

func (s *rtcpSocket) close() error { return s.conn.Close() }
