package mediatest

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/media"
)

func sourceLocked(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	s, p := stream(t, e, media.PCMA)
	stranger := NewPhone(t, media.PCMA)
	stranger.Aim(s)
	tone := media.Tone(700, media.FrameDuration).ALaw
	for range 4 {
		stranger.Send(tone)
	}
	eventually(t, s, func(st media.Stats) bool { return st.Strangers == 4 })
	p.Send(tone)
	require.Equal(t, p.Address(), reached(t, s, p), "the address in the description was trusted at once")
	for range 20 { // nobody takes a locked source's place while it sends
		stranger.Send(tone)
		p.Send(tone)
	}
	eventually(t, s, func(st media.Stats) bool { return st.Strangers == 24 && st.PacketsIn == 21 })

	// A phone whose description names an address it does not send from, unknown to signalling.
	s, p = stream(t, e, media.PCMA)
	nat := NewPhone(t, media.PCMA)
	nat.Aim(s)
	for range 4 {
		nat.Send(tone)
	}
	nat.Sequence++ // a gap begins the trial anew
	for range 5 {
		nat.Send(tone)
	}
	eventually(t, s, func(st media.Stats) bool { return st.PacketsIn == 1 && st.Strangers == 8 })
	require.Equal(t, nat.Address(), reached(t, s, nat), "five in sequence, and we send there")
	p.Send(tone)
	require.Equal(t, p.Address(), reached(t, s, p), "but the description is believed more than a stranger")
}

// reached is the phone that a stream's silence comes to.
func reached(t *testing.T, s media.Stream, p *Phone) netip.AddrPort {
	t.Helper()
	packet := p.Next()
	require.Equal(t, s.Local(), packet.From)
	return p.Address()
}

func sourceSignalling(t *testing.T, newEngine Make) {
	t.Helper()
	for _, later := range []bool{false, true} {
		o := media.StreamOptions{Signalling: loopback}
		if later {
			o.Signalling = netip.Addr{}
		}
		s, err := open(t, newEngine).Open(o)
		require.NoError(t, err)
		if later {
			s.(interface{ Signalled(from netip.Addr) }).Signalled(loopback)
		}
		heardBySignalling(t, s)
	}
}

func heardBySignalling(t *testing.T, s media.Stream) {
	t.Helper()
	described, real := NewPhone(t, media.PCMA), NewPhone(t, media.PCMA)
	described.Call(s)
	require.NoError(t, s.Play(t.Context(), media.Tone(500, 40*time.Millisecond)))
	reached(t, s, described)
	real.Aim(s)
	real.Send(media.Tone(700, media.FrameDuration).ALaw)
	reached(t, s, real)
	require.Zero(t, s.Stats().Strangers)
}

func sourceOpened(t *testing.T, newEngine Make) {
	t.Helper()
	s, p := stream(t, open(t, newEngine), media.PCMA)
	tone := media.Tone(700, media.FrameDuration).ALaw
	p.Send(tone)
	reached(t, s, p)
	other := NewPhone(t, media.PCMA)
	other.Call(s) // a re-INVITE with a new address
	reached(t, s, other)
	other.Send(tone)
	p.Send(tone)
	eventually(t, s, func(st media.Stats) bool { return st.PacketsIn == 2 && st.Strangers == 1 })
}

// keys collects what a stream tells.
func keys(s media.Stream) <-chan media.Key {
	pressed := make(chan media.Key, 64)
	s.OnKey(func(k media.Key) { pressed <- k })
	return pressed
}

func pressed(t *testing.T, keys <-chan media.Key, n int) (all string) {
	t.Helper()
	for range n {
		all += wait(t, keys).String()
	}
	return all
}

func keysOnce(t *testing.T, newEngine Make) {
	t.Helper()
	s, p := stream(t, open(t, newEngine), media.PCMA)
	heard := keys(s)
	var sent uint64
	// press waits until what it sent was heard: a burst must not overflow a socket whose reader has no
	// processor for a while.
	press := func(event byte, packets int, lost func(int) bool) {
		t.Helper()
		p.Press(event, packets, lost)
		for i := range packets + 2 {
			if lost == nil || !lost(i) {
				sent++
			}
		}
		eventually(t, s, func(st media.Stats) bool { return st.PacketsIn >= sent })
	}
	press(1, 5, nil)
	press(1, 5, nil)                                 // "11" is two
	press(2, 5, func(i int) bool { return i < 4 })   // its beginning lost
	press(2, 5, func(i int) bool { return i >= 4 })  // its end lost
	press(16, 5, nil)                                // a flash is no key
	press(10, 150, nil)                              // three seconds are one key
	press(15, 1, func(i int) bool { return i != 2 }) // one packet of it came
	for event := range byte(16) {
		press(event, 1, nil)
	}
	require.Equal(t, "1122*D"+"0123456789*#ABCD", pressed(t, heard, 6+16))
	s.OnKey(nil)
	p.Press(3, 1, nil)
	in := s.Stats().PacketsIn
	p.Press(4, 1, nil)
	eventually(t, s, func(st media.Stats) bool { return st.PacketsIn >= in+3 })
	require.Empty(t, heard)
}

func keysFirstMethod(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	s, p := stream(t, e, media.PCMA)
	heard := keys(s)
	p.Press(1, 3, nil)
	require.Equal(t, "1", pressed(t, heard, 1))
	s.Press('1') // the same key again, by INFO
	p.Press(2, 3, nil)
	require.Equal(t, "2", pressed(t, heard, 1))

	s, p = stream(t, e, media.PCMA)
	heard = keys(s)
	s.Press('x') // no key, and decides nothing
	s.Press('7')
	p.Press(7, 3, nil)
	eventually(t, s, func(st media.Stats) bool { return st.PacketsIn == 5 })
	s.Press('7')
	require.Equal(t, "77", pressed(t, heard, 2))
	require.Empty(t, heard)
}

func keysReentrant(t *testing.T, newEngine Make) {
	t.Helper()
	s, p := stream(t, open(t, newEngine), media.PCMA)
	done := make(chan error, 1)
	s.OnKey(func(media.Key) {
		s.OnKey(nil)
		_ = s.Stats()
		done <- s.Close()
	})
	p.Press(1, 3, nil)
	require.NoError(t, wait(t, done))
}

func rubbish(t *testing.T, newEngine Make) {
	t.Helper()
	s, p := stream(t, open(t, newEngine), media.PCMA)
	for _, b := range [][]byte{
		{},
		{0x80},
		make([]byte, 11), make([]byte, 12), make([]byte, 1400), make([]byte, 4000),
		{0x80, 50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, // a payload type that was not agreed
		{0x8F, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1},  // fifteen sources announced, none there
		{0x90, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xBE, 0xDE, 0xFF, 0xFF, 0},
		{0xA0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 200}, // more padding than packet
	} {
		p.Raw(b)
	}
	eventually(t, s, func(st media.Stats) bool { return st.Dropped == 10 })
	p.Send(media.Tone(700, media.FrameDuration).ALaw)
	eventually(t, s, func(st media.Stats) bool { return st.PacketsIn == 1 })
	require.Zero(t, s.Stats().Strangers)
}

func loss(t *testing.T, newEngine Make) {
	t.Helper()
	s, p := stream(t, open(t, newEngine), media.PCMA)
	tone := media.Tone(700, media.FrameDuration).ALaw
	first := p.Sequence // so that the numbers wrap among these
	for _, i := range []uint16{0, 1, 2, 5, 4, 4, 9} {
		p.Sequence = first + i
		p.Send(tone)
	}
	eventually(t, s, func(st media.Stats) bool { return st.PacketsIn == 6 && st.Duplicate == 1 })
	st := s.Stats()
	require.Equal(t, uint64(4), st.Lost, "3, 6, 7, 8")
	require.Equal(t, uint64(1), st.Late)
	require.Equal(t, uint64(6*160), st.OctetsIn)
	require.False(t, st.FirstPacket.IsZero())
	require.False(t, st.LastPacket.Before(st.FirstPacket))
	require.NoError(t, s.Close())
	require.Equal(t, uint64(4), s.Stats().Lost, "also after Close")
}
