package media

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pion/rtp"
)

// ErrNoKeys says that it is no key.
var ErrNoKeys = errors.New("media: key cannot be sent")

const (
	// keyTurns is how many frames a key of ours lasts, 100 ms: more than any detector needs.
	keyTurns = 5
	// endTurns is how often its end is said (RFC 4733 section 2.5.1.4).
	endTurns = 3
	// keyVolume is its power in −dBm0 (RFC 4733 section 2.3.5).
	keyVolume = 10
)

// press is one key being sent, in place of whatever else is: as an event (RFC 4733), or as its tones and a pause after
// them where the far end has no events.
type press struct {
	event   byte
	turn    int    // of keyTurns and then endTurns
	tones   bool   // once turn is not 0
	start   uint32 // the timestamp of all its packets, once turn is not 0
	unheard int    // turns in which it could not begin
}

// SendKey implements Stream.
func (s *stream) SendKey(ctx context.Context, k Key) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !k.Valid() {
		return fmt.Errorf("key %q: %w", k, ErrNoKeys)
	}
	return s.run(ctx, &reel{press: &press{event: eventOf(k)}, done: make(chan error, 1)})
}

// eventOf is the event of a key, which must be valid (RFC 4733 section 3.2, table 3).
func eventOf(k Key) byte { return byte(strings.IndexByte(eventKeys, byte(k))) }

// step sends the packet that is due and reports whether the key is over. A key begins when the far end
// listens, so that it has one beginning and its whole length; one to which nobody listens for as long as it
// would have lasted is over unheard, as a clip would be.
// frame is the caller's to write to.
func (p *press) step(o *sender, due time.Time, frame []byte) (over bool) {
	if p.turn == 0 {
		p.tones = !o.hasEvents()
	}
	var sent bool
	if p.tones {
		sent = o.tones(due, p, frame)
	} else {
		sent = o.event(due, p)
	}
	if !sent && p.turn == 0 {
		p.unheard++
		return p.unheard == keyTurns+endTurns
	}
	p.turn++
	return p.turn == keyTurns+endTurns
}

// event sends the next packet of a telephone-event, if the far end listens: its timestamp is that of its
// beginning, its duration grows, and the last are marked as its end (RFC 4733 section 2.5.1).
func (o *sender) event(now time.Time, p *press) bool {
	if !o.open() || !o.hasEvents() {
		return false
	}
	o.flush(now)
	o.relay.on, o.talking = false, false
	if p.turn == 0 {
		p.start, _ = o.clock(now)
	}
	turn := p.turn + 1
	payload := o.buf[rtpHeaderSize : rtpHeaderSize+4]
	payload[0], payload[1] = p.event, keyVolume
	if turn > keyTurns {
		payload[1] |= 0x80
	}
	binary.BigEndian.PutUint16(payload[2:], uint16(min(turn, keyTurns)*frameSamples))
	o.number++
	o.next = p.start + uint32(turn*frameSamples)
	o.send(rtp.Header{
		Version: 2, Marker: turn == 1, PayloadType: o.agreed.event,
		SequenceNumber: o.number, Timestamp: p.start, SSRC: o.ssrc,
	}, len(payload))
	return true
}

// EncodeALaw encodes linear samples as G.711 A-law (ITU-T G.711, table 1a).
func EncodeALaw(pcm []int16) []byte {
	alaw := make([]byte, len(pcm))
	for i, s := range pcm {
		alaw[i] = encodeALaw(s)
	}
	return alaw
}
