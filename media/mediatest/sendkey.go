package mediatest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/media"
)

// keysSent: a key of ours is one event on the wire, with the numbers of the stream that goes on around it
// (RFC 4733 section 2.5.1).
func keysSent(t *testing.T, newEngine Make) {
	t.Helper()
	s, p := stream(t, open(t, newEngine), media.PCMA)
	require.ErrorIs(t, s.SendKey(t.Context(), 'x'), media.ErrNoKeys)
	playing := start(t.Context(), s, media.Tone(440, 10*media.FrameDuration*100))
	p.Until(audible)
	require.NoError(t, s.SendKey(t.Context(), '#'))
	require.ErrorIs(t, wait(t, playing), media.ErrReplaced)

	isEvent := func(k Packet) bool { return k.Payload == p.Event }
	before := p.Until(isEvent)
	events := append([]Packet{before[len(before)-1]}, p.Take(7)...)
	for i, k := range events {
		require.Equal(t, p.Event, k.Payload, "packet %d", i)
		require.Equal(t, events[0].Timestamp, k.Timestamp, "packet %d", i)
		require.Equal(t, events[0].Sequence+uint16(i), k.Sequence, "packet %d", i)
		require.Equal(t, i == 0, k.Marker, "packet %d", i)
		require.Equal(t, byte(11), k.Audio[0], "the event's number")
		require.Equal(t, i >= 5, k.Audio[1]&0x80 != 0, "end bit of packet %d", i)
		require.Equal(t, 160*min(i+1, 5), int(k.Audio[2])<<8|int(k.Audio[3]), "duration of packet %d", i)
	}
	after := p.Take(1)[0]
	require.Equal(t, events[7].Sequence+1, after.Sequence)
	// Not before: an engine that was held up leaves out the time that it lost.
	require.GreaterOrEqual(t, int32(after.Timestamp-events[0].Timestamp), int32(8*160), "audio goes on where the event ends")

	gone, leave := context.WithCancelCause(t.Context())
	leave(errBargeIn)
	require.ErrorIs(t, s.SendKey(gone, '1'), errBargeIn)
}
