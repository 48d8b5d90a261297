package media

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A sender report may be due in the instant in which a later offer is settled.
func TestReportDuringReoffer(t *testing.T) {
	e, err := NewPortable(Options{Address: netip.MustParseAddr("127.0.0.1"), Ports: freePorts(t, 10), Codecs: []Codec{PCMA}})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	opened, err := e.Open(StreamOptions{Signalling: netip.MustParseAddr("127.0.0.1")})
	require.NoError(t, err)
	s := opened.(*stream)
	const offer = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 41020 RTP/AVP 8\r\n"
	_, err = s.Answer([]byte(offer))
	require.NoError(t, err)
	s.do(func() { s.line.out.frame(time.Now(), make([]byte, 160), true) })
	var both sync.WaitGroup
	both.Go(func() {
		for range 50 {
			s.do(func() { s.line.report(time.Now()) })
		}
	})
	for range 50 {
		_, commit, err := s.Propose([]byte(offer))
		require.NoError(t, err)
		commit()
	}
	both.Wait()
}
