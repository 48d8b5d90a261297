package media

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// This file is the only one of the package with unsafe in it. A packet's two system calls are made here by hand: those of
// package syscall and of x/sys make a new sockaddr for each packet, and tell the scheduler that they may block, which on
// a socket that never does costs about as much as looking up the address (docs/media-engine.md has the figures).
// What is handed to the kernel is an octet slice's first element with its length, or a sockaddr with its size, both of
// which live until the call returns.

// sockaddr is room for a socket address of either family, as the kernel has it. The layout is that of sockaddr_in6
// (ip(7), ipv6(7)); a sockaddr_in is shorter.
type sockaddr struct {
	octets [unix.SizeofSockaddrInet6]byte
	size   uint32
}

// Where things stand in a sockaddr, after the family of two octets in the machine's order.
const (
	portAt  = 2
	inet4At = 4
	inet6At = 8 // after the flow label
)

// set makes it the address of a far end.
func (a *sockaddr) set(to netip.AddrPort) {
	a.octets = [unix.SizeofSockaddrInet6]byte{}
	binary.BigEndian.PutUint16(a.octets[portAt:], to.Port())
	if host := to.Addr(); host.Is4() {
		binary.NativeEndian.PutUint16(a.octets[:], unix.AF_INET)
		v4 := host.As4()
		copy(a.octets[inet4At:], v4[:])
		a.size = unix.SizeofSockaddrInet4
		return
	}
	binary.NativeEndian.PutUint16(a.octets[:], unix.AF_INET6)
	v6 := to.Addr().As16()
	copy(a.octets[inet6At:], v6[:])
	a.size = unix.SizeofSockaddrInet6
}

// get is what the kernel wrote. The scope of an IPv6 address is left out: it is none that SDP could name.
func (a *sockaddr) get() netip.AddrPort {
	port := binary.BigEndian.Uint16(a.octets[portAt:])
	if binary.NativeEndian.Uint16(a.octets[:]) == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(a.octets[inet4At:inet4At+4])), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(a.octets[inet6At:inet6At+16])).Unmap(), port)
}

// receive takes a datagram, if there is one, from a non-blocking socket. b must not be empty; a longer datagram is cut.
func receive(fd int, b []byte, from *sockaddr) (int, unix.Errno) {
	from.size = unix.SizeofSockaddrInet6
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd),
		uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), 0,
		uintptr(unsafe.Pointer(&from.octets)), uintptr(unsafe.Pointer(&from.size)))
	return int(n), errno
}

// send sends a datagram from a non-blocking socket. b must not be empty.
func send(fd int, b []byte, to *sockaddr) unix.Errno {
	_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd),
		uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), 0,
		uintptr(unsafe.Pointer(&to.octets)), uintptr(to.size))
	return errno
}

// poll looks for events without waiting.
func poll(epoll int, events []unix.EpollEvent) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll),
		uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	return int(n), errno
}
