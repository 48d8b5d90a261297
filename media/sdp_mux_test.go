package media

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// RFC 5761 section 5.1.1: RTCP shares the port of RTP where the far end offers it, and in later offers of ours then;
// never else.
func TestMux(t *testing.T) {
	remote := netip.MustParseAddrPort("192.0.2.7:4000")
	muxed := func(b []byte) bool { return strings.Contains(string(b), "\r\na=rtcp-mux\r\n") }
	offered := describe("m=audio 4000 RTP/AVP 8 101", "a=rtpmap:101 telephone-event/8000", "a=rtcp:4003", "a=rtcp-mux")

	n := testNegotiator()
	answer, a, err := n.answer(offered)
	require.NoError(t, err)
	require.True(t, muxed(answer))
	require.True(t, a.mux)
	require.Equal(t, remote, a.rtcp)
	again := n.offer()
	require.True(t, muxed(again), "to go on sharing it must be offered again")
	a, err = n.accept(describe("m=audio 4000 RTP/AVP 8", "a=rtcp-mux"))
	require.NoError(t, err)
	require.True(t, a.mux)
	require.True(t, muxed(n.again()))
	a, err = n.accept(describe("m=audio 4000 RTP/AVP 8"))
	require.NoError(t, err)
	require.False(t, a.mux, "the far end has had enough of it")
	require.Equal(t, netip.MustParseAddrPort("192.0.2.7:4001"), a.rtcp)
	require.False(t, muxed(n.offer()))

	n = testNegotiator()
	answer, a, err = n.answer(describe("m=audio 4000 RTP/AVP 8"))
	require.NoError(t, err)
	require.False(t, muxed(answer))
	require.False(t, a.mux)

	n = testNegotiator()
	require.False(t, muxed(n.offer()), "not offered at first")
	a, err = n.accept(describe("m=audio 4000 RTP/AVP 8", "a=rtcp:4003", "a=rtcp-mux"))
	require.NoError(t, err)
	require.False(t, a.mux, "an answer must not bring in what was not offered")
	require.Equal(t, netip.MustParseAddrPort("192.0.2.7:4003"), a.rtcp)
}

// RFC 5761 section 4: payload types 64 to 95 cannot share a port with RTCP.
func TestMuxNotWithMistakableTypes(t *testing.T) {
	for payload, mux := range map[string]bool{"63": true, "64": false, "95": false, "96": true} {
		for _, lines := range [][]string{
			{"m=audio 4000 RTP/AVP " + payload, "a=rtpmap:" + payload + " PCMA/8000", "a=rtcp-mux"},
			{"m=audio 4000 RTP/AVP 8 " + payload, "a=rtpmap:" + payload + " telephone-event/8000", "a=rtcp-mux"},
			{"m=audio 4000 RTP/AVP 8 " + payload, "a=rtpmap:" + payload + " CN/8000", "a=rtcp-mux"},
		} {
			_, a, err := testNegotiator().answer(describe(lines...))
			require.NoError(t, err)
			require.Equal(t, mux, a.mux, "%v", lines)
		}
	}
}
