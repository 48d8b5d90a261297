package media

import (
	"time"

	"github.com/pion/rtp"
)

const (
	// echoTail is how long after tones were sent to a far end its audio is not listened to for keys: it may be their
	// echo, that went through two jitter buffers.
	echoTail = 400 * time.Millisecond
	// shortLoss is how much audio may be lost, in samples, while a key sounds on.
	shortLoss = SampleRate / 10
)

// inband listens for keys in the audio that a far end sends. It follows the sender's time, so that what is lost, late or
// left out as silence neither makes two keys of one nor one of two. Not safe for concurrent use; owned by the line's
// shard.
type inband struct {
	tones  toneDetector
	begun  bool
	ssrc   uint32
	number uint16    // of the last packet
	next   uint32    // the timestamp that follows it
	deaf   time.Time // until when nothing is listened to
}

// take has the detector know of a packet's place in time, and returns the audio that is to be fed to it: none of
// a packet that is late.
func (e *inband) take(p *rtp.Packet, now time.Time) (audio []byte) {
	if now.Before(e.deaf) {
		e.begun = false
		e.tones.reset()
		return nil
	}
	ahead := int(int32(p.Timestamp - e.next))
	switch {
	case !e.begun || p.SSRC != e.ssrc || ahead > shortLoss && p.SequenceNumber != e.number+1 || ahead < -maxSkew:
		e.tones.reset()
	case ahead < 0:
		return nil
	case ahead > 0 && p.SequenceNumber == e.number+1:
		e.tones.quiet(ahead)
	case ahead > 0:
		e.tones.broken()
	}
	e.begun, e.ssrc, e.number, e.next = true, p.SSRC, p.SequenceNumber, p.Timestamp+uint32(len(p.Payload))
	return p.Payload
}

// tuneIn begins or ends to listen for tones, as an agreement asks for: a far end that has telephone-events sends its
// keys by them, and the other ones' audio is worth the time that listening takes.
func (l *line) tuneIn(a *agreement) {
	switch {
	case a.hasEvent || l.stream.core.o.NoInband:
		l.inband = nil
	case l.inband == nil:
		l.inband = new(inband)
	}
}

// hearTones looks for keys in a packet of audio, as long as they may come so and somebody wants to know.
func (l *line) hearTones(p *rtp.Packet, kind payloadKind, now time.Time) {
	if kind != payloadPCMA && kind != payloadPCMU || !l.keys.wants(byTone) {
		return
	}
	linear := &alawLinear
	if kind == payloadPCMU {
		linear = &ulawLinear
	}
	for audio := l.inband.take(p, now); len(audio) > 0; {
		var k Key
		if k, audio = l.inband.tones.feed(audio, linear); k != 0 {
			l.press(k, byTone)
		}
	}
	if far := l.far(); far != nil && l.inband.tones.sounding {
		far.deafen(now)
	}
}

// deafen has what comes next not taken for keys: it may be the echo of tones that this far end is being sent.
func (l *line) deafen(now time.Time) {
	if l.inband != nil {
		l.inband.deaf = now.Add(echoTail)
	}
}

// far is the line at the other end of the bridge; nil when there is none.
func (l *line) far() *line {
	if l.bridged == nil {
		return nil
	}
	if l.bridged.chair != nil {
		return l.bridged.chair.opposite()
	}
	return l.bridged.far
}

// passOn passes a key on to the other end of the bridge, unless it reaches it anyway, as it came: an event where the
// far end has events too, a tone where it has not.
func (l *line) passOn(k Key, by keyMethod) {
	far := l.far()
	if far == nil {
		return
	}
	if events := far.out.hasEvents(); by == byRTP && events || by == byTone && !events {
		return
	}
	far.out.dial(k)
	far.stir()
}

// withheld reports whether a packet is not to reach the other end of the bridge: an event of a key that has been passed
// on by another method, and the rest of a tone that was passed on as an event.
func (l *line) withheld(kind payloadKind, far *line) bool {
	if kind == payloadEvent {
		return !l.keys.may(byRTP)
	}
	return l.inband != nil && l.keys.wants(byTone) && l.inband.tones.sounding && far.out.hasEvents()
}
