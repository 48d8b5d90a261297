package media

import "encoding/binary"

// eventKeys are the keys by RFC 4733 event number (section 3.2, table 3).
const eventKeys = "0123456789*#ABCD"

// eventPayload is the head of a telephone-event's payload (RFC 4733 section 2.3).
type eventPayload struct {
	event    byte
	end      bool
	duration uint16 // in samples
}

func parseEvent(b []byte) (e eventPayload, ok bool) {
	if len(b) < 4 {
		return e, false
	}
	return eventPayload{event: b[0], end: b[1]&0x80 != 0, duration: binary.BigEndian.Uint16(b[2:])}, true
}

// longSegment is the duration, in samples, from which an event counts as about to reach the greatest
// that fits (0xFFFF, 8.2 s) and to be carried on in a segment of its own (RFC 4733 section 2.5.1.3).
// The last packets of the segment may have been lost, so it is a second less.
const longSegment = 0xFFFF - SampleRate

// keyDetector finds the keys in a stream of telephone-event packets. All packets of one event carry
// the timestamp of its beginning: a key is its (SSRC, timestamp), told at the first packet that is
// seen, whichever it is. Not safe for concurrent use.
type keyDetector struct {
	ssrc uint32
	// recent are the timestamps of the last events, the newest at n-1, so that late packets of an
	// event before the newest are known. Order of timestamps is not asked for: phones restart them.
	recent [4]uint32
	n      int
	last   eventPayload
}

// event takes the payload of one packet and returns the key that begins with it, if one does.
func (d *keyDetector) event(ssrc, timestamp uint32, marker bool, payload []byte) (Key, bool) {
	e, ok := parseEvent(payload)
	if !ok || int(e.event) >= len(eventKeys) {
		return 0, false
	}
	if ssrc != d.ssrc {
		*d = keyDetector{ssrc: ssrc}
	}
	for i := range min(d.n, len(d.recent)) {
		if d.recent[i] != timestamp {
			continue
		}
		if timestamp == d.newest() {
			d.last = e
		}
		return 0, false
	}
	continued := d.continues(timestamp, marker, e)
	d.recent[d.n%len(d.recent)] = timestamp
	d.n++
	d.last = e
	if continued {
		return 0, false
	}
	return Key(eventKeys[e.event]), true
}

func (d *keyDetector) newest() uint32 { return d.recent[(d.n-1)%len(d.recent)] }

// continues reports whether a packet begins a further segment of a long event, not a new key.
func (d *keyDetector) continues(timestamp uint32, marker bool, e eventPayload) bool {
	if d.n == 0 || marker || d.last.end || d.last.event != e.event || d.last.duration < longSegment {
		return false
	}
	after := timestamp - d.newest()
	return after >= uint32(d.last.duration) && after <= 0xFFFF
}
