package media

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"syscall"
)

// rtcpSocket is a stream's RTCP port. Nobody waits at it: reports are sent now and then, and what has come meanwhile is
// thrown away. So it is a bare descriptor, without the poller's part and the look-ups of a net.UDPConn, which are
// most of what a call's second socket would cost. Safe for any goroutine.
type rtcpSocket struct {
	mu sync.Mutex // held while fd is used: the number may be another socket's once it is closed
	fd int        // -1 when closed
}

// openRTCP binds a port. Errors: errPortTaken; the system's.
func openRTCP(at netip.AddrPort) (*rtcpSocket, error) {
	family := syscall.AF_INET
	if at.Addr().Is6() {
		family = syscall.AF_INET6
	}
	fd, err := syscall.Socket(family, syscall.SOCK_DGRAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open a socket for RTCP: %w", err)
	}
	if family == syscall.AF_INET6 { // as net has it for udp6: the port of the other family is not ours
		err = syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, 1)
	}
	if err == nil {
		err = syscall.Bind(fd, sockaddrOf(at))
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		err = errPortTaken
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bind RTCP at %s: %w", at, err), syscall.Close(fd))
	}
	return &rtcpSocket{fd: fd}, nil
}

func sockaddrOf(a netip.AddrPort) syscall.Sockaddr {
	if a.Addr().Is4() {
		return &syscall.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &syscall.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// send sends a datagram. What cannot be sent at once is lost, like any datagram.
func (s *rtcpSocket) send(b []byte, to netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd >= 0 {
		_ = syscall.Sendto(s.fd, b, 0, sockaddrOf(to))
	}
}

// drain throws away what has come, up to most datagrams, and returns how many those were.
func (s *rtcpSocket) drain(most int) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var octet [1]byte // the rest of a datagram goes with its first octet
	for n < most && s.fd >= 0 {
		if _, err := syscall.Read(s.fd, octet[:]); err != nil { // nothing is left; or an ICMP message, which may wait
			break
		}
		n++
	}
	return n
}

// close is idempotent.
func (s *rtcpSocket) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd < 0 {
		return nil
	}
	fd := s.fd
	s.fd = -1
	return syscall.Close(fd)
}
