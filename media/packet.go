package media

import (
	"encoding/binary"

	"github.com/pion/rtp"
)

// maxDatagram bounds an RTP packet, in bytes. Ethernet carries 1,500; what fills a buffer of this
// size was longer and has been cut.
const maxDatagram = 2048

const rtpHeaderSize = 12 // RFC 3550 section 5.1, without contributing sources

// plausible reports whether a datagram can be an RTP packet, encrypted or not, by its length and version.
func plausible(b []byte) bool {
	return len(b) >= rtpHeaderSize && len(b) < maxDatagram && b[0]>>6 == 2
}

// unpack reads an RTP packet (RFC 3550 section 5.1) from a datagram, and reports whether it is one. The payload lies in
// b, without its padding; contributing sources and the header extension are passed over by their lengths, whatever they
// hold. It is our own because pion's reader keeps all of that, refuses packets for what is in an extension (RFC 8285)
// that nobody here reads, and allocates for its errors, which is what a flood of rubbish would live on.
func unpack(p *rtp.Packet, b []byte) bool {
	const (
		padded   = 0x20
		extended = 0x10
	)
	if !plausible(b) {
		return false
	}
	from, to := rtpHeaderSize+4*int(b[0]&0x0F), len(b)
	if b[0]&extended != 0 {
		if from += 4; from > to {
			return false
		}
		from += 4 * int(binary.BigEndian.Uint16(b[from-2:]))
	}
	if b[0]&padded != 0 {
		padding := int(b[to-1])
		if to -= padding; padding == 0 {
			return false // it counts itself
		}
	}
	if from > to {
		return false
	}
	p.Version, p.Marker, p.PayloadType = 2, b[1]&0x80 != 0, b[1]&0x7F
	p.SequenceNumber, p.Timestamp = binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[4:])
	p.SSRC = binary.BigEndian.Uint32(b[8:])
	p.Payload = b[from:to]
	return true
}
