package mediatest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/media"
)

// loop is a tone that never ends.
func loop(freq float64) media.Clip {
	c := media.Tone(freq, time.Second)
	c.Loop = true
	return c
}

func playPaced(t *testing.T, newEngine Make) {
	t.Helper()
	for _, codec := range []media.Codec{media.PCMA, media.PCMU} {
		s, p := stream(t, open(t, newEngine), codec)
		began := time.Now()
		// 20 packets and a piece of one
		require.NoError(t, s.Play(t.Context(), media.Tone(1000, 405*time.Millisecond)))
		took := time.Since(began)
		packets := p.Take(22)
		require.True(t, packets[21].Silent(), "silence follows the clip")
		packets = packets[:21]
		requireOneStream(t, packets)
		for i, packet := range packets {
			require.Len(t, packet.Audio, 160)
			require.Equal(t, p.Number, packet.Payload)
			// An engine that was held up leaves out the time that it lost, and says so.
			late := i > 0 && packet.Timestamp != packets[i-1].Timestamp+160
			require.Equal(t, i == 0 || late, packet.Marker, "marker of packet %d", i)
			require.False(t, packet.Silent())
		}
		lasted := time.Duration(packets[20].Timestamp-packets[0].Timestamp) * time.Second / media.SampleRate
		// One that is in arrears when the clip begins may send its 400 ms in less.
		require.LessOrEqual(t, lasted, max(took, 400*time.Millisecond)+2*media.FrameDuration, "no more is left out than was lost")
		require.Equal(t, s.Local(), packets[0].From)
		heard := p.Heard(packets)
		require.True(t, Has(heard, 1000))
		require.False(t, Has(heard, 700))
		// The last of 21 packets is due 400 ms after the first. On a machine with much else to do an
		// engine may begin late and make up for it; that it never ends early by more than that, and
		// that it is not drawn out, is what can be asked of every machine.
		require.GreaterOrEqual(t, took, 300*time.Millisecond)
		require.Less(t, took, patience)
	}
}

func playJoins(t *testing.T, newEngine Make) {
	t.Helper()
	s, p := stream(t, open(t, newEngine), media.PCMA)
	clips := []media.Clip{
		media.Tone(500, 101*time.Millisecond), {Name: "empty"}, {Name: "empty", Loop: true}, media.Tone(1500, 99*time.Millisecond),
	}
	require.NoError(t, s.Play(t.Context(), clips...))
	heard := p.Heard(p.Take(10))
	want := append(append([]byte(nil), clips[0].ALaw...), clips[3].ALaw...)
	require.Equal(t, want, heard, "not a sample between, before or after")
	require.NoError(t, s.Play(t.Context()), "nothing to play")
	require.NoError(t, s.Play(t.Context(), media.Clip{Loop: true}), "nothing to play, for ever")
}

func playBargeIn(t *testing.T, newEngine Make) {
	t.Helper()
	s, p := stream(t, open(t, newEngine), media.PCMA)
	ctx, cancel := context.WithCancelCause(t.Context())
	done := start(ctx, s, loop(1000))
	p.Until(audible)
	cancel(errBargeIn)
	require.ErrorIs(t, wait(t, done), errBargeIn)
	p.Until(Packet.Silent)
	require.Empty(t, audibles(p.Take(5)), "not another sound of it")
	require.ErrorIs(t, s.Play(ctx, loop(1000)), errBargeIn, "a context that is over plays nothing")
}

func audibles(packets []Packet) (loud []Packet) {
	for _, packet := range packets {
		if audible(packet) {
			loud = append(loud, packet)
		}
	}
	return loud
}

func playReplaced(t *testing.T, newEngine Make) {
	t.Helper()
	s, p := stream(t, open(t, newEngine), media.PCMA)
	first := start(t.Context(), s, loop(600))
	p.Until(audible)
	second := start(t.Context(), s, media.Tone(1700, 200*time.Millisecond))
	require.ErrorIs(t, wait(t, first), media.ErrReplaced)
	require.NoError(t, wait(t, second))
	packets := p.Until(Packet.Silent)
	heard := p.Heard(packets[max(0, len(packets)-8) : len(packets)-1])
	require.True(t, Has(heard, 1700))
	require.False(t, Has(heard, 600))
}

func playClosed(t *testing.T, newEngine Make) {
	t.Helper()
	s, p := stream(t, open(t, newEngine), media.PCMA)
	done := start(t.Context(), s, loop(600))
	p.Until(audible)
	require.NoError(t, s.Close())
	require.ErrorIs(t, wait(t, done), media.ErrClosed)
	require.ErrorIs(t, s.Play(t.Context(), loop(600)), media.ErrClosed)
}

func silenceIdle(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	s, err := e.Open(media.StreamOptions{})
	require.NoError(t, err)
	p := NewPhone(t, media.PCMA)
	_, err = s.Offer()
	require.NoError(t, err)
	require.NoError(t, s.Accept(p.Describe()), "an agent's phone answers")
	packets := p.Take(5)
	requireOneStream(t, packets)
	require.Empty(t, audibles(packets))
	require.True(t, packets[0].Marker)
}

func silenceBefore(t *testing.T, newEngine Make) {
	t.Helper()
	s, p := stream(t, open(t, newEngine), media.PCMA)
	other, q := stream(t, open(t, newEngine), media.PCMA)
	require.NoError(t, other.Play(t.Context(), media.Tone(600, 100*time.Millisecond)))
	q.Take(5)
	require.Zero(t, s.Stats().PacketsOut, "a caller to whom nothing was played, and who sent nothing")
	p.Send(media.Tone(600, 20*time.Millisecond).ALaw)
	require.True(t, p.Next().Silent(), "but one who sends has answered ears")
}
