//go:build !linux

package sip

import (
	"net"
	"net/netip"
	"syscall"
	"time"
)

// queuedRoom is nothing: other systems are not asked.
const queuedRoom = 0

// timestamps asks nothing of other systems.
func timestamps(syscall.RawConn) {}

// readDatagram reads a datagram. How long it waited in the socket is not known.
func readDatagram(conn *net.UDPConn, p, _ []byte) (n int, src netip.AddrPort, queued time.Duration, err error) {
	n, src, err = conn.ReadFromUDPAddrPort(p)
	return n, src, 0, err
}
