package sip

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// Whoever has one agent's password cannot take every place: one phone makes so many calls at once. The next is refused 486 and
// counted; the alarms' number is reached yet, though not without a bound, and so is anything once a call is over.
func TestAgentCallsAreBounded(t *testing.T) {
	t.Parallel()
	got := make(chan call.Incoming, 4*agentCallsMost)
	serve := untilOver(make(chan call.Leg, 4*agentCallsMost))
	r := alarmRig(t, func(o *Options) {
		o.MaxCalls, o.Alarm.Reserve = 100, 4
		o.OnIncoming = func(ctx context.Context, in call.Incoming) { got <- in; serve(ctx, in) }
	})
	phone := newPeer(t, "udp", r.udp())
	phone.register(r)
	taken := func(number string) *talk {
		k := phone.inviteAsAgent(number)
		k.ack(phone.status("INVITE", 200), "")
		next(t, got)
		return k
	}
	refused := func(number string) {
		k := phone.inviteAsAgent(number)
		w := phone.status("INVITE", 486)
		k.ack(w, "")
	}
	var last *talk
	for range agentCallsMost {
		last = taken("96000")
	}
	refused("96000")
	require.InDelta(t, 1, counted(r, classAgent, admitFull), 0)
	for range agentCallsMost {
		taken("96119")
	}
	refused("96119")
	require.Equal(t, 2*agentCallsMost, r.calls.total())
	called(t, r, "96000", 200) // nobody else is bounded by that
	next(t, got)
	last.bye()
	require.Eventually(t, func() bool { return r.calls.total() == 2*agentCallsMost }, testWait, time.Millisecond)
	taken("96000")
}
