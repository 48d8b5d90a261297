package mediatest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/media"
)

// listen: a tap hears one stream alone, in A-law whatever is spoken, while the far end goes on being played to; when it
// was stopped it hears nothing more.
func listen(t *testing.T, newEngine Make) {
	t.Helper()
	for _, codec := range []media.Codec{media.PCMA, media.PCMU} {
		t.Run(string(codec), func(t *testing.T) {
			e := open(t, newEngine)
			s, p := stream(t, e, codec)
			tap := &ear{}
			stop, err := e.Listen(s, tap)
			require.NoError(t, err)
			_, err = e.Listen(s, tap)
			require.ErrorIs(t, err, media.ErrBridged)
			const packets = 20
			p.Say(media.Tone(700, packets*media.FrameDuration))
			frames := tap.side(t, media.SideA, packets)
			require.Len(t, frames, packets)
			for _, f := range frames {
				require.False(t, media.Silent(f.ALaw))
			}
			require.NoError(t, s.Play(t.Context(), media.Tone(1300, 5*media.FrameDuration)))
			stop()
			stop()
			p.Say(media.Tone(700, packets*media.FrameDuration))
			require.Eventually(t, func() bool { return s.Stats().PacketsIn >= 2*packets }, patience, media.FrameDuration)
			require.Len(t, tap.side(t, media.SideA, packets), packets)
			require.Empty(t, tap.side(t, media.SideB, 0))
			again, err := e.Listen(s, tap)
			require.NoError(t, err)
			require.NoError(t, s.Close())
			again()
			_, err = e.Listen(s, tap)
			require.ErrorIs(t, err, media.ErrClosed)
			other := open(t, newEngine)
			_, err = other.Listen(s, tap)
			require.ErrorIs(t, err, media.ErrForeign)
		})
	}
}
