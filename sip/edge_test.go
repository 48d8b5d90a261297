package sip

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// Behind an edge proxy callers and agents are one source: whoever claims to be an agent registered there is asked for
// proof, and others are the trunk's. What came through no proxy is the phone's own, and an agent's alone; so is all from
// a source that is no trunk's.
func TestAgentsAndCallersAtOneSource(t *testing.T) {
	t.Parallel()
	got := make(chan call.Incoming, 1)
	for name, trunk := range map[string]bool{"a trunk's": true, "no trunk's": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(o *Options) {
				if !trunk {
					o.Trunks[0].Allow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
				}
				o.OnIncoming = func(_ context.Context, in call.Incoming) {
					got <- in
					in.Leg.Hangup(call.CauseDeclined)
				}
			})
			p := newPeer(t, "udp", r.udp())
			p.register(r)
			const behind = "Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKbehind"
			agent := p.dialog(testNumber)
			agent.seq++
			p.write(strings.Replace(agent.message("INVITE", 1, newBranch(), sdpGood, sdpHeader, behind), "<sip:13900001234@", "<sip:8001@", 1))
			p.status("INVITE", 401)
			phone := p.dialog(testNumber)
			phone.invite()
			phone.ack(p.status("INVITE", 401), "")
			caller := p.dialog(testNumber)
			caller.invite(behind)
			if !trunk {
				caller.ack(p.status("INVITE", 401), "")
				return
			}
			caller.ack(p.status("INVITE", 603), "")
			in := next(t, got)
			require.Equal(t, "city", in.Trunk)
			require.Equal(t, "13900001234", in.From)
			require.Empty(t, in.Agent)
		})
	}
}
