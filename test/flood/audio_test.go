//go:build linux

package flood

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"hotline/internal/testkit"
)

// The stream: G.711 A-law in packets of 20 ms (RFC 3551), each of which says whose it is, which of its stream, and when it was
// sent. A hotline that passes audio on as it is leaves that as it is.
const (
	frameTime   = 20 * time.Millisecond
	frameSize   = 160
	payloadALaw = 8
	rtpHeader   = 12
	mark        = 0x3CC3A55A96695AA5
	silence     = 0xD5 // of A-law
)

// heard is what one end heard in a time.
type heard struct {
	packets, lost int
	// gap is the longest time between two packets, of which the sender's own delay is taken off; raw is with it.
	gap, raw time.Duration
}

// worse joins what two ends heard.
func (h heard) worse(o heard) heard {
	return heard{h.packets + o.packets, h.lost + o.lost, max(h.gap, o.gap), max(h.raw, o.raw)}
}

// frame is what a packet says of itself.
type frame struct {
	voice uint32
	count uint32
	sent  time.Time
}

// put writes a frame to the audio of a packet, and frameOf reads it.
func (f frame) put(audio []byte) {
	binary.BigEndian.PutUint64(audio, mark)
	binary.BigEndian.PutUint32(audio[8:], f.voice)
	binary.BigEndian.PutUint32(audio[12:], f.count)
	binary.BigEndian.PutUint64(audio[16:], uint64(f.sent.UnixNano()))
}

func frameOf(audio []byte) (f frame, ok bool) {
	if len(audio) < 24 || binary.BigEndian.Uint64(audio) != mark {
		return frame{}, false
	}
	return frame{
		voice: binary.BigEndian.Uint32(audio[8:]), count: binary.BigEndian.Uint32(audio[12:]),
		sent: time.Unix(0, int64(binary.BigEndian.Uint64(audio[16:]))),
	}, true
}

// ear notes what arrives at one end. The far end is one voice only.
type ear struct {
	mu   sync.Mutex
	from uint32 // whose voice
	last frame
	at   time.Time // that last arrived; zero: none yet
	now  heard
}

// note takes a packet's audio, which arrived at an instant.
func (e *ear) note(audio []byte, at time.Time) {
	f, ok := frameOf(audio)
	e.mu.Lock()
	defer e.mu.Unlock()
	if !ok || f.voice != e.from {
		return // a prompt, before the two are joined
	}
	if e.now.packets++; !e.at.IsZero() && f.count > e.last.count {
		n := int(f.count - e.last.count)
		raw := at.Sub(e.at)
		late := max(0, f.sent.Sub(e.last.sent)-time.Duration(n)*frameTime)
		e.now.lost += n - 1
		e.now.raw, e.now.gap = max(e.now.raw, raw), max(e.now.gap, raw-late)
	}
	if e.at.IsZero() || f.count > e.last.count {
		e.last, e.at = f, at
	}
}

// heardSince tells whether a packet has arrived since an instant.
func (e *ear) heardSince(at time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.at.After(at)
}

// take returns what was heard, and begins anew.
func (e *ear) take() heard {
	e.mu.Lock()
	defer e.mu.Unlock()
	h := e.now
	e.now = heard{}
	return h
}

// voice is one end of a call: what it says, and hears.
type voice struct {
	conn   *net.UDPConn
	to     netip.AddrPort
	id     uint32
	count  uint32
	packet [rtpHeader + frameSize]byte
	ear    ear
}

// say sends the next packet.
func (v *voice) say() {
	p := v.packet[:]
	v.count++
	p[0], p[1] = 0x80, payloadALaw
	binary.BigEndian.PutUint16(p[2:], uint16(v.count))
	binary.BigEndian.PutUint32(p[4:], v.count*frameSize)
	binary.BigEndian.PutUint32(p[8:], v.id)
	frame{v.id, v.count, time.Now()}.put(p[rtpHeader:])
	_, _ = v.conn.WriteToUDPAddrPort(p, v.to) // a lost packet, which is counted where it is not heard
}

// hear is the goroutine that hears.
func (v *voice) hear() {
	packet, control := make([]byte, 2048), make([]byte, 128)
	for {
		n, c, _, _, err := v.conn.ReadMsgUDP(packet, control)
		if err != nil {
			return // closed
		}
		if n > rtpHeader && packet[0]>>6 == 2 && packet[1]&0x7F == payloadALaw {
			v.ear.note(packet[rtpHeader:n], arrival(control[:c]))
		}
	}
}

// arrival is when the kernel put a datagram into the socket (SO_TIMESTAMPNS, socket(7)).
func arrival(control []byte) time.Time {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return time.Now()
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16 {
			return time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		}
	}
	return time.Now()
}

// studio sends everybody's audio.
type studio struct {
	running sync.WaitGroup
	stop    chan struct{}
	mu      sync.Mutex
	voices  []*voice
}

// newStudio makes one; its goroutines end with the test, once the phones' sockets are closed.
func newStudio(tb testing.TB) *studio {
	tb.Helper()
	s := &studio{stop: make(chan struct{})}
	tb.Cleanup(func() {
		close(s.stop)
		s.running.Wait()
	})
	s.running.Go(s.send)
	return s
}

func (s *studio) send() {
	tick := time.NewTicker(frameTime)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		for _, v := range s.all() {
			v.say()
		}
	}
}

// all are the voices, of which there are only ever more.
func (s *studio) all() []*voice {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.voices
}

// join has the two ends of a call talk.
func (s *studio) join(tb testing.TB, caller, agent *testkit.PhoneCall) {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	first := uint32(len(s.voices))
	for i, c := range []*testkit.PhoneCall{caller, agent} {
		v := &voice{id: first + uint32(i)}
		v.ear.from = first + uint32(1-i)
		v.conn, v.to = c.Audio()
		require.True(tb, v.to.IsValid(), "the hotline's SDP names a port")
		for j := range v.packet {
			v.packet[j] = silence
		}
		raw, err := v.conn.SyscallConn()
		require.NoError(tb, err)
		var failed error
		require.NoError(tb, raw.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
		}))
		require.NoError(tb, failed)
		s.voices = append(s.voices, v)
		s.running.Go(v.hear)
	}
}

// await waits until everybody has heard something since an instant: none of the calls has ended, or gone silent.
func (s *studio) await(tb testing.TB, what string, since time.Time) {
	tb.Helper()
	for _, v := range s.all() {
		testkit.Within(tb, testkit.Patience, what, func() bool { return v.ear.heardSince(since) })
	}
}

// take returns the worst that anybody heard since it was called last.
func (s *studio) take() (all heard) {
	for _, v := range s.all() {
		all = all.worse(v.ear.take())
	}
	return all
}

// TestEar: a packet that the sender sent late is no gap of the hotline's; one that is lost is, and so is one that is late on
// its way.
func TestEar(t *testing.T) {
	began := time.Now()
	ms := func(n int) time.Time { return began.Add(time.Duration(n) * time.Millisecond) }
	for name, c := range map[string]struct {
		sent, arrived [3]int // ms
		counts        [3]uint32
		gap, raw      int
		lost          int
	}{
		"even":                  {[3]int{0, 20, 40}, [3]int{1, 21, 41}, [3]uint32{1, 2, 3}, 20, 20, 0},
		"sent late":             {[3]int{0, 90, 110}, [3]int{1, 91, 111}, [3]uint32{1, 2, 3}, 20, 90, 0},
		"late on its way":       {[3]int{0, 20, 40}, [3]int{1, 101, 102}, [3]uint32{1, 2, 3}, 100, 100, 0},
		"both":                  {[3]int{0, 50, 70}, [3]int{1, 121, 122}, [3]uint32{1, 2, 3}, 90, 120, 0},
		"two lost":              {[3]int{0, 20, 80}, [3]int{1, 21, 81}, [3]uint32{1, 2, 5}, 60, 60, 2},
		"one overtakes another": {[3]int{0, 40, 20}, [3]int{1, 41, 42}, [3]uint32{1, 3, 2}, 40, 40, 1},
	} {
		t.Run(name, func(t *testing.T) {
			e := ear{from: 7}
			audio := make([]byte, frameSize)
			for i := range c.sent {
				frame{7, c.counts[i], ms(c.sent[i])}.put(audio)
				e.note(audio, ms(c.arrived[i]))
				frame{8, c.counts[i], ms(c.sent[i])}.put(audio)
				e.note(audio, ms(c.arrived[i]+500))
			}
			e.note(make([]byte, frameSize), ms(900))
			require.Equal(t, heard{3, c.lost, time.Duration(c.gap) * time.Millisecond, time.Duration(c.raw) * time.Millisecond}, e.take())
			require.Zero(t, e.take())
		})
	}
}
