package mediatest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/media"
)

// moved is the same phone behind another address, as its NAT has it now: its stream goes on.
func (p *Phone) moved(s media.Stream) *Phone {
	p.t.Helper()
	to := NewPhone(p.t, p.Codec)
	to.SSRC, to.Sequence, to.Timestamp = p.SSRC, p.Sequence, p.Timestamp
	to.Aim(s)
	return to
}

func sourceMoves(t *testing.T, newEngine Make) {
	t.Helper()
	s, p := stream(t, open(t, newEngine), media.PCMA)
	tone := media.Tone(700, media.FrameDuration).ALaw
	last := time.Now()
	for range 3 {
		p.Send(tone)
	}
	eventually(t, s, func(st media.Stats) bool { return st.PacketsIn == 3 })
	to := p.moved(s)
	pace := time.NewTicker(media.FrameDuration)
	defer pace.Stop()
	for s.Stats().PacketsIn == 3 {
		to.Send(tone)
		<-pace.C
		require.Less(t, time.Since(last), patience)
	}
	require.GreaterOrEqual(t, time.Since(last), 2*time.Second, "it was silent at its old address first")
	require.GreaterOrEqual(t, s.Stats().Strangers, uint64(4), "and went on in sequence at the new one")
	reached(t, s, to)
}

func sourceKnown(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	s, err := e.Open(media.StreamOptions{})
	require.NoError(t, err)
	described, real := NewPhone(t, media.PCMA), NewPhone(t, media.PCMA)
	described.Call(s)
	real.Aim(s)
	tone := media.Tone(700, media.FrameDuration).ALaw
	for range 5 {
		real.Send(tone)
	}
	eventually(t, s, func(st media.Stats) bool { return st.PacketsIn == 1 && st.Strangers == 4 })
	described.Call(s) // the session is refreshed
	real.Send(tone)
	eventually(t, s, func(st media.Stats) bool { return st.PacketsIn == 2 })
	require.Equal(t, uint64(4), s.Stats().Strangers, "not on trial again")
	reached(t, s, real)
}

// A stranger who knows the phone's SSRC and numbers is not heard while it speaks, by anybody.
func sourceStrangers(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	a, p := stream(t, e, media.PCMA)
	b, q := stream(t, e, media.PCMA)
	tap := &ear{}
	unbridge, err := e.Bridge(a, b, tap)
	require.NoError(t, err)
	defer unbridge()
	const packets = 25
	theirs, ours := media.Tone(1300, media.FrameDuration).ALaw, media.Tone(700, media.FrameDuration).ALaw
	stranger := p.moved(a)
	p.Send(ours)
	for range packets - 1 {
		stranger.Sequence, stranger.Timestamp = p.Sequence, p.Timestamp
		stranger.Send(theirs)
		p.Send(ours)
	}
	heard := q.Take(packets)
	requireOneStream(t, heard)
	for _, audio := range [][]byte{q.Heard(heard), tapped(t, tap.side(t, media.SideA, packets), packets, p)} {
		require.True(t, Has(audio, 700))
		require.False(t, Has(audio, 1300))
	}
	eventually(t, a, func(st media.Stats) bool { return st.Strangers == packets-1 && st.PacketsIn == packets })
	require.Zero(t, a.Stats().Duplicate, "what a stranger sends uses up no number of the phone's")
}
