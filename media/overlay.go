package media

import (
	"math"
	"time"
)

// overlayBegins is how long after it was asked for an overlay may begin: a tone is about now.
const overlayBegins = time.Second

// overlay is a clip that is added to what one far end is sent. It has its place on the time line of the packets
// sent, from the first on, so that a lost or late packet does not shift it.
type overlay struct {
	alaw  []byte // nil: none
	asked time.Time
	begun bool
	from  uint32 // the timestamp at which it began
}

// Tone implements Stream.
func (s *stream) Tone(c Clip) {
	now := time.Now()
	s.do(func() { s.line.overlay(now, c.ALaw) })
}

// overlay is the sender's; the wheel turns for the line until it is over.
func (l *line) overlay(now time.Time, alaw []byte) {
	l.out.overlay(now, alaw)
	l.stir()
}

// overlay adds a clip to the audio from now on, in place of one that still sounds.
func (o *sender) overlay(now time.Time, alaw []byte) {
	o.over = overlay{asked: now}
	if len(alaw) > 0 {
		o.over.alaw = alaw
	}
}

// lay adds the overlay to the audio of one packet, coded as the far end has it.
func (o *sender) lay(now time.Time, timestamp uint32, audio []byte) {
	if o.over.alaw == nil {
		return
	}
	if !o.over.begun {
		if now.Sub(o.over.asked) > overlayBegins {
			o.over = overlay{}
			return
		}
		o.over.begun, o.over.from = true, timestamp
	}
	at := int(int32(timestamp - o.over.from))
	for i := max(0, -at); i < len(audio) && at+i < len(o.over.alaw); i++ {
		audio[i] = mixed(audio[i], o.over.alaw[at+i], o.agreed.codec)
	}
	if at+len(audio) >= len(o.over.alaw) {
		o.over = overlay{}
	}
}

// mixed adds an A-law sample to one of a codec, in that codec; what is too loud for it is cut.
func mixed(sample, alaw byte, codec Codec) byte {
	linear, encode := &alawLinear, encodeALaw
	if codec == PCMU {
		linear, encode = &ulawLinear, encodeULaw
	}
	sum := int(linear[sample]) + int(alawLinear[alaw])
	return encode(int16(min(max(sum, math.MinInt16), math.MaxInt16)))
}

// carry sends a frame of silence for the overlay to be heard in, on a bridged stream whose other party sends
// nothing: one that is silent, holds, or has not begun. frame is the caller's to write to.
func (o *sender) carry(now time.Time, frame []byte) {
	if o.over.alaw == nil || o.relay.on && int32(o.due(now)-o.next) <= int32(clockSlack) {
		return
	}
	silence(frame)
	o.frame(now, frame, true)
}
