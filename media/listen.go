package media

import (
	"time"

	"github.com/pion/rtp"
)

// listener is a tap on one line by itself.
type listener struct{ tap Tap }

// Listen implements Engine. Errors: ErrForeign, ErrBridged, ErrClosed.
func (c *core) Listen(s Stream, tap Tap) (stop func(), err error) {
	streams, err := c.ours(s)
	if err != nil {
		return nil, err
	}
	own, ear := streams[0], &listener{tap}
	err = ErrClosed
	own.do(func() { err = own.line.listen(ear) })
	if err != nil {
		return nil, err
	}
	return func() { own.do(func() { own.line.unlisten(ear) }) }, nil
}

func (l *line) listen(ear *listener) error {
	switch {
	case l.closed:
		return ErrClosed
	case l.listened != nil:
		return ErrBridged
	}
	l.listened = ear
	return nil
}

func (l *line) unlisten(ear *listener) {
	if l.listened == ear {
		l.listened = nil
	}
}

// tapped has a tap hear one packet, unless that is no audio.
func tapped(tap Tap, side Side, p *rtp.Packet, kind payloadKind, scratch []byte, at time.Time) {
	if !kind.audio() {
		return
	}
	alaw := p.Payload
	if kind == payloadPCMU {
		alaw = translate(scratch, p.Payload, PCMU, PCMA)
	}
	tap.Frame(Frame{
		Side: side, At: at, SSRC: p.SSRC, Sequence: p.SequenceNumber, Timestamp: p.Timestamp, ALaw: alaw,
	})
}

// silenceBelow is the mean amplitude below which a packet counts as silence: 50 dB below full scale, where a voice on
// the telephone is at about 20, and a quiet room at 60.
const silenceBelow = 100

// Silent reports whether A-law audio has nothing in it that would be heard.
func Silent(alaw []byte) bool {
	sum := 0
	for _, code := range alaw {
		sum += max(int(alawLinear[code]), -int(alawLinear[code]))
	}
	return sum < silenceBelow*len(alaw) || len(alaw) == 0
}
