package sip

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestThroughEdgeByWebSocket: a page that is registered at another node is rung and hung up through it, by the WebSocket that
// the page made there.
func TestThroughEdgeByWebSocket(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"ws", "wss"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			s := newSiteRig(t, network, listensWS(t, nil))
			out := s.rings(t.Context(), s.owner, s.claim(), nil)
			inv := s.phone.expect("INVITE sip:8001@"+s.phone.addr(), "INVITE")
			via := "SIP/2.0/" + strings.ToUpper(network) + " " + s.phone.to.String()
			require.True(t, strings.HasPrefix(inv.headers["via"][0], via), inv.headers["via"])
			require.Contains(t, inv.headers["record-route"][0], s.phone.to.String()+";transport=ws;lr>")
			s.phone.answers(inv, 200, sdpGood)
			s.phone.expect("ACK sip:8001@"+s.phone.addr(), "ACK")
			got := next(t, out)
			require.NoError(t, got.err)
			got.leg.Hangup(call.CauseBye)
			bye := s.phone.expect("BYE sip:8001@"+s.phone.addr(), "BYE")
			require.True(t, strings.HasPrefix(bye.headers["via"][0], via), bye.headers["via"])
			s.phone.respond(bye, 200, "OK", "", "")
			s.free(t)
		})
	}
}
