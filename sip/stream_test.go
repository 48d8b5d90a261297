package sip

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// A fault that closed a leg's stream ends the leg, so that its owner is told.
func TestFaultOfAStreamEndsItsLeg(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 1)
	r := newRig(t, func(o *Options) {
		o.OnIncoming = func(_ context.Context, in call.Incoming) {
			legs <- in.Leg
			<-in.Leg.Context().Done()
		}
	})
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.invite()
	leg := next(t, legs)
	_, err := leg.Answer()
	require.NoError(t, err)
	k.ack(k.p.status("INVITE", 200), "")
	r.engine.opened()[0].o.OnFault()
	k.p.respond(k.p.expect("BYE", "BYE"), 200, "OK", "", "")
	end, over := call.EndOf(leg)
	require.True(t, over)
	require.Equal(t, call.CauseError, end.Why)
	require.Equal(t, call.System, end.By)
}
