package media

import (
	"strconv"
	"strings"
	"time"
)

// Packets of ours last from leastPacket to mostPacket, in whole steps of leastPacket: what telephones ask for.
const (
	leastPacket = 10 * time.Millisecond
	mostPacket  = 60 * time.Millisecond
)

// packetTime is the value of an a=ptime or a=maxptime line (RFC 8866 section 6.4), in milliseconds; 0 when there is
// none, or none that makes sense.
type packetTime int

// parsePacketTime reads a value. What cannot be read is a wish that cannot be granted, no fault of the description:
// there are phones that say 0, and others that say 20.0.
func parsePacketTime(value string) packetTime {
	whole, _, _ := strings.Cut(strings.TrimSpace(value), ".")
	n, err := strconv.ParseUint(whole, 10, 16)
	if err != nil {
		return 0
	}
	return packetTime(n)
}

// packet is how much audio goes into each packet that we make for the far end: what it wants in one, and no more than
// it takes in one. It is a wish (RFC 3264 section 5.1): every receiver of G.711 takes up to 200 ms (RFC 3551 section
// 4.2), and so bridged packets pass as they came.
func (m *mediaLine) packet() time.Duration {
	wanted := FrameDuration
	if m.ptime > 0 {
		wanted = time.Duration(m.ptime) * time.Millisecond
	}
	if m.maxptime > 0 {
		wanted = min(wanted, time.Duration(m.maxptime)*time.Millisecond)
	}
	return min(max(wanted.Truncate(leastPacket), leastPacket), mostPacket)
}
