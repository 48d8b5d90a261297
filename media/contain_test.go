package media

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A fault in one stream's turn of the wheel closes that stream; the wheel turns on for the others.
func TestTurnContained(t *testing.T) {
	faults := make(chan string, 1)
	e, err := NewPortable(Options{
		Address: netip.MustParseAddr("127.0.0.1"), Ports: PortRange{18000, 18999},
		OnPanic: func(where string, v any) {
			require.Equal(t, "a fault", v)
			faults <- where
		},
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	told := make(chan struct{})
	faulty, err := e.Open(StreamOptions{OnFault: func() { close(told) }})
	require.NoError(t, err)
	other, err := e.Open(StreamOptions{})
	require.NoError(t, err)
	for _, s := range []Stream{faulty, other} {
		s.(*stream).do(func() {
			out := s.(*stream).line.out
			out.agree(&agreement{codec: PCMA, audio: 8, send: true})
			out.follow(anywhere)
			out.write = func([]byte, netip.AddrPort) bool { return s == other || func() bool { panic("a fault") }() }
		})
	}
	require.ErrorIs(t, faulty.Play(t.Context(), Tone(500, time.Minute)), ErrClosed)
	require.Equal(t, "media: turn", <-faults)
	<-told
	require.NoError(t, other.Play(t.Context(), Tone(500, 5*FrameDuration)))
	require.Equal(t, []*stream{other.(*stream)}, e.(*core).streams)
}
