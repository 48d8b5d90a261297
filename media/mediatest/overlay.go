package mediatest

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/media"
)

// toneAlone: a tone lies over what one party hears of the other, in the codec of each, and neither the other party
// nor the tap hears it. When it is over, packets pass as they are again.
func toneAlone(t *testing.T, newEngine Make) {
	t.Helper()
	for _, codec := range []media.Codec{media.PCMA, media.PCMU} {
		e := open(t, newEngine)
		a, p := stream(t, e, media.PCMA)
		b, q := stream(t, e, codec)
		tap := &ear{}
		unbridge, err := e.Bridge(a, b, tap)
		require.NoError(t, err)
		p.Say(media.Tone(700, 20*media.FrameDuration)) // ahead of the clock, so that nobody thinks it has stopped
		first := q.Take(20)
		b.Tone(media.Tone(1300, 10*media.FrameDuration))
		voice := media.Tone(700, 19*media.FrameDuration)
		p.Say(voice)
		q.Say(media.Tone(2100, 20*media.FrameDuration))
		atQ, atP := q.Take(19), p.Take(20)
		requireOneStream(t, append(first, atQ...))
		require.True(t, Has(q.Heard(atQ[:10]), 700), "the voice below it")
		require.True(t, Has(q.Heard(atQ[:10]), 1300))
		require.False(t, Has(p.Heard(atP), 1300), "not by the other party")
		require.False(t, Has(tapped(t, tap.side(t, media.SideA, 39)[20:], 19, p), 1300), "not by the tap")
		require.False(t, Has(tapped(t, tap.side(t, media.SideB, 20), 20, q), 1300))
		rest := atQ[10:]
		require.False(t, Has(q.Heard(rest), 1300), "nothing of it is left")
		if codec == media.PCMA {
			require.True(t, bytes.Equal(voice.ALaw[10*160:], joined(rest)), "bit by bit")
		}
		unbridge()
	}
}

// toneInSilence: a party who says nothing, or holds, sends nothing for a tone to lie over; it is heard all the
// same, within one stream, into which the voice then comes.
func toneInSilence(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	a, p := stream(t, e, media.PCMA)
	b, q := stream(t, e, media.PCMA)
	unbridge, err := e.Bridge(a, b, nil)
	require.NoError(t, err)
	defer unbridge()
	b.Tone(media.Tone(1300, 10*media.FrameDuration))
	lone := q.Take(10)
	require.True(t, Has(q.Heard(lone), 1300))
	p.Say(media.Tone(700, 10*media.FrameDuration))
	voice := q.Take(10)
	require.True(t, Has(q.Heard(voice), 700))
	require.False(t, Has(q.Heard(voice), 1300))
	requireOneStream(t, append(lone, voice...))

	// The voice stops, and a tone comes long after.
	<-time.After(500 * time.Millisecond)
	b.Tone(media.Tone(1300, 10*media.FrameDuration))
	late := q.Take(10)
	require.True(t, Has(q.Heard(late), 1300))
	requireOneStream(t, append(voice, late...))
	require.Zero(t, a.Stats().PacketsOut, "the other party is sent nothing")

	// Without a bridge it lies over what is played.
	unbridge()
	playing := start(t.Context(), b, media.Tone(500, 40*media.FrameDuration))
	q.Until(func(k Packet) bool { return Has(q.Heard([]Packet{k}), 500) })
	b.Tone(media.Tone(1300, 10*media.FrameDuration))
	q.Until(func(k Packet) bool { return Has(q.Heard([]Packet{k}), 1300) && Has(q.Heard([]Packet{k}), 500) })
	require.NoError(t, wait(t, playing))
}

// toneReplaced: a tone takes the place of the last, and an empty one ends it.
func toneReplaced(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	a, p := stream(t, e, media.PCMA)
	b, q := stream(t, e, media.PCMA)
	unbridge, err := e.Bridge(a, b, nil)
	require.NoError(t, err)
	defer unbridge()
	say := func(packets int) []byte {
		p.Say(media.Tone(700, time.Duration(packets)*media.FrameDuration))
		return q.Heard(q.Take(packets))
	}
	say(60) // ahead of the clock, so that nobody thinks it has stopped, however late the machine is
	b.Tone(media.Tone(1300, time.Second))
	require.True(t, Has(say(5), 1300))
	b.Tone(media.Tone(1900, time.Second))
	heard := say(5)
	require.True(t, Has(heard, 1900))
	require.False(t, Has(heard, 1300))
	b.Tone(media.Clip{})
	require.False(t, Has(say(5), 1900))
}
