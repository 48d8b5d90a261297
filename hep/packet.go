package hep

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// The generic chunks of vendor 0 that are written (HEP version 3, "HEP/EEP Network Protocol", revision 36, section 3).
const (
	chunkFamily      = 0x0001 // IP protocol family: 2 or 10
	chunkProtocol    = 0x0002 // IP protocol, of IANA's registry
	chunkSource4     = 0x0003
	chunkTarget4     = 0x0004
	chunkSource6     = 0x0005
	chunkTarget6     = 0x0006
	chunkSourcePort  = 0x0007
	chunkTargetPort  = 0x0008
	chunkSeconds     = 0x0009 // since 1970
	chunkMicro       = 0x000a
	chunkType        = 0x000b // what the payload is
	chunkCapture     = 0x000c // who captured it
	chunkKey         = 0x000e
	chunkPayload     = 0x000f
	chunkCorrelation = 0x0011
)

// Values of the chunks.
const (
	familyIPv4 = 2  // AF_INET
	familyIPv6 = 10 // AF_INET6 of Linux, whatever this system has
	protoTCP   = 6
	protoUDP   = 17
	// protoTLS is IANA's number of XNS IDP, which is not spoken any more. No number of an IP protocol says that a
	// connection is encrypted; this is what Kamailio sends for it, and Homer shows as TLS.
	protoTLS = 22
	typeSIP  = 1
)

const (
	magic       = "HEP3"
	headerSize  = 6 // magic, and the length of all
	chunkHeader = 6 // vendor, type, length of the chunk
	vendor      = 0 // generic
	// mostOctets is the largest datagram of IPv4 (RFC 768, RFC 791); the chunk's and the packet's own lengths would
	// let 28 more through.
	mostOctets = 65507
)

// protocolOf is what carried a message over a transport, as a Via names it. A WebSocket has no number of its own: the Via
// of the message says that it was one.
func protocolOf(transport string) byte {
	switch transport {
	case "UDP":
		return protoUDP
	case "TLS", "WSS":
		return protoTLS
	default:
		return protoTCP
	}
}

// packet is what one HEP packet says.
type packet struct {
	at               time.Time
	protocol         byte // one of proto…
	source, target   netip.AddrPort
	capture          uint32
	key, correlation string // neither is written when it is empty
	payload          []byte
}

// appendTo appends the packet to b; false, and b as it was, when it would be larger than a datagram.
func (p *packet) appendTo(b []byte) ([]byte, bool) {
	begin := len(b)
	b = append(b, magic...)
	b = append(b, 0, 0)
	source, target := plain(p.source.Addr(), p.target.Addr()), plain(p.target.Addr(), p.source.Addr())
	family, from, to := byte(familyIPv4), uint16(chunkSource4), uint16(chunkTarget4)
	if source.Is6() || target.Is6() {
		family, from, to = familyIPv6, chunkSource6, chunkTarget6
	}
	b = append(head(b, chunkFamily, 1), family)
	b = append(head(b, chunkProtocol, 1), p.protocol)
	b = address(b, from, source, family)
	b = address(b, to, target, family)
	b = binary.BigEndian.AppendUint16(head(b, chunkSourcePort, 2), p.source.Port())
	b = binary.BigEndian.AppendUint16(head(b, chunkTargetPort, 2), p.target.Port())
	b = binary.BigEndian.AppendUint32(head(b, chunkSeconds, 4), uint32(p.at.Unix())) //nolint:gosec // until 2106, as the protocol has it
	b = binary.BigEndian.AppendUint32(head(b, chunkMicro, 4), uint32(p.at.Nanosecond()/int(time.Microsecond)))
	b = append(head(b, chunkType, 1), typeSIP)
	b = binary.BigEndian.AppendUint32(head(b, chunkCapture, 4), p.capture)
	if p.key != "" {
		b = append(head(b, chunkKey, len(p.key)), p.key...)
	}
	if p.correlation != "" {
		b = append(head(b, chunkCorrelation, len(p.correlation)), p.correlation...)
	}
	if len(b)-begin+chunkHeader+len(p.payload) > mostOctets {
		return b[:begin], false
	}
	b = append(head(b, chunkPayload, len(p.payload)), p.payload...)
	binary.BigEndian.PutUint16(b[begin+len(magic):], uint16(len(b)-begin))
	return b, true
}

// plain is an address as it is on the wire; one that is not known, or is that of all, is the unspecified one of the other
// end's family: a packet has one.
func plain(a, other netip.Addr) netip.Addr {
	a, other = a.Unmap().WithZone(""), other.Unmap()
	switch {
	case a.IsValid() && !a.IsUnspecified():
		return a
	case other.Is6() && (!other.IsUnspecified() || a.Is6()):
		return netip.IPv6Unspecified()
	default:
		return netip.IPv4Unspecified()
	}
}

// head begins a chunk of that many octets.
func head(b []byte, kind uint16, octets int) []byte {
	b = binary.BigEndian.AppendUint16(b, vendor)
	b = binary.BigEndian.AppendUint16(b, kind)
	return binary.BigEndian.AppendUint16(b, uint16(chunkHeader+octets)) //nolint:gosec // what is longer is not sent
}

// address is a chunk with an address.
func address(b []byte, kind uint16, a netip.Addr, family byte) []byte {
	if family == familyIPv6 {
		octets := a.As16()
		return append(head(b, kind, len(octets)), octets[:]...)
	}
	octets := a.As4()
	return append(head(b, kind, len(octets)), octets[:]...)
}
