package media

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"go.uber.org/zap"
)

// stream is a Stream of the portable engine.
type stream struct {
	engine  *Portable
	rtp     *net.UDPConn
	rtcp    *rtcpSocket
	local   netip.AddrPort
	name    string // of ours in reports (RFC 3550 section 6.5.1)
	onFault func()
	in      *receiver
	out     *sender
	keys    keypad
	bridged atomic.Pointer[bridgeEnd]
	// listened is the tap on this stream alone.
	listened atomic.Pointer[listener]
	// live is set once the far end can be taken to listen: it answered our offer, it sent something,
	// or something was played to it. Before, no silence is sent: a caller's phone to which audio comes
	// while it is still rung to may take its own ringing tone away.
	live atomic.Bool

	sdpMu     sync.Mutex
	sdp       negotiator
	turns     uint64                    // of offers and answers that changed sdp
	agreement atomic.Pointer[agreement] // written under sdpMu

	playMu sync.Mutex
	reel   *reel
	closed bool

	untilReport int // turns of the wheel, which alone touches it

	closing  sync.Once
	faulted  sync.Once
	closeErr error
}

func newStream(e *Portable) *stream { return &stream{engine: e} }

// bind takes the RTP port and the RTCP port above it, or neither.
func (s *stream) bind(port uint16) error {
	rtpConn, err := listen(netip.AddrPortFrom(s.engine.o.Address, port))
	if err != nil {
		return err
	}
	rtcpSocket, err := openRTCP(netip.AddrPortFrom(s.engine.o.Address, port+1))
	if err != nil {
		return errors.Join(err, rtpConn.Close())
	}
	s.rtp, s.rtcp = rtpConn, rtcpSocket
	return nil
}

func (s *stream) begin(o StreamOptions, port uint16) {
	s.local = netip.AddrPortFrom(s.engine.o.Address, port)
	s.onFault = o.OnFault
	s.sdp = s.engine.negotiator(o, port)
	s.name = strconv.FormatUint(s.sdp.session, 36)
	s.out = newSender(s.write)
	s.untilReport = 1 + rand.IntN(reportTurns()) // the first one sooner
	s.in = newReceiver(o.Signalling, s.out.follow)
}

// write puts one packet on the wire. What the network refuses (no route, a full queue) is a lost packet
// like any other, which only the far end can count.
func (s *stream) write(b []byte, to netip.AddrPort) bool {
	if _, err := s.rtp.WriteToUDPAddrPort(b, to); err != nil {
		return false
	}
	s.engine.metrics.out.Inc()
	return true
}

// readFailures is how many failures of a socket in a row end its reading: a socket that only fails
// must not spin.
const readFailures = 100

// readRTP is the goroutine of the stream's RTP socket.
func (s *stream) readRTP() {
	var (
		buf     [maxDatagram]byte
		scratch [maxDatagram]byte
		packet  rtp.Packet
	)
	for failures := 0; failures < readFailures; {
		n, from, err := s.rtp.ReadFromUDPAddrPort(buf[:])
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			failures++
			continue
		}
		failures = 0
		s.datagram(&packet, buf[:n], scratch[:], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
	}
	s.engine.log.Error("RTP socket fails, reading given up", zap.Stringer("local", s.local))
}

// datagram takes one datagram all the way. What panics on it, a tap or a key function among others, costs
// this stream and no other.
func (s *stream) datagram(p *rtp.Packet, b, scratch []byte, from netip.AddrPort) {
	defer s.contain("media: packet")
	now := time.Now()
	h := s.in.datagram(p, b, from, now)
	if h.kind == payloadNone {
		return
	}
	s.engine.metrics.in.Inc()
	s.live.Store(true)
	if end := s.bridged.Load(); end != nil {
		end.pass(p, h.kind, scratch, now)
	}
	if l := s.listened.Load(); l != nil {
		l.hear(p, h.kind, scratch, now)
	}
	if h.key != 0 {
		s.keys.press(h.key, byRTP)
	}
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
	s.agree(a)
	s.live.Store(true)
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
	s.agree(next.agreed)
}

func (s *stream) agree(a *agreement) {
	s.out.agree(a)
	s.in.agree(a)
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

// OnKey implements Stream. The function may call the stream, Close included.
func (s *stream) OnKey(f func(Key)) { s.keys.onKey(f) }

// Press implements Stream. What is no key is ignored.
func (s *stream) Press(k Key) {
	if k.Valid() {
		s.keys.press(k, byINFO)
	}
}

// Stats implements Stream.
func (s *stream) Stats() Stats {
	stats := s.in.snapshot()
	stats.PacketsOut, stats.OctetsOut = s.out.counts()
	return stats
}

// Local implements Stream.
func (s *stream) Local() netip.AddrPort { return s.local }

// Close implements Stream. When it returns nothing more is sent, and no tap hears the stream; the
// goroutines that read end by themselves, and the engine waits for them. A tap must not call it.
func (s *stream) Close() error {
	s.closing.Do(func() {
		s.keys.close()
		s.playMu.Lock()
		s.closed = true
		s.playMu.Unlock()
		s.stopPlaying(ErrClosed)
		if end := s.bridged.Load(); end != nil {
			end.bridge.end()
		}
		if l := s.listened.Load(); l != nil {
			l.end()
		}
		s.out.close()
		s.closeErr = s.hangUpSockets()
		s.engine.forget(s)
		s.engine.metrics.lost.Add(float64(s.in.snapshot().Lost))
	})
	return s.closeErr
}

func (s *stream) hangUpSockets() error {
	err := errors.Join(s.rtp.Close(), s.rtcp.close())
	s.engine.ports.release(s.local.Port())
	if err != nil {
		return fmt.Errorf("close stream: %w", err)
	}
	return nil
}
