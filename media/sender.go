package media

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/pion/rtp"
)

const (
	// frameSamples is how many samples, and octets of G.711, one packet of ours carries.
	frameSamples = int(SampleRate * FrameDuration / time.Second)
	// clockSlack is how far our timestamps may lag behind the clock, in samples, before they jump to
	// it: less is the wheel's unevenness, more is a real pause that the far end's jitter buffer must
	// be told of.
	clockSlack = 3 * frameSamples
	// maxSkew is how far a bridged sender's timestamps may stray from the clock, in samples (2 s),
	// and maxSkip how far its sequence numbers may jump, before we count it as a new beginning.
	maxSkew = 2 * SampleRate
	maxSkip = 1000
)

// sender is the sending half of a stream, without its socket: whatever is sent (prompts, silence, the
// other leg's packets), the far end sees one RTP stream, with one SSRC, and numbers and timestamps
// that go on. Not safe for concurrent use; owned by the line's shard.
type sender struct {
	// write puts a packet on the wire and reports whether it could. It must not keep b.
	write func(b []byte, to netip.AddrPort) bool

	closed bool
	agreed *agreement
	target netip.AddrPort

	ssrc    uint32
	number  uint16 // of the last packet
	begun   bool
	epoch   time.Time // when the first packet was sent
	base    uint32    // its timestamp
	next    uint32    // timestamp that follows the audio sent so far
	talking bool      // the last frame of ours was of a clip

	// What is looked at for each packet stands together, so that few lines of the cache are touched: the large things come
	// last, in those below too.
	relay           relay
	packets, octets uint64
	over            overlay
	keys            dialled
	pack            pack
	passed          passedEvent
	buf             [rtpHeaderSize + maxDatagram + sealRoom]byte
}

// relay maps the numbers of another leg's sender to ours.
type relay struct {
	on        bool
	ssrc      uint32
	span      int    // how many numbers lie between the first relayed and the newest, up to maxSkip
	number    uint16 // what is added to its sequence numbers
	timestamp uint32 // and timestamps
	newest    uint32 // our timestamp of the newest audio relayed
}

func newSender(write func([]byte, netip.AddrPort) bool) *sender {
	// Random beginnings: RFC 3550 section 5.1. That of the numbers is in their lower half, so that no roll-over comes
	// before the far end has heard a packet, which it then could not count (RFC 4568 section 6.4).
	return &sender{
		write: write,
		ssrc:  rand.Uint32(), number: uint16(rand.Uint32()) >> 1, next: rand.Uint32(),
	}
}

func (o *sender) agree(a *agreement) {
	o.agreed = a
	o.pack = pack{} // it was for what was agreed before
	if a == nil || !a.send {
		o.relay.on = false // what is not sent on a hold must not count as lost after it
	}
}

func (o *sender) follow(target netip.AddrPort) {
	o.target = target
}

// close: from now on nothing is sent any more.
func (o *sender) close() {
	o.closed = true
}

func (o *sender) open() bool {
	return !o.closed && o.agreed != nil && o.agreed.send && o.target.Port() != 0
}

// held reports whether the far end wants nothing of us.
func (o *sender) held() bool { return o.agreed != nil && !o.agreed.send }

// clock returns the timestamp of what is said now, and whether it comes after a pause.
func (o *sender) clock(now time.Time) (timestamp uint32, paused bool) {
	if !o.begun {
		o.begun, o.epoch, o.base = true, now, o.next
		return o.next, true
	}
	due := o.due(now)
	if int32(due-o.next) > int32(clockSlack) {
		return due, true
	}
	return o.next, false
}

func (o *sender) due(now time.Time) uint32 { return o.base + uint32(samples(now.Sub(o.epoch))) }

// frame sends audio of our own, in A-law: of a clip when talk is set, else silence. now is when it is
// due, on the wheel's even time.
func (o *sender) frame(now time.Time, alaw []byte, talk bool) {
	if !o.open() {
		return
	}
	o.relay.on = false
	timestamp, paused := o.clock(now)
	if paused {
		o.flush(now)
	}
	marker := paused || talk && !o.talking
	o.talking = talk
	o.next = timestamp + uint32(len(alaw))
	o.gather(now, timestamp, alaw, marker)
}

// forward sends a packet of the other leg's at once. Gaps and late packets stay what they are, so that
// the far end's jitter buffer judges the whole way.
func (o *sender) forward(now time.Time, p *rtp.Packet, kind payloadKind) {
	if !o.open() || len(p.Payload) > maxDatagram {
		return
	}
	if o.keys.n > 0 {
		return // they take the place of what is said; then begins anew what is forwarded
	}
	o.flush(now)
	payload, takes := o.agreed.payload(kind)
	if !takes || len(p.Payload) == 0 {
		o.skip(p)
		return
	}
	event := kind == payloadEvent
	fresh := !o.relays(now, p, event)
	if fresh {
		timestamp, _ := o.clock(now)
		if int32(timestamp-o.due(now)) > maxSkew {
			o.skip(p)
			return // a flood: more audio than time has passed
		}
		o.relay = relay{
			on: true, ssrc: p.SSRC, span: -1,
			number: o.number + 1 - p.SequenceNumber, timestamp: timestamp - p.Timestamp, newest: timestamp,
		}
		o.talking = true
	}
	number, timestamp := p.SequenceNumber+o.relay.number, p.Timestamp+o.relay.timestamp
	step := int(int16(number - o.number))
	if -step > o.relay.span && step <= 0 {
		return // sent before what was relayed first: its number has been used
	}
	if step > 0 {
		o.number = number
		o.relay.span = min(o.relay.span+step, maxSkip)
	}
	h := rtp.Header{
		Version: 2, Marker: p.Marker, PayloadType: payload,
		SequenceNumber: number, Timestamp: timestamp, SSRC: o.ssrc,
	}
	lasts := 0 // in samples
	if kind.audio() {
		h.Marker, lasts = p.Marker || fresh, len(p.Payload)
		o.lay(now, timestamp, translate(o.buf[rtpHeaderSize:], p.Payload, kind.codec(), o.agreed.codec))
	} else {
		copy(o.buf[rtpHeaderSize:], p.Payload)
	}
	if !event {
		o.relayed(timestamp, lasts, step > 0)
	}
	o.send(h, len(p.Payload))
}

// relayed takes note of how far what was relayed reaches. An event is left out: its timestamp is that of its beginning.
func (o *sender) relayed(timestamp uint32, lasts int, newest bool) {
	if newest {
		o.relay.newest = timestamp
	}
	if end := timestamp + uint32(lasts); int32(end-o.next) > 0 {
		o.next = end
	}
}

// relays reports whether the mapping still holds for a packet. It does not when the sender has begun
// anew: another SSRC, a jump in the numbers, time that goes back or strays from the clock. The
// timestamp of an event stands still at its beginning and is not held against it.
func (o *sender) relays(now time.Time, p *rtp.Packet, event bool) bool {
	if !o.relay.on || o.relay.ssrc != p.SSRC {
		return false
	}
	step := int16(p.SequenceNumber + o.relay.number - o.number)
	if step > maxSkip || step < -maxSkip {
		return false
	}
	if event {
		return true
	}
	timestamp := p.Timestamp + o.relay.timestamp
	if skew := int32(timestamp - o.due(now)); skew > maxSkew || skew < -maxSkew {
		return false
	}
	return step <= 0 || int32(timestamp-o.relay.newest) >= 0
}

// skip closes the gap that a packet leaves which is not sent on (the far end has no payload type for it, or it is one too
// many), so that it does not count as lost.
func (o *sender) skip(p *rtp.Packet) {
	if o.relay.on && o.relay.ssrc == p.SSRC && p.SequenceNumber+o.relay.number == o.number+1 {
		o.relay.number--
	}
}

// send writes the header before the payload that lies in buf, and counts.
func (o *sender) send(h rtp.Header, payload int) {
	if _, err := h.MarshalTo(o.buf[:rtpHeaderSize]); err != nil {
		return
	}
	b, ok := o.agreed.secure.seal(o.buf[:rtpHeaderSize+payload])
	if ok && o.write(b, o.target) {
		o.packets++
		o.octets += uint64(payload)
	}
}
