package media_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
	"hotline/media"
	"hotline/media/mediatest"
)

// A stream is of several captures at a time, each of which has all that comes and is sent as it is on the wire; of none once
// they are released, or it is closed.
func TestCaptureOfAStream(t *testing.T) {
	t.Parallel()
	for name, newEngine := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lo := uint16(testkit.FreePorts(t, 20))
			e, err := newEngine(media.Options{
				Address: netip.MustParseAddr("127.0.0.1"), Ports: media.PortRange{Lo: lo, Hi: lo + 19}, Rest: time.Millisecond,
			})
			require.NoError(t, err)
			defer func() { require.NoError(t, e.Close()) }()
			s, err := e.Open(media.StreamOptions{})
			require.NoError(t, err)
			p := mediatest.NewPhone(t, media.PCMA)
			p.Call(s)
			one := s.(media.Capturing) //nolint:forcetypeassert // every stream is
			c := media.NewCapture()
			require.True(t, one.Capture(c))
			require.True(t, one.Capture(c), "again")
			beside := []*media.Capture{media.NewCapture(), media.NewCapture(), media.NewCapture()}
			for _, other := range beside {
				require.True(t, one.Capture(other))
			}
			require.False(t, one.Capture(media.NewCapture()), "so many have it already")
			p.Send(make([]byte, 160))
			p.Take(3) // of what the stream sends from then on
			var in, out int
			testkit.Within(t, testkit.Patience, "packets both ways", func() bool {
				c.Take(func(got media.Captured) {
					require.Equal(t, s.Local(), got.Local)
					require.Equal(t, p.Address(), got.Remote)
					require.EqualValues(t, 2, got.Data[0]>>6)
					if got.Received {
						in++
						require.Len(t, got.Data, 172)
					} else {
						out++
					}
				})
				return in >= 1 && out >= 3
			})
			for _, other := range beside {
				var came, went int
				other.Take(func(got media.Captured) {
					if got.Received {
						came++
					} else {
						went++
					}
				})
				require.GreaterOrEqual(t, came, 1)
				require.GreaterOrEqual(t, went, 3)
			}
			one.Release(media.NewCapture()) // not its
			require.False(t, one.Capture(media.NewCapture()))
			for _, gone := range append(beside[1:], c) {
				one.Release(gone)
			}
			c.Take(func(media.Captured) {})
			beside[0].Take(func(media.Captured) {})
			p.Send(make([]byte, 160))
			p.Take(3)
			left := 0
			testkit.Within(t, testkit.Patience, "packets for who has it still, whoever else has released it", func() bool { // the phone may have had its own before
				beside[0].Take(func(media.Captured) { left++ })
				return left >= 3
			})
			c.Take(func(media.Captured) { t.Error("captured after it was released") })
			other := media.NewCapture()
			require.True(t, one.Capture(other))
			require.NoError(t, s.Close())
			require.False(t, one.Capture(other), "it is closed")
		})
	}
}
