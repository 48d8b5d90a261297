package sip

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"hotline/call"
)

// failoverRig is a rig that calls numbers with 139 by a first trunk, and then by another.
func failoverRig(t *testing.T, change func(o *Options)) (r *rig, first, second *peer, logs *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	elsewhere := []netip.Prefix{netip.MustParsePrefix("127.9.0.0/16")}
	r = newRigWith(t, func(o *Options) {
		out := TrunkOut{Network: "udp", Address: "placeholder.invalid:5060", From: "96777"}
		o.Trunks = []TrunkOptions{{Name: "city", Allow: elsewhere, Out: &out}, {Name: "other", Allow: elsewhere, Out: &out}}
		o.Dial = []DialRule{{
			Prefix: "139", PerMinute: 600, AtOnce: 5,
			Through: [][]TrunkShare{{{Trunk: "city", Weight: 1}}, {{Trunk: "other", Weight: 1}}},
		}}
		o.Logger = zap.New(core)
		if change != nil {
			change(o)
		}
	}, func(u *UA) {
		first, second = newPeer(t, "udp", u.Addrs()[0]), newPeer(t, "udp", u.Addrs()[0])
		for i, p := range []*peer{first, second} {
			one := u.plan().list[i]
			one.out.Address = p.addr()
			u.o.Trunks[i].Out = one.out
			if one.ping != nil {
				one.ping.o.address = p.addr()
			}
		}
	})
	<-r.reading
	return r, first, second, logs
}

// A call that the carrier could not take goes by the next trunk; one that the person called refuses does not.
func TestDialFailover(t *testing.T) {
	t.Parallel()
	for code, next := range map[int]bool{
		408: true, 500: true, 502: true, 503: true, 504: true, 580: true, 401: true, 407: true,
		403: false, 404: false, 410: false, 480: false, 484: false, 485: false, 486: false, 487: false, 488: false, 302: false, 600: false, 603: false, 604: false,
	} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			r, first, second, logs := failoverRig(t, nil)
			out := r.outside(t.Context(), "13912345678")
			first.respond(first.expect("INVITE sip:13912345678@"+first.addr(), "INVITE"), code, "No", "a", "")
			first.expect("ACK", "ACK")
			outcomes := 1
			if next {
				outcomes = 2
				second.respond(second.expect("INVITE sip:13912345678@"+second.addr(), "INVITE"), 200, "OK", "b", sdpGood)
				second.expect("ACK", "ACK")
			}
			got := <-out
			if next {
				require.NoError(t, got.err)
				require.InDelta(t, 1, r.outcomes("other", dialAnswered), 0)
				got.leg.Hangup(call.CauseBye)
				second.respond(second.expect("BYE", "BYE"), 200, "OK", "", "")
			} else {
				require.Error(t, got.err)
				second.silence(20*time.Millisecond, "INVITE")
			}
			require.Len(t, logs.FilterMessage("number outside dialled").All(), outcomes, "each try is audited")
			underWay := r.plan().dials.find("139")
			require.Eventually(t, func() bool {
				underWay.mu.Lock()
				defer underWay.mu.Unlock()
				return underWay.underWay == 0
			}, testWait, time.Millisecond, "the call counted once, and no more")
		})
	}
}

// Who has rung is not rung again by another trunk, whatever becomes of the first call.
func TestDialFailoverNotAfterRinging(t *testing.T) {
	t.Parallel()
	r, first, second, _ := failoverRig(t, nil)
	out := r.outside(t.Context(), "13912345678")
	inv := first.expect("INVITE", "INVITE")
	first.respond(inv, 180, "Ringing", "a", "")
	first.respond(inv, 503, "Service Unavailable", "a", "")
	refusedFor(t, next(t, out), call.CauseUnreachable)
	second.silence(20*time.Millisecond, "INVITE")
}

// A trunk that answers nothing is not waited for while there is another; what it says later is met with a CANCEL. The last
// one has all the time there is, until the caller's is over.
func TestDialFailoverSilent(t *testing.T) {
	t.Parallel()
	r, first, second, _ := failoverRig(t, func(o *Options) { o.T1 = 20 * time.Millisecond })
	ctx, cancel := context.WithCancelCause(t.Context())
	out := r.outside(ctx, "13912345678")
	late := first.expect("INVITE", "INVITE")
	inv := second.expect("INVITE", "INVITE")
	first.respond(late, 180, "Ringing", "a", "")
	first.respond(first.expect("CANCEL", "CANCEL"), 200, "OK", "a", "")
	first.respond(late, 487, "Request Terminated", "a", "")
	first.expect("ACK", "ACK")
	require.InDelta(t, 1, r.outcomes("city", string(call.CauseUnreachable)), 0)
	require.Eventually(t, func() bool { return r.guards.n.Load() == 0 }, testWait, time.Millisecond, "forgotten with its final response")

	second.respond(inv, 180, "Ringing", "b", "")
	cancel(call.CancelCause{Why: call.CauseNoAnswer})
	second.respond(second.expect("CANCEL", "CANCEL"), 200, "OK", "b", "")
	second.respond(inv, 487, "Request Terminated", "b", "")
	refusedFor(t, next(t, out), call.CauseNoAnswer)
	first.silence(20*time.Millisecond, "INVITE")
}

// TestGivenUpIsNotRepeated: an INVITE that was given up does not leave again, so that a carrier that is back rings nobody by it.
func TestGivenUpIsNotRepeated(t *testing.T) {
	t.Parallel()
	r, first, second, _ := failoverRig(t, func(o *Options) { o.T1 = 20 * time.Millisecond })
	ctx, cancel := context.WithCancelCause(t.Context())
	out := r.outside(ctx, "13912345678")
	late := first.expect("INVITE", "INVITE")
	inv := second.expect("INVITE", "INVITE")
	require.Eventually(t, func() bool { return r.guards.holds([]byte(late.raw), time.Now()) }, testWait, time.Millisecond)
	require.False(t, r.guards.holds([]byte(inv.raw), time.Now()))
	first.silence(700*time.Millisecond, "INVITE") // sipgo would send it again 500 ms after the first time
	first.respond(late, 200, "OK", "a", sdpGood)
	first.expect("ACK", "ACK")
	first.respond(first.expect("BYE", "BYE"), 200, "OK", "a", "")

	second.respond(inv, 180, "Ringing", "b", "")
	cancel(call.CancelCause{Why: call.CauseNoAnswer})
	second.respond(second.expect("CANCEL", "CANCEL"), 200, "OK", "b", "")
	second.respond(inv, 487, "Request Terminated", "b", "")
	refusedFor(t, next(t, out), call.CauseNoAnswer)
}

// A trunk that said 100 is not silent; a caller who is gone is not called for by another trunk.
func TestDialFailoverTrying(t *testing.T) {
	t.Parallel()
	const t1 = 200 * time.Millisecond // the 100 comes within 8 of them, also where the machine is busy
	r, first, second, _ := failoverRig(t, func(o *Options) { o.T1 = t1 })
	ctx, cancel := context.WithCancelCause(t.Context())
	out := r.outside(ctx, "13912345678")
	inv := first.expect("INVITE", "INVITE")
	first.respond(inv, 100, "Trying", "", "")
	second.silence(2*silentWithin*t1, "INVITE")
	cancel(call.CancelCause{Why: call.CauseNoAnswer})
	first.respond(first.expect("CANCEL", "CANCEL"), 200, "OK", "a", "")
	first.respond(inv, 503, "Service Unavailable", "a", "")
	refusedFor(t, next(t, out), call.CauseNoAnswer)
	second.silence(20*time.Millisecond, "INVITE")
}

// A trunk behind which there is none that has room is not hurried; and what it said is what the call ended by, not that
// others were full.
func TestDialFailoverToFull(t *testing.T) {
	t.Parallel()
	const t1 = 100 * time.Millisecond
	r, first, second, logs := failoverRig(t, func(o *Options) {
		o.T1 = t1
		o.Trunks[1].MaxCalls = 1
	})
	full := r.plan().list[1]
	free, ok := full.calls.take(full.maxCalls, false)
	require.True(t, ok)
	out := r.outside(t.Context(), "13912345678")
	inv := first.expect("INVITE", "INVITE")
	second.silence(2*silentWithin*t1, "INVITE")
	first.respond(inv, 486, "Busy Here", "a", "")
	refusedFor(t, next(t, out), call.CauseBusy)

	out = r.outside(t.Context(), "13912345678")
	first.respond(first.expect("INVITE", "INVITE"), 503, "Service Unavailable", "a", "")
	refusedFor(t, next(t, out), call.CauseUnreachable)
	require.InDelta(t, 1, r.outcomes("other", dialMaxCalls), 0)
	require.Len(t, logs.FilterMessage("number outside dialled").All(), 3)

	out = r.outside(t.Context(), "13912345678")
	inv = first.expect("INVITE", "INVITE")
	free() // somebody has hung up there meanwhile
	first.respond(inv, 503, "Service Unavailable", "a", "")
	second.respond(second.expect("INVITE", "INVITE"), 486, "Busy Here", "b", "")
	refusedFor(t, next(t, out), call.CauseBusy)
}

// Groups come in order, within one the lot falls by weight, and those that are down come last.
func TestDialOrder(t *testing.T) {
	t.Parallel()
	list := newTrunks([]TrunkOptions{
		{Name: "a", Out: &TrunkOut{}, Ping: time.Second},
		{Name: "b", Out: &TrunkOut{}},
		{Name: "c", Out: &TrunkOut{}, Register: &TrunkRegister{}},
		{Name: "in"},
	})
	rule := DialRule{Through: [][]TrunkShare{{{"a", 3}, {"b", 1}}, {{"c", 1}}}}
	groups, err := rule.groups(list)
	require.NoError(t, err)
	names := func() (out string) {
		for _, one := range order(groups, time.Now()) {
			out += one.name
		}
		return out
	}
	const many = 4000
	seen := make(map[string]int)
	for range many {
		seen[names()]++
	}
	require.Len(t, seen, 2)
	require.InDelta(t, 0.75, float64(seen["abc"])/many, 0.05)
	require.Equal(t, many, seen["abc"]+seen["bac"])

	list.list[0].ping.seen.Store(trunkDown)
	require.Equal(t, "bca", names())
	list.list[2].reg.become(registrationState{now: RegistrationRefused})
	require.Contains(t, []string{"bac"}, names())
	list.list[0].ping.seen.Store(trunkUp)
	list.list[2].reg.become(registrationState{now: RegistrationUp, until: time.Now().Add(-time.Second)})
	require.Equal(t, "c", names()[2:])

	for _, wrong := range [][][]TrunkShare{{{{"x", 1}}}, {{{"in", 1}}}, {{{"a", 0}}}} {
		_, err := newDialPlan([]DialRule{{Prefix: "1", PerMinute: 1, AtOnce: 1, Through: wrong}}, list)
		require.Error(t, err, wrong)
	}
}
