package sip

import (
	"context"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"hotline/call"
)

func requests(r *rig, method string) float64 {
	return testutil.ToFloat64(r.metrics.requests.WithLabelValues(method))
}

// turnRig lets one call in, at a rate at which there is no second.
func turnRig(t *testing.T) (r *rig, got chan call.Incoming) {
	t.Helper()
	got = make(chan call.Incoming, 8)
	serve := untilOver(make(chan call.Leg, 8))
	r = alarmRig(t, func(o *Options) {
		o.MaxCalls, o.Alarm.Reserve, o.Logger = 100, 4, zap.NewNop()
		o.Overload = OverloadOptions{Rate: 1e-6}
		o.OnIncoming = func(ctx context.Context, in call.Incoming) { got <- in; serve(ctx, in) }
	})
	for range int(burstOf(1e-6)) / 2 { // the other half is for menus
		k := newPeer(t, "udp", r.udp()).dialog("96000")
		k.answered()
		next(t, got)
	}
	return r, got
}

// TestTurnedAway: in overload a trunk's INVITE is refused at its first look: no 100 before the 486, the very same answer to each
// repetition, nothing kept, nothing said to its ACK. Alarms, agents, what is in a dialog, and what is not plain go the long way.
func TestTurnedAway(t *testing.T) {
	t.Parallel()
	r, got := turnRig(t)
	k := newPeer(t, "udp", r.udp()).dialog("96000")
	k.seq, k.branch = 1, newBranch()
	invite := k.message("INVITE", 1, k.branch, sdpGood, sdpHeader)
	k.p.write(invite)
	first := k.p.first()
	require.Equal(t, "SIP/2.0 486 Busy Here", first.start, "and no 100")
	require.Len(t, first.tag("to"), 12, "as made at the first look")
	require.Empty(t, first.header("retry-after"))
	k.p.write(invite)
	require.Equal(t, first.raw, k.p.first().raw)
	require.InDelta(t, 1, counted(r, classRest, admitNot), 0, "it is one call")
	r.legs.mu.Lock()
	require.Len(t, r.legs.invites, 2, "no transaction but those of the calls that are in")
	r.legs.mu.Unlock()
	acks := requests(r, "ACK")
	k.ack(first, "")
	asked(t, r, 200) // read after the ACK
	require.InDelta(t, acks, requests(r, "ACK"), 0)

	phone := newPeer(t, "udp", r.udp())
	phone.register(r)
	agent := phone.inviteAsAgent("96119")
	w := phone.status("INVITE", 200)
	agent.ack(w, "")
	next(t, got)
	called(t, r, "96119", 200).bye()
	next(t, got)
	for _, number := range []string{"9600%30", "96000;x=1", "12"} {
		odd := newPeer(t, "udp", r.udp()).dialog(number)
		odd.invite()
		require.NotEqual(t, "SIP/2.0 486 Busy Here", odd.p.first().start, number)
	}
}

// TestTurnedAwayNotInBetween: what became of an INVITE at first becomes of its repetitions, whatever room there is by then.
func TestTurnedAwayNotInBetween(t *testing.T) {
	t.Parallel()
	r, got := turnRig(t)
	first, second := r.from(t, 30).dialog("96000"), r.from(t, 31).dialog("96000")
	first.branch, second.branch = newBranch(), newBranch()
	refused, taken := first.message("INVITE", 1, first.branch, sdpGood, sdpHeader), second.message("INVITE", 1, second.branch, sdpGood, sdpHeader)
	first.p.write(refused)
	require.Contains(t, first.p.first().start, " 486 ")
	r.load.set(OverloadOptions{})
	first.p.write(refused)
	require.Contains(t, first.p.first().start, " 486 ", "its transaction is over")
	second.p.write(taken)
	require.Contains(t, second.p.first().start, " 100 ")
	next(t, got) // it was let in
	r.load.set(OverloadOptions{Rate: 1e-6})
	for range 8 {
		r.load.admit(classRest, 0, time.Now())
	}
	second.p.write(taken)
	w := second.p.status("INVITE", 200)
	second.ack(w, "")
	second.bye()
}

// TestTurnedAwayNotWhatIsIn: an INVITE that was let in is not turned away when it comes again, however many came since, and not
// even where its first look is forgotten while its call lasts. Nor is one let in that was turned away not long ago.
func TestTurnedAwayNotWhatIsIn(t *testing.T) {
	t.Parallel()
	r, got := turnRig(t)
	r.load.set(OverloadOptions{})
	remembers := func(sets [][looksEach]firstLook) (before [][looksEach]firstLook) {
		r.looks.mu.Lock()
		defer r.looks.mu.Unlock()
		before, r.looks.sets = r.looks.sets, sets
		return before
	}
	const sets = 64 // which are full sooner
	remembers(make([][looksEach]firstLook, sets))
	k := r.from(t, 31).dialog("96000")
	k.seq, k.branch = 1, newBranch()
	invite := k.message("INVITE", 1, k.branch, sdpGood, sdpHeader)
	k.p.write(invite)
	w := k.p.status("INVITE", 200)
	next(t, got)
	r.load.set(OverloadOptions{Rate: 1e-6})
	for range 8 {
		r.load.admit(classRest, 0, time.Now())
	}
	wire := strings.ReplaceAll(strings.ReplaceAll(invite, "\r\n", "\n"), "\n", "\r\n")
	src := unmap(k.p.conn.LocalAddr().(*net.UDPAddr).AddrPort())
	now := time.Now()
	again := func() bool { return r.turnsInvite(sketch(wire), src, now) }
	require.False(t, again())
	flood := func(of string) {
		t.Helper()
		for i := range 2 * sets * looksEach {
			other := strings.ReplaceAll(wire, k.callID, of+strconv.Itoa(i))
			require.True(t, r.turnsInvite(sketch(other), src, now), i)
		}
	}
	looks := remembers(nil)
	require.False(t, again(), "it lives")
	remembers(looks)
	k.ack(w, "")
	k.bye()
	require.Eventually(t, func() bool { // nothing knows of it but its first look
		r.legs.mu.Lock()
		defer r.legs.mu.Unlock()
		return !slices.ContainsFunc(slices.Collect(maps.Keys(r.legs.invites)), func(key string) bool { return strings.Contains(key, k.callID) })
	}, testWait, time.Millisecond)
	flood("one")
	require.False(t, again(), "its transaction may live")
	flood("two")
	require.False(t, again(), "still")
}
