package observe

import (
	"encoding/binary"
	"net/netip"

	"github.com/gopacket/gopacket/layers"
)

// linkUpper is the link type of packets that begin above IP (LINKTYPE_WIRESHARK_UPPER_PDU of the registry of
// www.tcpdump.org): tags that say what they are and whence they came, then the message. A reader takes a message over TLS
// in clear, or out of a WebSocket, for neither if it is given it as a segment on port 5061 or 443.
const linkUpper layers.LinkType = 252

// Tags of such a packet (Wireshark's "exported PDU"), each of 16 bits with the octets that follow in 16 more, in network byte
// order, filled up to a multiple of 4.
const (
	tagEnd       = 0
	tagDissector = 12
	tagSource4   = 20
	tagTarget4   = 21
	tagSource6   = 22
	tagTarget6   = 23
	tagPortType  = 24
	tagFrom      = 25 // port
	tagTo        = 26
	portsOfTCP   = 2
	tagUnit      = 4
)

// upper appends a SIP message over a connection to b, as such a packet.
func upper(b []byte, from, to netip.AddrPort, message []byte) []byte {
	b = tag(b, tagDissector, []byte("sip"))
	a, z := from.Addr().Unmap().WithZone(""), to.Addr().Unmap().WithZone("")
	if a.Is4() && z.Is4() {
		b = tag(tag(b, tagSource4, a.AsSlice()), tagTarget4, z.AsSlice())
	} else {
		six, other := a.As16(), z.As16()
		b = tag(tag(b, tagSource6, six[:]), tagTarget6, other[:])
	}
	number := func(kind uint16, n uint32) { b = tag(b, kind, binary.BigEndian.AppendUint32(nil, n)) }
	number(tagPortType, portsOfTCP)
	number(tagFrom, uint32(from.Port()))
	number(tagTo, uint32(to.Port()))
	return append(tag(b, tagEnd, nil), message...)
}

func tag(b []byte, kind uint16, value []byte) []byte {
	padded := (len(value) + tagUnit - 1) / tagUnit * tagUnit
	b = binary.BigEndian.AppendUint16(b, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(padded)) //nolint:gosec // of a few octets
	b = append(b, value...)
	return append(b, make([]byte, padded-len(value))...)
}
