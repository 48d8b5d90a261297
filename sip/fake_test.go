package sip

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hotline/media"
)

// fakeEngine is an engine without sockets: it hands out fakeStreams, and remembers them.
type fakeEngine struct {
	mu      sync.Mutex
	streams []*fakeStream
	none    error        // returned by Open when set
	more    string       // what descriptions of later streams end with
	late    atomic.Int64 // by how long, in nanoseconds
}

func (e *fakeEngine) Open(o media.StreamOptions) (media.Stream, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.none != nil {
		return nil, e.none
	}
	s := &fakeStream{o: o, more: e.more, closed: make(chan struct{}), keys: make(chan media.Key, 16)}
	e.streams = append(e.streams, s)
	return s, nil
}

func (e *fakeEngine) Bridge(media.Stream, media.Stream, media.Tap) (func(), error) {
	return func() {}, nil
}

func (e *fakeEngine) Mix(media.Tap, ...media.Party) (media.Room, error) { return nil, media.ErrForeign }

func (e *fakeEngine) Listen(media.Stream, media.Tap) (func(), error) { return func() {}, nil }

// Lag tells what late says.
func (e *fakeEngine) Lag() func() time.Duration {
	return func() time.Duration { return time.Duration(e.late.Load()) }
}

func (e *fakeEngine) Close() error { return nil }

// enlarge has the descriptions of later streams end with so many lines that nobody knows.
func (e *fakeEngine) enlarge(lines int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.more = strings.Repeat("a=x-large:0123456789\r\n", lines)
}

// refuse has every later Open fail.
func (e *fakeEngine) refuse(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.none = err
}

func (e *fakeEngine) opened() []*fakeStream {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]*fakeStream(nil), e.streams...)
}

// The descriptions that fakeStream knows: what stands after "v=0" decides.
const (
	sdpGood = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
	sdpHold = sdpGood + "a=sendonly\r\n"
	sdpNone = "v=0\r\nnothing-acceptable\r\n"
	sdpBad  = "bad"
	sdpOurs = "v=0\r\nours\r\n"
	// sdpPlain is an offer without a key where one is required.
	sdpPlain = "v=0\r\nplain\r\n"
	sdpDTLS  = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 8\r\n"
)

type fakeStream struct {
	more   string // of the engine
	o      media.StreamOptions
	once   sync.Once
	closed chan struct{}
	keys   chan media.Key
	// proposing, if not nil, is called by Propose, with what it returns made; answer, if not empty, is what it returns.
	proposing func()
	answer    string
	// accepting, if not nil, is called by the next Accept.
	accepting atomic.Pointer[func()]
	fresh     atomic.Int32 // Offers
	signalled atomic.Pointer[netip.Addr]
	heard     atomic.Pointer[time.Time] // when a packet came last; nil when none did

	mu       sync.Mutex
	turns    int // of offers and answers: a commit that is overtaken does nothing
	held     bool
	accepted string
	onKey    func(media.Key)
}

// Signalled is what an engine's streams have beside those of media.Stream.
func (s *fakeStream) Signalled(from netip.Addr) { s.signalled.Store(&from) }

func judge(sdp []byte) error {
	switch {
	case !strings.HasPrefix(string(sdp), "v=0"):
		return media.ErrBadSDP
	case strings.Contains(string(sdp), "nothing-acceptable"):
		return media.ErrNotAcceptable
	case string(sdp) == sdpDTLS:
		return media.ErrDTLS
	case string(sdp) == sdpPlain:
		return media.ErrNotSecure
	}
	return nil
}

func (s *fakeStream) take(sdp []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turns++
	s.held = strings.Contains(string(sdp), "a=sendonly")
	s.accepted = string(sdp)
}

func (s *fakeStream) Offer() ([]byte, error) {
	s.fresh.Add(1)
	return s.Current()
}

func (s *fakeStream) Current() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turns++
	return []byte(sdpOurs + s.more), nil
}

func (s *fakeStream) turn() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.turns
}

func (s *fakeStream) Accept(sdp []byte) error {
	if f := s.accepting.Swap(nil); f != nil {
		(*f)()
	}
	if err := judge(sdp); err != nil {
		return err
	}
	s.take(sdp)
	return nil
}

func (s *fakeStream) Answer(sdp []byte) ([]byte, error) {
	answer, commit, err := s.Propose(sdp)
	if err != nil {
		return nil, err
	}
	commit()
	return answer, nil
}

func (s *fakeStream) Propose(sdp []byte) ([]byte, func(), error) {
	base := s.turn()
	if s.proposing != nil {
		s.proposing()
	}
	if err := judge(sdp); err != nil {
		return nil, nil, err
	}
	return []byte(cmp.Or(s.answer, sdpOurs)), func() {
		if s.turn() == base {
			s.take(sdp)
		}
	}, nil
}

func (s *fakeStream) Held() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held
}

func (s *fakeStream) answerTaken() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

func (s *fakeStream) Codec() media.Codec { return media.PCMA }

func (s *fakeStream) Play(ctx context.Context, _ ...media.Clip) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.closed:
		return media.ErrClosed
	}
}

func (s *fakeStream) OnKey(f func(media.Key)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onKey = f
}

func (s *fakeStream) Tone(media.Clip) {}

func (s *fakeStream) Press(k media.Key) {
	s.mu.Lock()
	f := s.onKey
	s.mu.Unlock()
	if f != nil {
		f(k)
	}
	s.keys <- k
}

func (s *fakeStream) Stats() (stats media.Stats) {
	if at := s.heard.Load(); at != nil {
		stats.LastPacket = *at
	}
	return stats
}

func (s *fakeStream) Offsets() media.Offsets { return media.Offsets{} }
func (s *fakeStream) Local() netip.AddrPort  { return netip.AddrPort{} }

func (s *fakeStream) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

var errFake = errors.New("fake")

func (s *fakeStream) SendKey(context.Context, media.Key) error { return nil }
