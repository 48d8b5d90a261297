package mediatest

import (
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/media"
)

// flood: a stranger who sends to one port as fast as the machine lets them costs another call neither a packet nor
// its order, and does not stop what is played.
func flood(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	victim, _ := stream(t, e, media.PCMA)
	a, p := stream(t, e, media.PCMA)
	b, q := stream(t, e, media.PCMA)
	unbridge, err := e.Bridge(a, b, nil)
	require.NoError(t, err)
	defer unbridge()
	played, r := stream(t, e, media.PCMA)

	stranger, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(victim.Local()))
	require.NoError(t, err)
	over := make(chan struct{})
	var flooding sync.WaitGroup
	flooding.Go(func() {
		packet := make([]byte, 172)
		packet[0], packet[1] = 0x80, 8
		for {
			select {
			case <-over:
				return
			default:
				_, _ = stranger.Write(packet)
			}
		}
	})
	defer func() {
		close(over)
		flooding.Wait()
		require.NoError(t, stranger.Close())
	}()
	eventually(t, victim, func(s media.Stats) bool { return s.Strangers > 100 })
	playing := start(t.Context(), played, media.Tone(500, 20*media.FrameDuration))
	tone := media.Tone(700, media.FrameDuration).ALaw
	var heard []Packet
	for range 50 { // one at a time: what a socket's queue holds is the system's
		p.Send(tone)
		heard = append(heard, q.Next())
	}
	requireOneStream(t, heard)
	require.NoError(t, wait(t, playing))
	requireOneStream(t, r.Take(20))
	require.Zero(t, b.Stats().Lost)
}

// comeAndGo: calls that begin, are bridged, played to and end, many at once, leave nothing behind: the ports can all
// be had again. What else they must not leave is the engines' own tests' to see (goleak, descriptors, memory).
func comeAndGo(t *testing.T, newEngine Make) {
	t.Helper()
	const pairs = 40
	e := open(t, newEngine, func(o *media.Options) {
		o.Ports, o.Rest = freePorts(t, 2*pairs), 0
	})
	p := NewPhone(t, media.PCMA)
	Churn(t, e, p.Describe(), 10, 30)
	var all []media.Stream
	s, err := e.Open(media.StreamOptions{})
	for ; err == nil; s, err = e.Open(media.StreamOptions{}) {
		all = append(all, s)
	}
	require.ErrorIs(t, err, media.ErrNoPorts)
	require.Greater(t, len(all), pairs/2, "other programs may hold some")
	for _, s := range all {
		require.NoError(t, s.Close())
	}
}

// Churn has so many goroutines at once open, bridge, play to and close streams towards a far end, each so many times.
func Churn(t *testing.T, e media.Engine, farEnd []byte, atOnce, times int) {
	t.Helper()
	errs := make(chan error, atOnce)
	for range atOnce {
		go func() {
			var err error
			for range times {
				if err = call(t, e, farEnd); err != nil {
					break
				}
			}
			errs <- err
		}()
	}
	for range atOnce {
		require.NoError(t, wait(t, errs))
	}
}

// call is one call: two streams, a prompt, a bridge, and the end, by one leg or the other.
func call(t *testing.T, e media.Engine, farEnd []byte) error {
	t.Helper()
	var legs [2]media.Stream
	for i := range legs {
		s, err := e.Open(media.StreamOptions{})
		if err != nil {
			return fmt.Errorf("open: %w", err)
		}
		defer func() { _ = s.Close() }()
		if _, err := s.Answer(farEnd); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
		legs[i] = s
	}
	if err := legs[0].Play(t.Context(), media.Tone(500, media.FrameDuration)); err != nil {
		return fmt.Errorf("play: %w", err)
	}
	unbridge, err := e.Bridge(legs[0], legs[1], &gate{})
	if err != nil {
		return fmt.Errorf("bridge: %w", err)
	}
	if err := legs[1].Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	unbridge()
	return nil
}
