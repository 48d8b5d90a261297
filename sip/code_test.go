package sip

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// An agent's phone dials feature codes, digits after them included, after a challenge as for any call; what merely
// looks like one, and a code from a trunk's caller, is a number that nobody has.
func TestFeatureCodes(t *testing.T) {
	t.Parallel()
	calls := make(chan call.Incoming, 1)
	r := newRig(t, func(o *Options) {
		o.Codes = []string{"*11", "*21", ""}
		o.OnIncoming = func(_ context.Context, in call.Incoming) {
			in.Leg.Hangup(call.CauseDeclined)
			calls <- in
		}
	})
	caller := newPeer(t, "udp", r.udp())
	k := caller.dialog("*11")
	k.invite()
	k.ack(caller.status("INVITE", 404), "")

	phone := newPeer(t, "udp", r.udp())
	phone.register(r)
	for number, code := range map[string]string{"*11": "*11", "*2105": "*2105", "%2A2105": "*2105"} {
		k := phone.inviteAsAgent(number)
		k.ack(phone.status("INVITE", 603), "")
		in := next(t, calls)
		require.Equal(t, call.Next{Kind: call.Code, Code: code}, in.At, number)
		require.Equal(t, "8001", in.Agent)
	}
	for _, number := range []string{"*1", "*12", "*21a", "*21*1", "2*11"} {
		k := phone.inviteAsAgent(number)
		k.ack(phone.status("INVITE", 404), "")
	}
	require.Empty(t, calls)
}
