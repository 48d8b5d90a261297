package mediatest

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/media"
)

// succeeded: a room takes the place of a bridge, and a bridge that of a room, between two packets: whoever is listened to
// notices nothing, however often. Each packet is passed on once and as it was, nothing is said in between, and the tap
// hears all of it; what was succeeded ends nothing any more.
func succeeded(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	a, p := stream(t, e, media.PCMA)
	b, q := stream(t, e, media.PCMA)
	c, _ := stream(t, e, media.PCMA)
	tap := &ear{}
	unbridge, err := e.Bridge(a, b, tap)
	require.NoError(t, err)
	p.Send(make([]byte, 16)) // after the silence that was sent before they were joined
	q.Until(audible)
	q.Send(make([]byte, 16))
	p.Until(audible)
	tap.side(t, media.SideA, 1)
	tap.side(t, media.SideB, 1)
	tap.clear()
	stop, turned := make(chan struct{}), make(chan turning, 1)
	go func() { turned <- turn(e, tap, unbridge, stop, a, b, c) }()
	const packets, size = 400, 16 // of 2 ms
	var said []byte
	beat := time.NewTicker(size * time.Second / media.SampleRate)
	defer beat.Stop()
	for n := range packets {
		audio := make([]byte, size)
		binary.BigEndian.PutUint32(audio, uint32(n))
		said = append(said, audio...)
		p.Send(audio)
		q.Send(audio)
		<-beat.C
	}
	close(stop)
	end := <-turned
	require.NoError(t, end.err)
	require.Positive(t, end.turns)
	for _, phone := range []*Phone{p, q} {
		got := phone.Take(packets)
		requireOneStream(t, got)
		require.Equal(t, said, joined(got))
	}
	require.Len(t, tap.side(t, media.SideA, packets), packets)
	require.Len(t, tap.side(t, media.SideB, packets), packets)
	end.unbridge()
	require.NoError(t, c.Play(t.Context(), media.Tone(500, 40*time.Millisecond)), "nobody has it any more")
}

// turning is how often a bridge became a room and that a bridge, the last one's end, and what went wrong.
type turning struct {
	turns    int
	unbridge func()
	err      error
}

// turn has a bridge become a room of three, and that a bridge, until stop is closed.
func turn(e media.Engine, tap media.Tap, unbridge func(), stop <-chan struct{}, three ...media.Stream) turning {
	for turns := 0; ; turns++ {
		select {
		case <-stop:
			return turning{turns: turns, unbridge: unbridge}
		default:
		}
		r, err := e.Mix(tap, parties(listening, three...)...)
		if err != nil {
			return turning{err: err}
		}
		unbridge()
		if unbridge, err = e.Bridge(three[0], three[1], tap); err != nil {
			return turning{err: err}
		}
		r.Close()
	}
}

// succeededOnlyByTheSame: what has a stream gives it to none but the two that it joins, in their order.
func succeededOnlyByTheSame(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	a, _ := stream(t, e, media.PCMA)
	b, _ := stream(t, e, media.PCMA)
	c, _ := stream(t, e, media.PCMA)
	d, _ := stream(t, e, media.PCMA)
	unbridge, err := e.Bridge(a, b, nil)
	require.NoError(t, err)
	for _, others := range [][]media.Stream{{b, a, c}, {a, c, b}, {c, a, b}, {a, c, d}} {
		_, err = e.Mix(nil, parties(listening, others...)...)
		require.ErrorIs(t, err, media.ErrBridged)
	}
	unbridgeOthers, err := e.Bridge(c, d, nil)
	require.NoError(t, err)
	_, err = e.Mix(nil, parties(listening, a, b, c)...)
	require.ErrorIs(t, err, media.ErrBridged, "the third is in another one")
	_, err = e.Bridge(a, b, nil)
	require.ErrorIs(t, err, media.ErrBridged, "and it stands as it did")
	unbridgeOthers()
	r, err := e.Mix(nil, parties(listening, a, b, c)...)
	require.NoError(t, err)
	unbridge()
	_, err = e.Mix(nil, parties(listening, a, b, d)...)
	require.ErrorIs(t, err, media.ErrBridged, "a room is no bridge")
	for _, two := range [][2]media.Stream{{b, a}, {a, c}, {b, c}, {a, d}} {
		_, err = e.Bridge(two[0], two[1], nil)
		require.ErrorIs(t, err, media.ErrBridged)
	}
	require.NoError(t, c.Close())
	unbridge, err = e.Bridge(a, b, nil)
	require.NoError(t, err, "of a room that its third has left")
	r.Close()
	_, err = e.Bridge(a, b, nil)
	require.ErrorIs(t, err, media.ErrBridged)
	unbridge()
	require.NoError(t, a.Play(t.Context(), media.Tone(500, 40*time.Millisecond)))
}
