package calltest

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"hotline/media"
)

// Stream is a media.Stream that plays to nobody in as long as the clips last.
type Stream struct {
	closed chan struct{}

	mu       sync.Mutex
	replaced chan struct{} // closed when the Play under way is replaced
	playing  string
	log      []string
	tones    []string
	key      func(media.Key)
	held     bool
	stats    media.Stats
	once     sync.Once
}

var _ media.Stream = (*Stream)(nil)

// NewStream makes an open stream.
func NewStream() *Stream { return &Stream{closed: make(chan struct{})} }

// Press has the far end press a key.
func (s *Stream) Press(k media.Key) {
	s.mu.Lock()
	f := s.key
	s.mu.Unlock()
	if f != nil {
		f(k)
	}
}

// SetHeld sets what Held answers.
func (s *Stream) SetHeld(held bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = held
}

// SetStats sets what Stats answers.
func (s *Stream) SetStats(stats media.Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats = stats
}

// Playing is the name of the clip being played, empty when none is.
func (s *Stream) Playing() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.playing
}

// Played lists the clips begun so far, in order.
func (s *Stream) Played() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.log...)
}

// Play implements media.Stream.
func (s *Stream) Play(ctx context.Context, clips ...media.Clip) error {
	mine := s.replace()
	defer s.begin("")
	for _, clip := range clips {
		for again := true; again; again = clip.Loop {
			s.begin(clip.Name)
			if err := s.wait(ctx, mine, clip.Duration()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Stream) wait(ctx context.Context, mine chan struct{}, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		if s.over() { // on a slow machine both have come when somebody looks
			return media.ErrClosed
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-mine:
		return media.ErrReplaced
	case <-s.closed:
		return media.ErrClosed
	}
}

// replace cuts what is playing short, and returns the channel by which the next one is cut.
func (s *Stream) replace() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.replaced != nil {
		close(s.replaced)
	}
	s.replaced = make(chan struct{})
	return s.replaced
}

func (s *Stream) begin(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.playing = name
	if name != "" {
		s.log = append(s.log, name)
	}
}

// SendKey implements media.Stream.
func (s *Stream) SendKey(ctx context.Context, k media.Key) error {
	return s.Play(ctx, media.Clip{Name: "key " + k.String(), ALaw: make([]byte, media.SampleRate/10)})
}

// Tone implements media.Stream.
func (s *Stream) Tone(c media.Clip) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tones = append(s.tones, c.Name)
}

// Tones lists the tones that were added to what the far end hears, in order.
func (s *Stream) Tones() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.tones...)
}

// OnKey implements media.Stream.
func (s *Stream) OnKey(f func(media.Key)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key = f
}

// Held implements media.Stream.
func (s *Stream) Held() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held
}

// Close implements media.Stream.
func (s *Stream) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// Offer implements media.Stream.
func (s *Stream) Offer() ([]byte, error) { return []byte("offer"), nil }

// Current implements media.Stream.
func (s *Stream) Current() ([]byte, error) { return []byte("offer"), nil }

// Accept implements media.Stream.
func (s *Stream) Accept([]byte) error { return nil }

// Answer implements media.Stream.
func (s *Stream) Answer([]byte) ([]byte, error) { return []byte("answer"), nil }

// Propose implements media.Stream.
func (s *Stream) Propose([]byte) ([]byte, func(), error) { return []byte("answer"), func() {}, nil }

// Codec implements media.Stream.
func (s *Stream) Codec() media.Codec { return media.PCMA }

// Stats implements media.Stream.
func (s *Stream) Stats() media.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Offsets of nothing that was sent.
func (s *Stream) Offsets() media.Offsets { return media.Offsets{} }

// Local implements media.Stream.
func (s *Stream) Local() netip.AddrPort { return netip.AddrPort{} }

// Bridger is a call.Bridger that notes which streams are joined.
type Bridger struct {
	mu     sync.Mutex
	joined map[[2]media.Stream]media.Tap
	rooms  []*Room
}

// Bridge implements call.Bridger.
func (b *Bridger) Bridge(x, y media.Stream, tap media.Tap) (func(), error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.joined == nil {
		b.joined = make(map[[2]media.Stream]media.Tap)
	}
	pair := [2]media.Stream{x, y}
	b.joined[pair] = tap
	// A closed stream cannot be joined, as in the real engine.
	for _, s := range pair {
		if s.(*Stream).over() {
			delete(b.joined, pair)
			return nil, media.ErrClosed
		}
	}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.joined, pair)
	}, nil
}

// Joined is how many pairs are.
func (b *Bridger) Joined() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.joined)
}

func (s *Stream) over() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}
