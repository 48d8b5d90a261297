package mediatest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/media"
)

// ear is a tap that keeps what it hears.
type ear struct {
	mu     sync.Mutex
	frames [2][]media.Frame
}

func (e *ear) Frame(f media.Frame) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f.ALaw = append([]byte(nil), f.ALaw...)
	e.frames[f.Side] = append(e.frames[f.Side], f)
}

// side waits for n frames of one side, and returns all there are: a tap may hear a packet after the far
// end has it.
func (e *ear) side(t *testing.T, s media.Side, n int) (frames []media.Frame) {
	t.Helper()
	require.Eventually(t, func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		frames = append(frames[:0], e.frames[s]...)
		return len(frames) >= n
	}, patience, time.Millisecond)
	return frames
}

func bridgeBothWays(t *testing.T, newEngine Make) {
	t.Helper()
	for _, codecs := range [][2]media.Codec{
		{media.PCMA, media.PCMA}, {media.PCMA, media.PCMU}, {media.PCMU, media.PCMA}, {media.PCMU, media.PCMU},
	} {
		t.Run(fmt.Sprintf("%s and %s", codecs[0], codecs[1]), func(t *testing.T) {
			e := open(t, newEngine)
			a, p := stream(t, e, codecs[0])
			b, q := stream(t, e, codecs[1])
			tap := &ear{}
			unbridge, err := e.Bridge(a, b, tap)
			require.NoError(t, err)
			defer unbridge()
			const packets = 50
			p.Say(media.Tone(700, packets*media.FrameDuration))
			q.Say(media.Tone(1300, packets*media.FrameDuration))
			atQ, atP := q.Take(packets), p.Take(packets)
			requireOneStream(t, atP)
			requireOneStream(t, atQ)
			for _, heard := range []struct {
				audio      []byte
				has, hasNo float64
			}{
				{q.Heard(atQ), 700, 1300},
				{p.Heard(atP), 1300, 700},
				{tapped(t, tap.side(t, media.SideA, packets), packets, p), 700, 1300},
				{tapped(t, tap.side(t, media.SideB, packets), packets, q), 1300, 700},
			} {
				require.True(t, Has(heard.audio, heard.has))
				require.False(t, Has(heard.audio, heard.hasNo))
			}
			if codecs[0] == codecs[1] {
				require.Equal(t, coded(media.Tone(700, packets*media.FrameDuration).ALaw, q.Codec),
					joined(atQ), "the same codec passes bit by bit")
			}
		})
	}
}

func joined(packets []Packet) (audio []byte) {
	for _, p := range packets {
		audio = append(audio, p.Audio...)
	}
	return audio
}

// tapped checks frames against what a phone sent, and joins their audio.
func tapped(t *testing.T, frames []media.Frame, n int, from *Phone) (alaw []byte) {
	t.Helper()
	require.Len(t, frames, n)
	for i, f := range frames {
		require.Equal(t, from.SSRC, f.SSRC)
		require.Equal(t, from.Sequence-uint16(n-i), f.Sequence)
		require.Equal(t, from.Timestamp-uint32(160*(n-i)), f.Timestamp)
		require.WithinDuration(t, time.Now(), f.At, time.Minute)
		alaw = append(alaw, f.ALaw...)
	}
	return alaw
}

// gate is a tap that may be called only until it is shut.
type gate struct {
	shut, late atomic.Bool
	calls      atomic.Int64
}

func (g *gate) Frame(media.Frame) {
	g.calls.Add(1)
	if g.shut.Load() {
		g.late.Store(true)
	}
}

func bridgeOver(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	a, p := stream(t, e, media.PCMA)
	b, _ := stream(t, e, media.PCMA)
	for range 20 {
		tap := &gate{}
		unbridge, err := e.Bridge(a, b, tap)
		require.NoError(t, err)
		p.Say(media.Tone(700, 400*time.Millisecond))
		require.Eventually(t, func() bool { return tap.calls.Load() > 0 }, patience, 100*time.Microsecond)
		before := a.Stats().PacketsIn
		unbridge() // while packets are under way
		tap.shut.Store(true)
		unbridge() // again does nothing
		p.Say(media.Tone(700, 100*time.Millisecond))
		eventually(t, a, func(s media.Stats) bool { return s.PacketsIn >= before+5 })
		require.False(t, tap.late.Load(), "the tap was called after the bridge was over")
	}
	require.NoError(t, a.Play(t.Context(), media.Tone(500, 40*time.Millisecond)), "ready to play again")
}

func bridgeRefuses(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	a, _ := stream(t, e, media.PCMA)
	b, _ := stream(t, e, media.PCMA)
	c, _ := stream(t, e, media.PCMA)
	foreign, _ := stream(t, open(t, newEngine), media.PCMA)
	unbridge, err := e.Bridge(a, b, nil)
	require.NoError(t, err)
	require.ErrorIs(t, a.Play(t.Context(), loop(500)), media.ErrReplaced, "the bridge has the stream")
	for _, pair := range [][2]media.Stream{{a, c}, {c, b}} {
		_, err = e.Bridge(pair[0], pair[1], nil)
		require.ErrorIs(t, err, media.ErrBridged)
	}
	unbridge()
	for _, pair := range [][2]media.Stream{{a, a}, {a, foreign}, {foreign, a}, {a, nil}} {
		_, err = e.Bridge(pair[0], pair[1], nil)
		require.ErrorIs(t, err, media.ErrForeign)
	}
	require.NoError(t, c.Close())
	for _, pair := range [][2]media.Stream{{a, c}, {c, b}} {
		_, err = e.Bridge(pair[0], pair[1], nil)
		require.ErrorIs(t, err, media.ErrClosed)
	}
	unbridge, err = e.Bridge(a, b, nil)
	require.NoError(t, err, "what was refused left nothing behind")
	unbridge()
}

func bridgeClosed(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	a, _ := stream(t, e, media.PCMA)
	b, q := stream(t, e, media.PCMA)
	playing := start(t.Context(), b, loop(500))
	q.Until(audible)
	unbridge, err := e.Bridge(a, b, nil)
	require.NoError(t, err)
	require.ErrorIs(t, wait(t, playing), media.ErrReplaced)
	require.NoError(t, a.Close())
	require.NoError(t, b.Play(t.Context(), media.Tone(900, 100*time.Millisecond)), "the one left can be played to")
	unbridge()
}

func bridgeKeys(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	a, p := stream(t, e, media.PCMA)
	b, err := e.Open(media.StreamOptions{})
	require.NoError(t, err)
	q := NewPhone(t, media.PCMU)
	q.Number, q.Event = 96, 97
	q.Call(b)
	tap := &ear{}
	unbridge, err := e.Bridge(a, b, tap)
	require.NoError(t, err)
	defer unbridge()
	p.Say(media.Tone(700, 100*time.Millisecond))
	p.Press(5, 4, nil)
	p.Say(media.Tone(700, 100*time.Millisecond))
	packets := q.Take(5 + 6 + 5)
	for i := 1; i < len(packets); i++ {
		require.Equal(t, packets[i-1].Sequence+1, packets[i].Sequence)
		require.Equal(t, packets[0].SSRC, packets[i].SSRC)
	}
	require.Equal(t, uint8(96), packets[0].Payload)
	for i, packet := range packets[5:11] {
		require.Equal(t, uint8(97), packet.Payload, "the far end's number")
		require.Equal(t, packets[4].Timestamp+160, packet.Timestamp, "of the event's beginning")
		require.Equal(t, i == 0, packet.Marker)
		require.Equal(t, byte(5), packet.Audio[0])
	}
	require.Equal(t, packets[5].Timestamp+4*160, packets[11].Timestamp)
	require.Len(t, tap.side(t, media.SideA, 10), 10, "the tap hears audio only")
}

func bridgeGaps(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	a, p := stream(t, e, media.PCMA)
	b, q := stream(t, e, media.PCMA)
	unbridge, err := e.Bridge(a, b, nil)
	require.NoError(t, err)
	defer unbridge()
	first, begin := p.Sequence, p.Timestamp
	tone := media.Tone(700, media.FrameDuration).ALaw
	order := []uint16{0, 1, 3, 2, 6, 6, 7} // swapped, lost, repeated
	for _, i := range order {
		p.Sequence, p.Timestamp = first+i, begin+160*uint32(i)
		p.Send(tone)
	}
	var got []uint16
	packets := q.Take(6)
	for _, packet := range packets {
		i := packet.Sequence - packets[0].Sequence
		got = append(got, i)
		require.Equal(t, packets[0].Timestamp+160*uint32(i), packet.Timestamp)
	}
	require.Equal(t, []uint16{0, 1, 3, 2, 6, 7}, got)
}

func continuity(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	a, p := stream(t, e, media.PCMU)
	b, q := stream(t, e, media.PCMA)
	require.NoError(t, b.Play(t.Context(), media.Tone(500, 100*time.Millisecond)))
	heard := q.Take(5)
	for range 3 { // each time from another place in the sender's numbers
		unbridge, err := e.Bridge(a, b, nil)
		require.NoError(t, err)
		p.SSRC, p.Sequence, p.Timestamp = p.SSRC+1, p.Sequence*31, p.Timestamp*77
		p.Say(media.Tone(1500, 200*time.Millisecond))
		heard = append(heard, q.Until(func(packet Packet) bool { return Has(q.Heard([]Packet{packet}), 1500) })...)
		heard = append(heard, q.Take(9)...)
		unbridge()
		require.NoError(t, b.Play(t.Context(), media.Tone(500, 100*time.Millisecond)))
		heard = append(heard, q.Until(func(packet Packet) bool { return Has(q.Heard([]Packet{packet}), 500) })...)
	}
	requireOneStream(t, heard)
	require.Equal(t, uint8(8), heard[len(heard)-1].Payload)
	// The far end's clock and ours agree: our timestamps stand for time, with the pauses in them. The
	// phone spoke 200 ms in an instant, three times, which is audio ahead of time.
	elapsed := heard[len(heard)-1].At.Sub(heard[0].At)
	stamped := time.Duration(heard[len(heard)-1].Timestamp-heard[0].Timestamp) * time.Second / media.SampleRate
	require.InDelta(t, elapsed.Seconds(), stamped.Seconds(), 2)
}
