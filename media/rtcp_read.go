package media

import (
	"encoding/binary"

	"github.com/pion/rtcp"
)

const (
	rtcpHeaderSize     = 4  // RFC 3550 section 6.1
	rtcpSenderInfoSize = 20 // section 6.4.1
	rtcpBlockSize      = 24
)

// control is what we take from one RTCP datagram, all of it the far end's word.
type control struct {
	// ssrc is whose the datagram is: the first packet's.
	ssrc uint32
	// reports: there is a report in it, of a sender if sends is set, and that is then described by ntp (the middle of
	// the 64 bits of its time) and packets (how many it has sent).
	reports, sends bool
	ntp, packets   uint32
	// blocks is how many sources it reports on; about is set when one of them is us, and block is what it says of us.
	blocks int
	about  bool
	block  receptionBlock
	// left: it says goodbye for itself (RFC 3550 section 6.6).
	left bool
}

// receptionBlock is what a report says of the packets of one source (RFC 3550 section 6.4.1).
type receptionBlock struct {
	lost    int32  // since the beginning; below 0 when more came than were sent, by doubling
	highest uint32 // extended sequence number
	jitter  uint32 // in samples
	lsr     uint32 // the middle 32 bits of the last sender report's time; 0: none came
	dlsr    uint32 // since then, in 1/65,536 s
}

// looksLikeControl tells RTCP from RTP where both come to one port: RTCP's packet types lie where RTP has a marker bit
// and payload types 64 to 95, which must not be used then (RFC 5761 section 4).
func looksLikeControl(b []byte) bool {
	return len(b) >= rtcpHeaderSize && b[0]>>6 == 2 && b[1] >= 192 && b[1] <= 223
}

// readControl reads a datagram, in which blocks about ours are looked for; false if it is not RTCP by RFC 3550 appendix
// A.2: all packets are of version 2, the first is not padded, and their lengths add up to the datagram's. A.2 also wants
// a report to come first; what is sent in reduced size has none (RFC 5506), and is let in. Packets of types that we do
// not use are passed over (section 6.1). It does not allocate.
func readControl(b []byte, ours uint32) (c control, ok bool) {
	if !looksLikeControl(b) || b[0]&0x20 != 0 {
		return control{}, false
	}
	for first := true; len(b) > 0; first = false {
		if len(b) < rtcpHeaderSize || b[0]>>6 != 2 {
			return control{}, false
		}
		size := rtcpHeaderSize + 4*int(binary.BigEndian.Uint16(b[2:]))
		if size > len(b) {
			return control{}, false
		}
		packet := b[:size]
		b = b[size:]
		body, ok := unpadded(packet)
		if !ok || !c.packet(packet[0]&0x1F, rtcp.PacketType(packet[1]), body, ours, first) {
			return control{}, false
		}
	}
	return c, true
}

// unpadded is what lies between a packet's header and its padding (RFC 3550 section 6.4.1).
func unpadded(packet []byte) (body []byte, ok bool) {
	body = packet[rtcpHeaderSize:]
	if packet[0]&0x20 == 0 {
		return body, true
	}
	if len(body) == 0 {
		return nil, false
	}
	padding := int(body[len(body)-1])
	if padding == 0 || padding%4 != 0 || padding > len(body) {
		return nil, false
	}
	return body[:len(body)-padding], true
}

// packet takes in one packet; false if it is shorter than it says.
func (c *control) packet(count byte, kind rtcp.PacketType, body []byte, ours uint32, first bool) bool {
	if kind == rtcp.TypeGoodbye {
		return c.goodbye(int(count), body, first)
	}
	if first && len(body) >= 4 {
		c.ssrc = binary.BigEndian.Uint32(body)
	}
	if kind != rtcp.TypeSenderReport && kind != rtcp.TypeReceiverReport {
		return true
	}
	if len(body) < 4 {
		return false
	}
	own := binary.BigEndian.Uint32(body) == c.ssrc
	body = body[4:]
	if kind == rtcp.TypeSenderReport {
		if len(body) < rtcpSenderInfoSize {
			return false
		}
		if own {
			c.sends = true
			c.ntp, c.packets = binary.BigEndian.Uint32(body[2:]), binary.BigEndian.Uint32(body[12:])
		}
		body = body[rtcpSenderInfoSize:]
	}
	c.reports = c.reports || own
	return c.receptions(int(count), body, ours)
}

// receptions reads the blocks of a report. What follows them is a profile's extension (RFC 3550 section 6.4.3).
func (c *control) receptions(count int, body []byte, ours uint32) bool {
	if len(body) < count*rtcpBlockSize {
		return false
	}
	for ; count > 0; count-- {
		c.blocks++
		if binary.BigEndian.Uint32(body) == ours {
			c.about = true
			c.block = receptionBlock{
				lost:    int32(binary.BigEndian.Uint32(body[4:])<<8) >> 8,
				highest: binary.BigEndian.Uint32(body[8:]),
				jitter:  binary.BigEndian.Uint32(body[12:]),
				lsr:     binary.BigEndian.Uint32(body[16:]),
				dlsr:    binary.BigEndian.Uint32(body[20:]),
			}
		}
		body = body[rtcpBlockSize:]
	}
	return true
}

// goodbye reads who leaves.
func (c *control) goodbye(count int, body []byte, first bool) bool {
	if len(body) < 4*count {
		return false
	}
	for i := range count {
		ssrc := binary.BigEndian.Uint32(body[4*i:])
		if first && i == 0 {
			c.ssrc = ssrc
		}
		c.left = c.left || ssrc == c.ssrc
	}
	return true
}
