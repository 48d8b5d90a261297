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

// pressed is which event a packet is of (RFC 4733 section 2.2.1: all packets of one event carry the timestamp of its
// beginning).
type pressed struct{ ssrc, timestamp uint32 }

// keyDetector finds the keys in a stream of telephone-event packets. A key is its (SSRC, timestamp), told at the
// first packet of it that comes, whichever it is. What a packet means:
//
//	not four octets, no key (16 and up), or duration 0 (section 2.3.5) ... nothing
//	of one of the last events, be it late or repeated .................... nothing
//	of a new one, that goes on where one of the last reached the
//	longest duration (section 2.5.1.3) ................................... nothing: the same key, still held
//	of a new one otherwise ............................................... a key
//
// The marker alone begins nothing, since it may be lost or left out; neither does a beginning need one. The end bit
// ends nothing that another packet could not begin. Volume and the reserved bit say nothing of a key. Of several
// events in one packet (section 2.5.1.5) the first counts: keys have pauses between them, and are not sent so.
// Not safe for concurrent use.
type keyDetector struct {
	// recent are the last events, the newest at n-1, so that late packets of an event before the newest are
	// known. Order of timestamps is not asked for: phones restart them.
	recent [4]seenEvent
	n      int
}

// seenEvent is what has come of an event: of its duration the most.
type seenEvent struct {
	pressed
	eventPayload
}

// event takes the payload of one packet and returns the key that begins with it, if one does.
func (d *keyDetector) event(ssrc, timestamp uint32, marker bool, payload []byte) (Key, bool) {
	e, ok := parseEvent(payload)
	if !ok || int(e.event) >= len(eventKeys) || e.duration == 0 {
		return 0, false
	}
	this := seenEvent{pressed{ssrc, timestamp}, e}
	continued := false
	for i := range min(d.n, len(d.recent)) {
		before := &d.recent[i]
		if before.pressed == this.pressed {
			before.duration = max(before.duration, e.duration) // not a late packet's, which is less
			before.end = before.end || e.end
			return 0, false
		}
		continued = continued || !marker && this.continues(before)
	}
	d.recent[d.n%len(d.recent)] = this
	d.n++
	if continued {
		return 0, false
	}
	return Key(eventKeys[e.event]), true
}

// continues reports whether an event is a further segment of a long one, not a new key.
func (s *seenEvent) continues(before *seenEvent) bool {
	if before.end || before.event != s.event || before.ssrc != s.ssrc || before.duration < longSegment {
		return false
	}
	after := s.timestamp - before.timestamp
	return after >= uint32(before.duration) && after <= 0xFFFF
}
