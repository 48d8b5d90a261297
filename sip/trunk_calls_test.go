package sip

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/media"
)

// A trunk has so many calls, both ways together, and one more is refused; but an alarm never is.
func TestTrunkMaxCalls(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 4)
	r, first, second, logs := failoverRig(t, func(o *Options) {
		o.Trunks[0].Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		o.Trunks[0].MaxCalls = 1
		o.Trunks[0].Numbers = map[string]call.Next{
			testNumber: {Kind: call.Menu, Menu: "main"}, "96119": {Kind: call.Route, Queue: "gas-alarm"},
		}
		o.Alarm = AlarmOptions{Queue: "gas-alarm"}
		o.OnIncoming = untilOver(legs)
	})
	one := first.dialog(testNumber)
	one.answered()
	l := next(t, legs)
	require.InDelta(t, 1, r.gauge(t, "hotline_trunk_calls"), 0)

	more := first.dialog(testNumber)
	more.invite()
	refused := first.status("INVITE", 486)
	more.ack(refused, "")
	require.Empty(t, refused.header("retry-after"), "RFC 3261 section 21.5.4: alarms would be withheld too")

	alarm := first.dialog("96119")
	alarm.answered()
	alarmed := next(t, legs)
	require.Equal(t, 2, r.Trunks()[0].Calls)
	r.reload(t, r.as()) // which is no way to have more
	out := r.outside(t.Context(), "13912345678")
	second.respond(second.expect("INVITE", "INVITE"), 486, "Busy Here", "b", "")
	refusedFor(t, next(t, out), call.CauseBusy)
	require.InDelta(t, 1, r.outcomes("city", dialMaxCalls), 0)
	require.Len(t, logs.FilterMessage("number outside dialled").All(), 2)

	for _, l := range []call.Leg{alarmed, l} {
		l.Hangup(call.CauseBye)
		first.respond(first.expect("BYE", "BYE"), 200, "OK", "", "")
	}
	require.Eventually(t, func() bool { return r.Trunks()[0].Calls == 0 }, testWait, time.Millisecond)
	out = r.outside(t.Context(), "13912345678")
	inv := first.expect("INVITE", "INVITE")
	more = first.dialog(testNumber)
	more.invite()
	more.ack(first.status("INVITE", 486), "")
	first.respond(inv, 200, "OK", "a", sdpGood)
	got := next(t, out)
	require.NoError(t, got.err)
	got.leg.Hangup(call.CauseBye)
	first.respond(first.expect("BYE", "BYE"), 200, "OK", "", "")
	require.Eventually(t, func() bool { return r.Trunks()[0].Calls == 0 }, testWait, time.Millisecond)
}

// The only trunk is full.
func TestTrunkFull(t *testing.T) {
	t.Parallel()
	r, p, _ := dialRig(t, TrunkOut{From: "96777"}, rule("139"))
	one := r.plan().list[0]
	one.maxCalls = 1
	free, ok := one.calls.take(one.maxCalls, false)
	require.True(t, ok)
	refusedFor(t, next(t, r.outside(t.Context(), "139")), call.CauseForbidden)
	free()
	free()
	require.Zero(t, one.calls.now())
	out := r.outside(t.Context(), "139")
	p.respond(p.expect("INVITE", "INVITE"), 486, "Busy Here", "b", "")
	refusedFor(t, next(t, out), call.CauseBusy)
	require.Zero(t, one.calls.now())
	require.Zero(t, r.plan().dials.find("139").underWay)
}

// A trunk's codecs and its forms of numbers, in and out. What may be dialled is told by the number that was asked for, and
// never by the one that is sent.
func TestTrunkNumbersAndCodecs(t *testing.T) {
	t.Parallel()
	incoming := make(chan call.Incoming, 1)
	r, p, _, _ := failoverRig(t, func(o *Options) {
		o.OnIncoming = func(_ context.Context, in call.Incoming) {
			incoming <- in
			in.Leg.Hangup(call.CauseBusy)
		}
		one := &o.Trunks[0]
		one.Codecs = []media.Codec{media.PCMU}
		one.Numbering = &Numbering{Area: "755", Shown: FormNational, Dialled: FormE164}
		one.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		one.Numbers = map[string]call.Next{"075588880000": {Kind: call.Menu, Menu: "main"}}
	})

	for _, number := range []string{"075588880000", "+8675588880000", "88880000"} {
		k := p.dialog(number)
		k.seq, k.branch = 1, newBranch()
		msg := k.message("INVITE", 1, k.branch, sdpGood, sdpHeader)
		p.write(strings.Replace(msg, "From: <sip:13900001234@", "From: <sip:+8613900001234@", 1))
		k.ack(p.status("INVITE", 486), "")
		in := next(t, incoming)
		require.Equal(t, []string{"13900001234", number, "main"}, []string{in.From, in.To, in.At.Menu})
	}
	k := p.dialog("+8675588880001")
	k.invite()
	k.ack(p.status("INVITE", 404), "")

	out := r.outside(t.Context(), "13912345678")
	inv := p.expect("INVITE sip:+8613912345678@", "INVITE")
	require.Contains(t, inv.header("to"), "<sip:+8613912345678@")
	p.respond(inv, 486, "Busy Here", "b", "")
	refusedFor(t, next(t, out), call.CauseBusy)
	refusedFor(t, next(t, r.outside(t.Context(), "+8613912345678")), call.CauseForbidden)
	opened := r.engine.opened()
	require.Len(t, opened, 4)
	for _, s := range opened {
		require.Equal(t, []media.Codec{media.PCMU}, s.o.Codecs)
	}
}
