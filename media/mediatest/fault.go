package mediatest

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/media"
)

// broken is a tap with a fault.
type broken struct{}

func (broken) Frame(media.Frame) { panic("a tap with a fault") }

// faults: a tap or a key function that panics closes its stream, whose owner is told; the other streams go
// on, the far leg's among them.
func faults(t *testing.T, newEngine Make) {
	t.Helper()
	var panics atomic.Int32
	e := open(t, newEngine, func(o *media.Options) {
		o.OnPanic = func(where string, _ any) {
			if where != "" {
				panics.Add(1)
			}
		}
	})
	faulty := func() (media.Stream, *Phone, <-chan struct{}) {
		closed := make(chan struct{})
		s, err := e.Open(media.StreamOptions{OnFault: func() { close(closed) }})
		require.NoError(t, err)
		p := NewPhone(t, media.PCMA)
		p.Call(s)
		return s, p, closed
	}
	tone := media.Tone(700, media.FrameDuration)

	other, q := stream(t, e, media.PCMA)
	s, p, closed := faulty()
	unbridge, err := e.Bridge(s, other, broken{})
	require.NoError(t, err)
	p.Say(tone)
	wait(t, closed)
	require.ErrorIs(t, s.Play(t.Context(), tone), media.ErrClosed)
	unbridge()
	q.Until(audible)
	require.NoError(t, other.Play(t.Context(), tone), "the far leg is free of the bridge")

	s, p, closed = faulty()
	s.OnKey(func(media.Key) { panic("a key function with a fault") })
	p.Press(1, 3, nil)
	wait(t, closed)
	require.ErrorIs(t, s.Play(t.Context(), tone), media.ErrClosed)
	require.NoError(t, other.Play(t.Context(), tone))
	require.Equal(t, int32(2), panics.Load())
}
