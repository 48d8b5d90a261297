package sip

import (
	"net"
	"net/netip"
	"strings"

	sipmsg "github.com/emiago/sipgo/sip"
)

// The transports this package listens on, as they stand in a Via (RFC 3261 section 20.42).
const (
	transportUDP = "UDP"
	transportTCP = "TCP"
	transportTLS = "TLS" // over TCP
	transportWS  = "WS"  // WebSocket over TCP (RFC 7118 section 5)
	transportWSS = "WSS" // and over TLS

	networkUDP = "udp" // as package net has it
	networkTCP = "tcp" // likewise
	networkTLS = "tls"
	networkWS  = "ws"
	networkWSS = "wss"
)

// carrierOf is what sipgo knows a transport as: it is handed messages and not what is around them, so that the name in a Via
// and that by which sipgo finds a connection may differ.
func carrierOf(transport string) string {
	switch transport {
	case transportWS:
		return transportTCP
	case transportWSS:
		return transportTLS
	default:
		return transport
	}
}

// secured tells whether a transport is encrypted.
func secured(transport string) bool { return carrierOf(transport) == transportTLS }

// isWebSocket: only the peer can make such a connection.
func isWebSocket(transport string) bool { return transport == transportWS || transport == transportWSS }

// transportParam is a transport as a URI names it (RFC 3261 section 19.1.1); empty for UDP, which needs no name. RFC 3261
// section 26.2.2 would have sips instead of tls, which asks for TLS on every further hop as well: behind us there are trunks
// and phones that have none, so we promise it of this hop alone.
func transportParam(transport string) string {
	switch transport {
	case transportUDP:
		return ""
	case transportWSS:
		return "ws" // RFC 7118 section 5.2 knows no other
	default:
		return strings.ToLower(transport)
	}
}

// source is where a message came from, as the socket says and never as a header claims.
type source struct {
	transport string         // one of those above
	addr      netip.AddrPort // the peer
	local     netip.AddrPort // our end: the UDP socket's address, or the connection's own
	takes     netip.AddrPort // where the peer takes connections, if its own stands aside
}

// shown is the peer as a log has it: one that stands aside is at a port that nobody has.
func (s source) shown() netip.AddrPort {
	if s.takes.IsValid() {
		return s.takes
	}
	return s.addr
}

// sourceOf reads a received request's source; local is the address of the connection it came in on.
// The zero addr means that the transport gave none, which only a message of our own making has.
func sourceOf(req *sipmsg.Request, local net.Addr) source {
	s := source{transport: strings.ToUpper(req.Transport())}
	if ap, err := netip.ParseAddrPort(req.Source()); err == nil {
		s.addr = unmap(ap)
	}
	if local != nil {
		s.local, _ = addrPortOf(local)
	}
	return s
}

// servedFrom is where a request came from, with the transport that it was noted to have come by: what sipgo says is the
// carrier's.
func servedFrom(req *sipmsg.Request) source {
	s := sourceOf(req, nil)
	if a := arrivalOf(req); a != nil {
		s.transport, s.takes = a.transport, a.takes
	}
	return s
}

// unmap makes the two ways to write an IPv4 peer of a dual-stack socket one.
func unmap(ap netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// reliable reports whether the transport resends by itself (RFC 3261 section 17).
func reliable(transport string) bool { return transport != transportUDP }
