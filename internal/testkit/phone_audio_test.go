package testkit

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAudioOf(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"v=0\r\nc=IN IP4 127.0.0.3\r\nt=0 0\r\nm=audio 4242 RTP/AVP 8\r\n": "127.0.0.3:4242",
		"v=0\r\nt=0 0\r\nm=audio 4242 RTP/AVP 8\r\nc=IN IP4 127.0.0.3\r\n": "127.0.0.3:4242",
		"v=0\r\nc=IN IP4 127.0.0.3\r\nm=audio 0 RTP/AVP 8\r\n":             "invalid AddrPort",
		"v=0\r\nc=IN IP4 hotline.example\r\nm=audio 4242 RTP/AVP 8\r\n":    "invalid AddrPort",
		"v=0\r\nc=IN IP4 127.0.0.3\r\nm=audio 70000 RTP/AVP 8\r\n":         "invalid AddrPort",
		"": "invalid AddrPort",
	} {
		require.Equal(t, want, audioOf(body).String(), body)
	}
}
