package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// ErrNoAddress means that this machine has no IPv4 address that a phone could reach.
var ErrNoAddress = errors.New("no IPv4 address but loopback")

// DetectAddress returns the IPv4 address from which this machine reaches the net: that of the default
// route, or else the first global unicast one (private ones count, RFC 1918). No packet is sent.
// Errors: [ErrNoAddress], or what the system says.
func DetectAddress() (netip.Addr, error) {
	if a, ok := routeAddress(); ok {
		return a, nil
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("listing this machine's addresses: %w", err)
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && reachable(p.Addr()) {
			return p.Addr().Unmap(), nil
		}
	}
	return netip.Addr{}, fmt.Errorf("detecting this machine's address: %w", ErrNoAddress)
}

// routeAddress asks the kernel which address it would send from. Connecting a UDP socket looks the
// route up and sends nothing; the destination is one of those for documentation (RFC 5737).
func routeAddress() (netip.Addr, bool) {
	conn, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 9})
	if err != nil {
		return netip.Addr{}, false // no default route; the interfaces will tell
	}
	local, ok := conn.LocalAddr().(*net.UDPAddr)
	if err := conn.Close(); err != nil || !ok {
		return netip.Addr{}, false
	}
	a := local.AddrPort().Addr().Unmap()
	return a, reachable(a)
}

func reachable(a netip.Addr) bool {
	a = a.Unmap()
	return a.Is4() && a.IsGlobalUnicast() && !a.IsLoopback()
}
