package media

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// descriptors are the sockets of a line of the epoll engine: bare, so that neither has a part in Go's poller. But for
// home they are the shard's, as the line is.
type descriptors struct {
	line *line
	// home is the shard that owns the line. It changes under the lock of the new one's mailbox, so that nobody can post
	// there before the line has arrived; whoever posts to an old one has it forwarded.
	home      atomic.Pointer[shard]
	rtp, rtcp int
	slot      int // in the shard's table
	failures  int // of reading, in a row

	to     netip.AddrPort // where the last RTP packet went
	target sockaddr       // the same
}

// bindDescriptor opens a non-blocking UDP socket. Errors: errPortTaken; the system's.
func bindDescriptor(at netip.AddrPort) (int, error) {
	family := unix.AF_INET
	if at.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("open a socket for %s: %w", at, os.NewSyscallError("socket", err))
	}
	if family == unix.AF_INET6 { // as net has it for udp6: the port of the other family is not ours
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
	}
	if err == nil {
		err = unix.Bind(fd, sockaddrOf(at))
	}
	if errors.Is(err, unix.EADDRINUSE) {
		return 0, errors.Join(errPortTaken, unix.Close(fd))
	}
	if err != nil {
		return 0, errors.Join(fmt.Errorf("bind %s: %w", at, os.NewSyscallError("bind", err)), unix.Close(fd))
	}
	return fd, nil
}

func sockaddrOf(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

func (d *descriptors) send(b []byte, to netip.AddrPort) bool {
	if to != d.to {
		d.to = to
		d.target.set(to)
	}
	return send(d.rtp, b, &d.target) == 0
}

func (d *descriptors) report(b []byte, to netip.AddrPort) {
	var a sockaddr
	a.set(to)
	_ = send(d.rtcp, b, &a)
}

// close implements sockets. A socket that is closed leaves its epoll set by itself.
func (d *descriptors) close() error {
	if s := d.home.Load(); s != nil {
		s.vacate(d)
	}
	return errors.Join(os.NewSyscallError("close", unix.Close(d.rtp)), os.NewSyscallError("close", unix.Close(d.rtcp)))
}
