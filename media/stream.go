package media

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// stream is the Stream of all engines: offers and answers, and the way to its line. Safe for any goroutine but the
// line's own shard, which must not wait for itself.
type stream struct {
	core    *core
	line    *line
	local   netip.AddrPort
	onFault func()
	onFact  func(Fact)

	sdpMu     sync.Mutex
	sdp       negotiator
	turns     uint64                    // of offers and answers that changed sdp
	agreement atomic.Pointer[agreement] // written under sdpMu

	keyTurn atomic.Uint64 // of functions that keys are told to; the key of an earlier one is not told
	untold  atomic.Int32  // keys that wait for the teller

	closing  sync.Once
	faulted  sync.Once
	hungUp   atomic.Bool
	final    Stats   // once closed
	left     Offsets // likewise
	closeErr error
}

func newStream(c *core, o StreamOptions) *stream {
	s := &stream{core: c, onFault: o.OnFault, onFact: o.OnFact}
	s.line = newLine(s, o)
	return s
}

// begin is called when the stream has its ports, the first of them at local.
func (s *stream) begin(o StreamOptions, local netip.AddrPort) {
	s.local = local
	s.sdp = s.core.negotiator(o, local.Port())
	s.line.begin(s.sdp.session)
}

// do has f done on the line's shard and waits for it; see transport.
func (s *stream) do(f func()) bool { return s.core.transport.do(s.line, f) }

// Signalled is StreamOptions.Signalling for a far end whose address is known only later: where its SIP comes by way of
// another host. It is called before Accept.
func (s *stream) Signalled(from netip.Addr) {
	s.do(func() { s.line.in.source.signalling = from.Unmap() })
}

// Offer implements Stream.
func (s *stream) Offer() ([]byte, error) {
	s.sdpMu.Lock()
	defer s.sdpMu.Unlock()
	s.turns++
	return s.sdp.offer(), nil
}

// Current implements Stream.
func (s *stream) Current() ([]byte, error) {
	s.sdpMu.Lock()
	defer s.sdpMu.Unlock()
	s.turns++
	return s.sdp.again(), nil
}

// Accept implements Stream.
func (s *stream) Accept(answer []byte) error {
	s.sdpMu.Lock()
	defer s.sdpMu.Unlock()
	a, err := s.sdp.accept(answer)
	if err != nil {
		return fmt.Errorf("accept answer: %w", err)
	}
	s.turns++
	s.agree(a, true)
	return nil
}

// Answer implements Stream.
func (s *stream) Answer(offer []byte) ([]byte, error) {
	s.sdpMu.Lock()
	defer s.sdpMu.Unlock()
	next, answer, err := s.propose(offer)
	if err != nil {
		return nil, err
	}
	s.settle(next)
	return answer, nil
}

// Propose implements Stream.
func (s *stream) Propose(offer []byte) ([]byte, func(), error) {
	s.sdpMu.Lock()
	defer s.sdpMu.Unlock()
	next, answer, err := s.propose(offer)
	if err != nil {
		return nil, nil, err
	}
	base := s.turns
	commit := func() {
		s.sdpMu.Lock()
		defer s.sdpMu.Unlock()
		if s.turns == base {
			s.settle(next)
		}
	}
	return answer, commit, nil
}

// propose answers an offer with a copy of the negotiator, which it returns: taking it up is settle's. The
// caller holds sdpMu.
func (s *stream) propose(offer []byte) (next negotiator, answer []byte, err error) {
	next = s.sdp
	answer, _, err = next.answer(offer)
	if err != nil {
		return next, nil, fmt.Errorf("answer offer: %w", err)
	}
	return next, answer, nil
}

// settle takes up what a negotiator has agreed on. The caller holds sdpMu.
func (s *stream) settle(next negotiator) {
	s.turns++
	s.sdp = next
	s.agree(next.agreed, false)
}

// agree has the line go by an agreement; live is whether that shows that the far end listens. The caller holds sdpMu.
func (s *stream) agree(a *agreement, live bool) {
	s.do(func() {
		s.line.agree(a, time.Now())
		s.line.live = s.line.live || live
	})
	s.agreement.Store(a)
}

// Held implements Stream.
func (s *stream) Held() bool {
	a := s.agreement.Load()
	return a != nil && !a.send
}

// Codec implements Stream.
func (s *stream) Codec() Codec {
	if a := s.agreement.Load(); a != nil {
		return a.codec
	}
	return ""
}

// Stats implements Stream.
func (s *stream) Stats() (stats Stats) {
	if !s.do(func() { stats = s.line.snapshot() }) {
		return s.final
	}
	return stats
}

// Local implements Stream.
func (s *stream) Local() netip.AddrPort { return s.local }

// Close implements Stream. When it returns nothing more is sent, and no tap hears the stream. A tap must not call it.
func (s *stream) Close() error {
	s.closing.Do(func() {
		s.hungUp.Store(true)
		var v verdict
		s.do(func() {
			err := s.line.shut()
			s.final, s.left, v = s.line.snapshot(), s.line.out.offsets(time.Now()), s.line.verdict()
			if err != nil {
				s.closeErr = fmt.Errorf("close stream: %w", err)
			}
		})
		s.core.ports.release(s.local.Port())
		s.core.forget(s)
		s.core.metrics.lost.Add(float64(s.final.Lost))
		s.core.metrics.quality.observe(v)
	})
	return s.closeErr
}
