package chaos

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The stream of G.711 with packets of 20 ms (RFC 3551), and keys (RFC 4733).
const (
	frameTime    = 20 * time.Millisecond
	frameSize    = 160
	payloadALaw  = 8
	payloadKeys  = 101
	rtpHeader    = 12
	notedGap     = 500 * time.Millisecond // lesser ones are not written down
	lateTick     = 300 * time.Millisecond // so late, the machine was busy with something else: what was heard then proves nothing
	lineRest     = 30 * time.Second       // before a port is used again: a node that was stopped sends what it had for its last call
	keyPackets   = 5
	markPeriod   = 8
	markRepeated = frameSize / markPeriod
)

// mark is whose audio it is: each caller and each agent says one, in every packet.
type mark int

// frame is a packet's worth of audio that says a mark. Any octet is a sound in A-law; a hotline that passes audio on as it
// is leaves it as it is, and one that mixes or loses it does not make another's mark of it.
func (m mark) frame() []byte {
	id := []byte{byte(m >> 16), byte(m >> 8), byte(m)}
	one := []byte{0x3C, 0xC3, id[0], id[1], id[2], ^(id[0] + 3*id[1] + 7*id[2]), 0x96, 0x69}
	frame := make([]byte, 0, frameSize)
	for range markRepeated {
		frame = append(frame, one...)
	}
	return frame
}

// markOf finds the mark in a packet's audio, wherever it begins.
func markOf(audio []byte) (mark, bool) {
	for at := 0; at+markPeriod <= min(len(audio), 2*markPeriod); at++ {
		b := audio[at:]
		if b[0] == 0x3C && b[1] == 0xC3 && b[6] == 0x96 && b[7] == 0x69 && b[5] == ^(b[2]+3*b[3]+7*b[4]) {
			return mark(b[2])<<16 | mark(b[3])<<8 | mark(b[4]), true
		}
	}
	return 0, false
}

// span is a time.
type span struct{ From, To time.Time }

func (s span) length() time.Duration { return s.To.Sub(s.From) }

// studio sends everybody's audio, and has the ports.
type studio struct {
	tb      testing.TB
	running sync.WaitGroup
	stop    chan struct{}

	mu     sync.Mutex
	idle   []*line // those that rest longest come first
	all    []*line
	talks  map[*line]bool
	stalls []span
}

func newStudio(tb testing.TB) *studio {
	tb.Helper()
	s := &studio{tb: tb, stop: make(chan struct{}), talks: make(map[*line]bool)}
	s.running.Go(s.send)
	tb.Cleanup(func() {
		close(s.stop)
		s.mu.Lock()
		lines := s.all
		s.mu.Unlock()
		for _, l := range lines {
			_ = l.conn.Close()
		}
		s.running.Wait()
	})
	return s
}

// send is the goroutine that sends.
func (s *studio) send() {
	tick := time.NewTicker(frameTime)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		s.mu.Lock()
		now := time.Now()
		if now.Sub(last) > lateTick {
			s.stalls = append(s.stalls, span{last, now})
		}
		last = now
		lines := make([]*line, 0, len(s.talks))
		for l := range s.talks {
			lines = append(lines, l)
		}
		s.mu.Unlock()
		for _, l := range lines {
			l.send()
		}
	}
}

// stalled are the times in which this process itself was not served.
func (s *studio) stalled() []span {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]span(nil), s.stalls...)
}

// line is a port for audio, used by one leg at a time.
type line struct {
	studio *studio
	conn   *net.UDPConn
	self   netip.AddrPort
	rested time.Time // from then on it may be used again; the studio's

	mu       sync.Mutex
	to       netip.AddrPort
	frame    []byte
	seq      uint16
	at       uint32
	source   uint32
	key      byte // being sent, in keyPackets packets
	keyLeft  int
	last     time.Time // that something was heard, or listening began; zero while nobody listens
	gaps     []span
	marks    map[mark]int
	unmarked int
}

// open takes a line, on which nothing is sent or heard yet. Whatever says m is sent once it talks.
func (s *studio) open(m mark) (*line, error) {
	s.mu.Lock()
	var l *line
	if len(s.idle) > 0 && time.Now().After(s.idle[0].rested) {
		l, s.idle = s.idle[0], s.idle[1:]
	}
	s.mu.Unlock()
	if l == nil {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return nil, err
		}
		l = &line{studio: s, conn: conn, self: addrOf(conn)}
		s.mu.Lock()
		s.all = append(s.all, l)
		s.mu.Unlock()
		s.running.Go(l.hear)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.to, l.frame, l.marks, l.unmarked, l.gaps, l.keyLeft = netip.AddrPort{}, m.frame(), make(map[mark]int), 0, nil, 0
	l.seq, l.at, l.source = uint16(rand.Uint32()), rand.Uint32(), rand.Uint32()
	return l, nil
}

// listen begins to note what is heard.
func (l *line) listen() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last.IsZero() {
		l.last = time.Now()
	}
}

// talk begins to send, or sends elsewhere.
func (l *line) talk(to netip.AddrPort) {
	if !to.IsValid() || to.Port() == 0 {
		return
	}
	l.mu.Lock()
	l.to = to
	l.mu.Unlock()
	l.studio.mu.Lock()
	defer l.studio.mu.Unlock()
	l.studio.talks[l] = true
}

// press sends a key.
func (l *line) press(key byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.key, l.keyLeft = key, keyPackets
}

// silence is for how long nothing was heard, up to now.
func (l *line) silence() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last.IsZero() {
		return 0
	}
	return time.Since(l.last)
}

// heardMark reports whether a mark of at least this one was heard.
func (l *line) heardMark(least mark) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for m := range l.marks {
		if m >= least {
			return true
		}
	}
	return false
}

// end stops sending and hearing, gives the line back, and returns what was heard.
func (l *line) end() (gaps []span, marks map[mark]int, unmarked int) {
	s := l.studio
	s.mu.Lock()
	delete(s.talks, l)
	s.mu.Unlock()
	l.mu.Lock()
	if now := time.Now(); !l.last.IsZero() && now.Sub(l.last) > notedGap {
		l.gaps = append(l.gaps, span{l.last, now})
	}
	gaps, marks, unmarked = l.gaps, l.marks, l.unmarked
	l.last, l.gaps, l.marks = time.Time{}, nil, nil
	l.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	l.rested = time.Now().Add(lineRest)
	s.idle = append(s.idle, l)
	return gaps, marks, unmarked
}

// send sends a packet's worth.
func (l *line) send() {
	l.mu.Lock()
	payload, kind := l.frame, byte(payloadALaw)
	if l.keyLeft > 0 {
		done := keyPackets - l.keyLeft + 1
		payload, kind = []byte{l.key, 10, 0, 0}, payloadKeys
		binary.BigEndian.PutUint16(payload[2:], uint16(done*frameSize))
		if done > keyPackets-3 {
			payload[1] |= 0x80 // the end, said three times
		}
		l.keyLeft--
	}
	p := make([]byte, rtpHeader, rtpHeader+len(payload))
	p[0], p[1] = 0x80, kind
	binary.BigEndian.PutUint16(p[2:], l.seq)
	at := l.at
	if kind == payloadKeys {
		at -= uint32((keyPackets - l.keyLeft - 1) * frameSize) // all packets of a key have the instant of its beginning
	}
	binary.BigEndian.PutUint32(p[4:], at)
	binary.BigEndian.PutUint32(p[8:], l.source)
	l.seq++
	l.at += frameSize
	to := l.to
	l.mu.Unlock()
	_, _ = l.conn.WriteToUDPAddrPort(append(p, payload...), to) // a lost datagram
}

// hear is the goroutine that hears.
func (l *line) hear() {
	datagram := make([]byte, 2048)
	for {
		n, _, err := l.conn.ReadFromUDPAddrPort(datagram)
		if err != nil {
			return // closed
		}
		if n > rtpHeader && datagram[0]>>6 == 2 && datagram[1]&0x7F == payloadALaw {
			l.note(datagram[rtpHeader:n])
		}
	}
}

func (l *line) note(audio []byte) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last.IsZero() {
		return
	}
	if now.Sub(l.last) > notedGap {
		l.gaps = append(l.gaps, span{l.last, now})
	}
	l.last = now
	if m, ok := markOf(audio); ok {
		l.marks[m]++
	} else {
		l.unmarked++
	}
}

func TestMarks(t *testing.T) {
	for _, m := range []mark{0, 1, 255, 256, 70000, firstAgentMark + 30} {
		frame := m.frame()
		require.Len(t, frame, frameSize)
		for at := range markPeriod {
			got, ok := markOf(frame[at:])
			require.True(t, ok)
			require.Equal(t, m, got)
		}
		frame[2]++
		_, ok := markOf(frame[:markPeriod])
		require.False(t, ok, "a mark that is not whole is none")
	}
	_, ok := markOf(make([]byte, frameSize))
	require.False(t, ok)
}

// TestLine: two lines hear each other, a gap is noted, and a line that rests is not used again at once.
func TestLine(t *testing.T) {
	s := newStudio(t)
	a, err := s.open(7)
	require.NoError(t, err)
	b, err := s.open(firstAgentMark)
	require.NoError(t, err)
	a.talk(b.self)
	b.listen()
	require.Eventually(t, func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.marks[7] > 10 }, 20*time.Second, time.Millisecond)
	a.press(5)
	require.Eventually(t, func() bool { a.mu.Lock(); defer a.mu.Unlock(); return a.keyLeft == 0 }, 20*time.Second, time.Millisecond)
	a.end()
	require.Eventually(t, func() bool { return b.silence() > notedGap+100*time.Millisecond }, 20*time.Second, time.Millisecond)
	require.False(t, b.heardMark(firstAgentMark))
	gaps, marks, unmarked := b.end()
	require.NotEmpty(t, gaps)
	require.Greater(t, gaps[len(gaps)-1].length(), notedGap)
	require.Contains(t, marks, mark(7))
	require.Zero(t, unmarked)
	again, err := s.open(8)
	require.NoError(t, err)
	require.NotSame(t, a, again)
	require.NotSame(t, b, again)
}
