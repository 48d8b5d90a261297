package media

import (
	"sync"
	"time"

	"github.com/pion/rtp"
)

// bridge joins two streams of the portable engine.
type bridge struct {
	ends [2]bridgeEnd
	tap  Tap
	// gate is held shared by a packet on its way, and alone to end the bridge: whoever has ended it
	// knows that no packet, and no call of the tap, is under way any more.
	gate  sync.RWMutex
	ended bool
}

// bridgeEnd is one stream's part of a bridge.
type bridgeEnd struct {
	bridge *bridge
	side   Side
	stream *stream
	far    *stream // where its packets go
}

// Bridge implements Engine. Errors: ErrForeign, ErrBridged, ErrClosed.
func (e *Portable) Bridge(a, b Stream, tap Tap) (unbridge func(), err error) {
	left, isOurs := a.(*stream)
	right, isOursToo := b.(*stream)
	if !isOurs || !isOursToo || left.engine != e || right.engine != e || left == right {
		return nil, ErrForeign
	}
	br := &bridge{tap: tap}
	br.ends[SideA] = bridgeEnd{bridge: br, side: SideA, stream: left, far: right}
	br.ends[SideB] = bridgeEnd{bridge: br, side: SideB, stream: right, far: left}
	for i := range br.ends {
		if !br.ends[i].stream.bridged.CompareAndSwap(nil, &br.ends[i]) {
			br.end()
			return nil, ErrBridged
		}
	}
	for _, s := range []*stream{left, right} {
		if !s.enterBridge() {
			br.end()
			return nil, ErrClosed
		}
	}
	return br.end, nil
}

// enterBridge stops what is played, and reports whether the stream is open. A Close that comes later
// finds the bridge; one that came before is found here.
func (s *stream) enterBridge() bool {
	s.playMu.Lock()
	defer s.playMu.Unlock()
	if s.closed {
		return false
	}
	s.unload(ErrReplaced)
	s.live.Store(true)
	return true
}

// end parts the streams, and returns when no packet is on its way between them. Idempotent. It must
// not be called by the tap.
func (b *bridge) end() {
	b.gate.Lock()
	b.ended = true
	b.gate.Unlock()
	for i := range b.ends {
		b.ends[i].stream.bridged.CompareAndSwap(&b.ends[i], nil)
	}
}

// pass sends one packet to the other stream and lets the tap hear it. Called by the goroutine that
// read it; scratch is that goroutine's own.
func (e *bridgeEnd) pass(p *rtp.Packet, kind payloadKind, scratch []byte, at time.Time) {
	e.bridge.gate.RLock()
	defer e.bridge.gate.RUnlock()
	if e.bridge.ended {
		return
	}
	e.far.out.forward(at, p, kind)
	if e.bridge.tap != nil {
		tapped(e.bridge.tap, e.side, p, kind, scratch, at)
	}
}
