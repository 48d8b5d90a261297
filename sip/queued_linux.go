package sip

import (
	"encoding/binary"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// queuedRoom is what a datagram's time takes beside it, in octets.
const queuedRoom = 64

// timestamps has the kernel tell with each datagram when it came (SO_TIMESTAMPNS, see socket(7)). A system that does not know
// that says nothing, and no datagram is held to have waited.
func timestamps(c syscall.RawConn) {
	_ = c.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	})
}

// readDatagram reads a datagram, and how long it waited in the socket. oob is room for what the kernel tells of it.
func readDatagram(conn *net.UDPConn, p, oob []byte) (n int, src netip.AddrPort, queued time.Duration, err error) {
	n, told, _, src, err := conn.ReadMsgUDPAddrPort(p, oob)
	if err != nil {
		return n, src, 0, err
	}
	return n, src, queuedFor(oob[:told], time.Now()), nil
}

// queuedFor is how long a datagram had waited at now, by the time that the kernel tells; 0 where it tells none, and where the
// clock was set meanwhile.
func queuedFor(told []byte, now time.Time) time.Duration {
	const longest = 32 * time.Second // 64·T1: whoever sent it has given up
	if len(told) < unix.SizeofCmsghdr {
		return 0 // what follows wants a whole one
	}
	h, data, _, err := unix.ParseOneSocketControlMessage(told)
	if err != nil || h.Level != unix.SOL_SOCKET || h.Type != unix.SCM_TIMESTAMPNS {
		return 0
	}
	var came time.Time
	switch len(data) { // a timespec, of words of this system
	case 16:
		came = time.Unix(int64(binary.NativeEndian.Uint64(data)), int64(binary.NativeEndian.Uint64(data[8:]))) //nolint:gosec // as the kernel has it
	case 8:
		came = time.Unix(int64(binary.NativeEndian.Uint32(data)), int64(binary.NativeEndian.Uint32(data[4:])))
	default:
		return 0
	}
	if d := now.Sub(came); d > 0 && d < longest {
		return d
	}
	return 0
}
