package media

import (
	"time"

	"github.com/pion/rtp"
)

// mostSamples is the longest packet of ours, in samples.
const mostSamples = int(mostPacket * SampleRate / time.Second)

// pack gathers audio of our own until it fills a packet of the length that the far end wants. In bytes it is A-law.
type pack struct {
	n      int
	from   uint32 // timestamp of the first sample
	marker bool   // a talkspurt begins in it (RFC 3551 section 4.1)
	audio  [mostSamples + frameSamples]byte
}

// gather sends as many packets as a frame completes.
func (o *sender) gather(now time.Time, timestamp uint32, alaw []byte, marker bool) {
	k := &o.pack
	if k.n == 0 {
		k.from = timestamp
	}
	k.marker = k.marker || marker
	k.n += copy(k.audio[k.n:], alaw)
	for size := o.agreed.samples(); k.n >= size; {
		o.own(now, size)
	}
}

// flush sends what is gathered in a packet that is shorter than wanted: something else comes next.
func (o *sender) flush(now time.Time) {
	if o.pack.n > 0 {
		o.own(now, o.pack.n)
	}
}

// own sends the first n samples gathered.
func (o *sender) own(now time.Time, n int) {
	k := &o.pack
	h := rtp.Header{
		Version: 2, Marker: k.marker, PayloadType: o.agreed.audio,
		SequenceNumber: o.number + 1, Timestamp: k.from, SSRC: o.ssrc,
	}
	payload := translate(o.buf[rtpHeaderSize:], k.audio[:n], PCMA, o.agreed.codec)
	o.lay(now, k.from, payload)
	o.number++
	k.n = copy(k.audio[:], k.audio[n:k.n])
	k.from, k.marker = k.from+uint32(n), false
	o.send(h, len(payload))
}

// samples is how many samples each packet that we make for the far end is to have.
func (a *agreement) samples() int {
	if a.packet == 0 {
		return frameSamples
	}
	return int(samples(a.packet))
}
