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
		Address: netip.MustParseAddr("127.0.0.1"), Ports: freePorts(t, 100),
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

// faultyReports are sockets that RTCP cannot be sent from without a fault.
type faultyReports struct{ sockets }

func (faultyReports) report([]byte, netip.AddrPort) { panic("a fault") }

// A fault in sending a report ends one line, though its end would send another.
func TestReportContained(t *testing.T) {
	faults := make(chan string, 1)
	e, err := NewPortable(Options{
		Address: netip.MustParseAddr("127.0.0.1"), Ports: freePorts(t, 100),
		OnPanic: func(where string, _ any) { faults <- where },
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	told := make(chan struct{})
	opened, err := e.Open(StreamOptions{OnFault: func() { close(told) }})
	require.NoError(t, err)
	s := opened.(*stream)
	s.do(func() {
		s.line.sockets = faultyReports{s.line.sockets}
		s.line.out.agree(&agreement{codec: PCMA, audio: 8, send: true, rtcp: anywhere})
		s.line.out.packets, s.line.untilReport = 1, 1
	})
	require.Equal(t, "media: turn", <-faults)
	<-told
	require.ErrorIs(t, s.Play(t.Context(), Tone(500, time.Minute)), ErrClosed)
	require.Empty(t, e.(*core).streams)
}

// A fault in what is asked of a line ends that line, on either engine.
func TestCommandContained(t *testing.T) {
	for name, newEngine := range map[string]func(Options) (Engine, error){"portable": NewPortable, "best": New} {
		t.Run(name, func(t *testing.T) {
			faults := make(chan string, 1)
			e, err := newEngine(Options{
				Address: netip.MustParseAddr("127.0.0.1"), Ports: freePorts(t, 100),
				OnPanic: func(where string, _ any) { faults <- where },
			})
			require.NoError(t, err)
			defer func() { require.NoError(t, e.Close()) }()
			told := make(chan struct{})
			s, err := e.Open(StreamOptions{OnFault: func() { close(told) }})
			require.NoError(t, err)
			require.NotPanics(t, func() { s.(*stream).do(func() { panic("a fault") }) })
			require.Equal(t, "media: command", <-faults)
			<-told
			require.ErrorIs(t, s.Play(t.Context(), Tone(500, time.Minute)), ErrClosed)
		})
	}
}
