package media

import (
	"sync"
	"time"

	"github.com/pion/rtp"
)

// listener is a tap on one stream by itself.
type listener struct {
	stream *stream
	tap    Tap
	// gate is held as a bridge's is.
	gate  sync.RWMutex
	ended bool
}

// Listen implements Engine. Errors: ErrForeign, ErrBridged, ErrClosed.
func (e *Portable) Listen(s Stream, tap Tap) (stop func(), err error) {
	ours, isOurs := s.(*stream)
	if !isOurs || ours.engine != e {
		return nil, ErrForeign
	}
	l := &listener{stream: ours, tap: tap}
	if !ours.listened.CompareAndSwap(nil, l) {
		return nil, ErrBridged
	}
	ours.playMu.Lock()
	closed := ours.closed
	ours.playMu.Unlock()
	if closed { // a Close that comes later finds the listener
		l.end()
		return nil, ErrClosed
	}
	return l.end, nil
}

// end returns when no packet is on its way to the tap. Idempotent. It must not be called by the tap.
func (l *listener) end() {
	l.gate.Lock()
	l.ended = true
	l.gate.Unlock()
	l.stream.listened.CompareAndSwap(l, nil)
}

// hear lets the tap hear one packet. Called by the goroutine that read it; scratch is that goroutine's own.
func (l *listener) hear(p *rtp.Packet, kind payloadKind, scratch []byte, at time.Time) {
	l.gate.RLock()
	defer l.gate.RUnlock()
	if !l.ended {
		tapped(l.tap, SideA, p, kind, scratch, at)
	}
}

// tapped has a tap hear one packet, unless that is no audio.
func tapped(tap Tap, side Side, p *rtp.Packet, kind payloadKind, scratch []byte, at time.Time) {
	if kind == payloadEvent {
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
