package mediatest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/media"
)

// resume: what a new stream of another engine sends goes on where the old one was, through play and bridge.
func resume(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	a, p := stream(t, e, media.PCMA)
	b, q := stream(t, e, media.PCMA)
	require.NoError(t, b.Play(t.Context(), media.Tone(500, 100*time.Millisecond)))
	unbridge, err := e.Bridge(a, b, nil)
	require.NoError(t, err)
	p.Say(media.Tone(700, 10*media.FrameDuration))
	var last Packet
	q.Until(func(k Packet) bool {
		last = k
		return Has(q.Heard([]Packet{k}), 700)
	})
	last = q.Take(9)[8]
	unbridge()
	require.NoError(t, b.Close())
	kept := b.Offsets()
	require.Equal(t, last.SSRC, kept.SSRC)
	require.NoError(t, e.Close())

	e = open(t, newEngine)
	again, err := e.Open(media.StreamOptions{Resume: &kept})
	require.NoError(t, err)
	q.Call(again)
	require.NoError(t, again.Play(t.Context(), media.Tone(500, 100*time.Millisecond)))
	next := q.Until(func(k Packet) bool { return k.From == again.Local() })
	packets := append(next[len(next)-1:], q.Take(3)...)
	requireOneStream(t, packets)
	first := packets[0]
	require.Equal(t, last.SSRC, first.SSRC)
	require.Positive(t, int16(first.Sequence-last.Sequence))
	require.Less(t, first.Sequence-last.Sequence, uint16(patience/media.FrameDuration))
	require.GreaterOrEqual(t, int32(first.Timestamp-last.Timestamp), int32(160))
	require.Less(t, first.Timestamp-last.Timestamp, uint32(patience*media.SampleRate/time.Second))
}
