package mediatest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/media"
)

// ownCodecs: a stream that is opened for some codecs offers and accepts no others, whatever the engine has.
func ownCodecs(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	a, err := e.Open(media.StreamOptions{Codecs: []media.Codec{media.PCMU}, Prefer: media.PCMA})
	require.NoError(t, err)
	offer, err := a.Offer()
	require.NoError(t, err)
	require.Contains(t, string(offer), "RTP/AVP 0 101")
	b, err := e.Open(media.StreamOptions{Codecs: []media.Codec{media.PCMA}})
	require.NoError(t, err)
	_, err = b.Answer(offer)
	require.ErrorIs(t, err, media.ErrNotAcceptable)
	c, err := e.Open(media.StreamOptions{})
	require.NoError(t, err)
	answer, err := c.Answer(offer)
	require.NoError(t, err)
	require.NoError(t, a.Accept(answer))
	require.Equal(t, media.PCMU, a.Codec())
	for _, s := range []media.Stream{a, b, c} {
		require.NoError(t, s.Close())
	}
}
