package sip

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestThroughEdgeRedirected: a phone at another node may have the caller at another line of its own, and nowhere else.
func TestThroughEdgeRedirected(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, network string) {
		t.Helper()
		s := newSiteRig(t, network, nil)
		out := s.rings(t.Context(), s.owner, s.claim(), nil)
		inv := s.phone.expect("INVITE", "INVITE")
		_, at, _ := strings.Cut(strings.Fields(inv.start)[1], "@")
		s.phone.answers(inv, 302, "", "Contact: <sip:line2@"+at+">")
		s.phone.expect("ACK", "ACK")
		again := s.phone.expect("INVITE sip:line2@"+at, "INVITE")
		s.phone.answers(again, 200, sdpGood)
		s.phone.expect("ACK", "ACK")
		next(t, out).leg.Hangup(call.CauseBye)
		s.phone.respond(s.phone.expect("BYE", "BYE"), 200, "OK", "", "")
		s.free(t)

		for _, elsewhere := range []string{"sip:13900001234@192.0.2.1", "sip:line2@192.0.2.1:5060", "sip:8001@192.0.2.1", "tel:+8613900001234"} {
			out = s.rings(t.Context(), s.owner, s.claim(), nil)
			inv = s.phone.expect("INVITE", "INVITE")
			s.phone.answers(inv, 302, "", "Contact: <"+elsewhere+">")
			s.phone.expect("ACK", "ACK")
			if strings.HasPrefix(elsewhere, "sip:8001@") { // the agent's own name is the agent's own phone
				inv = s.phone.expect("INVITE "+strings.Fields(inv.start)[1], "INVITE")
				s.phone.answers(inv, 302, "", "Contact: <"+elsewhere+">")
				s.phone.expect("ACK", "ACK")
			}
			var e *call.RingError
			require.ErrorAs(t, next(t, out).err, &e)
			require.Equal(t, call.CauseDeclined, e.Why, elsewhere)
			require.False(t, e.Unsure)
			s.free(t)
		}
	})
}
