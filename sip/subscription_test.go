package sip

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// transferring is a phone whose REFER was accepted, and told so once.
func transferring(t *testing.T) (*rig, *talk, call.Leg, call.Referral) {
	t.Helper()
	return transferringAt(t, rigT1)
}

// transferringAt is transferring, with another T1.
func transferringAt(t *testing.T, t1 time.Duration) (*rig, *talk, call.Leg, call.Referral) {
	t.Helper()
	r, p := referRigWith(t, func(o *Options) { o.T1 = t1 })
	k, l, commands := atAgent(t, r, p)
	ref := k.refer(commands, "<sip:8002@hotline>").Referral
	ref.Accept()
	p.status("REFER", 202)
	return r, k, l, ref
}

// One NOTIFY at a time: the next waits for the answer, and what was overtaken meanwhile is left out.
func TestNotifyOneAtATime(t *testing.T) {
	t.Parallel()
	_, k, l, ref := transferring(t)
	first := k.notice("100 Trying", active)
	ref.Ringing()
	ref.Done(call.CauseNone)
	again := k.notice("100 Trying", active)
	require.Equal(t, first.raw, again.raw, "only the transaction resends")
	k.p.respond(first, 200, "OK", "", "")
	last := k.told("200 OK", over)
	require.Greater(t, seqOf(t, last), seqOf(t, first))
	k.hangup(l)
}

// seqOf is the number in a message's CSeq.
func seqOf(t *testing.T, w wire) int {
	t.Helper()
	var n int
	_, err := fmt.Sscan(w.header("cseq"), &n)
	require.NoError(t, err)
	return n
}

// A phone that refuses a NOTIFY has no subscription any more, but its call goes on (RFC 6665 section 4.2.2).
func TestNotifyRefused(t *testing.T) {
	t.Parallel()
	_, k, l, ref := transferring(t)
	k.p.respond(k.notice("100 Trying", active), 481, "Call/Transaction Does Not Exist", "", "")
	subscriptionOver(t, l)
	ref.Ringing()
	ref.Done(call.CauseNone)
	k.p.silence(100*time.Millisecond, "NOTIFY")
	require.NoError(t, l.Context().Err())
	k.hangup(l)
}

// The BYE that a success brings comes after the phone has heard of the success, or not much later.
func TestByeWaitsForLastNotify(t *testing.T) {
	t.Parallel()
	t.Run("answered", func(t *testing.T) {
		t.Parallel()
		_, k, l, ref := transferring(t)
		k.told("100 Trying", active)
		ref.Done(call.CauseNone)
		l.Hangup(call.CauseBye)
		w := k.notice("200 OK", over)
		k.p.silence(100*time.Millisecond, "BYE")
		k.p.respond(w, 200, "OK", "", "")
		bye := k.p.expect("BYE", "BYE")
		require.Greater(t, seqOf(t, bye), seqOf(t, w))
		k.p.respond(bye, 200, "OK", "", "")
	})
	t.Run("not answered", func(t *testing.T) {
		t.Parallel()
		const t1 = 100 * time.Millisecond
		_, k, l, ref := transferringAt(t, t1)
		k.told("100 Trying", active)
		ref.Done(call.CauseNone)
		w := k.notice("200 OK", over)
		begun := time.Now()
		l.Hangup(call.CauseBye)
		bye := k.p.expect("BYE", "BYE")
		require.GreaterOrEqual(t, bye.at.Sub(begun), notifyWithin*t1)
		k.p.respond(bye, 200, "OK", "", "")
		k.p.respond(w, 200, "OK", "", "")
	})
	t.Run("not over", func(t *testing.T) {
		t.Parallel()
		_, k, l, ref := transferring(t)
		k.told("100 Trying", active)
		require.Eventually(t, func() bool { return legOf(l).referral.sub.told() == nil }, testWait, time.Millisecond)
		k.hangup(l)
		ref.Done(call.CauseBusy)
		k.told("486 Busy Here", over)
	})
}

// The owner can tell when its phone has heard the last of it, however long that took.
func TestReferralHeard(t *testing.T) {
	t.Parallel()
	_, k, l, ref := transferring(t)
	first := k.notice("100 Trying", active)
	ref.Done(call.CauseBusy)
	before := time.Now()
	require.False(t, ref.Heard().Before(before), "not yet")
	k.p.respond(first, 200, "OK", "", "")
	w := k.notice("486 Busy Here", over)
	before = time.Now()
	require.False(t, ref.Heard().Before(before), "not yet")
	k.p.respond(w, 200, "OK", "", "")
	require.Eventually(t, func() bool { return ref.Heard().Equal(ref.Heard()) }, testWait, time.Millisecond)
	require.WithinRange(t, ref.Heard(), before, time.Now())
	k.hangup(l)
}

// A phone that hangs up once its REFER is accepted is told all the same (RFC 5057 section 4).
func TestNotifyAfterBye(t *testing.T) {
	t.Parallel()
	_, k, l, ref := transferring(t)
	k.told("100 Trying", active)
	k.bye()
	require.Equal(t, call.Far, ended(t, l).By)
	ref.Ringing()
	k.told("180 Ringing", active)
	ref.Done(call.CauseNone)
	k.told("200 OK", over)
}

// A phone may end its subscription, or set how long it lasts (RFC 6665 section 4.1.2); each time it is told how things
// stand.
func TestSubscribeInDialog(t *testing.T) {
	t.Parallel()
	_, k, l, ref := transferring(t)
	k.told("100 Trying", active)
	ref.Ringing()
	k.told("180 Ringing", active)
	subscribe := func(code int, extra ...string) wire {
		k.request("SUBSCRIBE", "", extra...)
		return k.p.status("SUBSCRIBE", code)
	}
	require.Equal(t, "refer", subscribe(489, "Event: presence").header("allow-events"))
	subscribe(489)
	subscribe(481, "Event: refer;id=99999")
	require.Equal(t, "180", subscribe(200, "Event: Refer", "Expires: 86400").header("expires"), "cut to our most")
	k.told("180 Ringing", active+"180")
	subscribe(200, fmt.Sprintf("o: refer;id=%s", legOf(l).referral.seq))
	k.told("180 Ringing", active+"180")
	require.Equal(t, "0", subscribe(200, "Event: refer", "Expires: 0").header("expires"))
	k.told("180 Ringing", "terminated;reason=timeout")
	subscriptionOver(t, l)
	subscribe(481, "Event: refer")
	ref.Done(call.CauseNone)
	k.p.silence(100*time.Millisecond, "NOTIFY")
	k.hangup(l)
}

// A subscription that is not made to last ends by itself, with a NOTIFY.
func TestSubscriptionExpires(t *testing.T) {
	t.Parallel()
	_, k, l, _ := transferring(t)
	k.told("100 Trying", active)
	begun := time.Now()
	k.request("SUBSCRIBE", "", "Event: refer", "Expires: 2")
	k.p.status("SUBSCRIBE", 200)
	k.told("100 Trying", active)
	k.told("100 Trying", "terminated;reason=timeout")
	require.GreaterOrEqual(t, time.Since(begun), 2*time.Second)
	k.hangup(l)
}

// Nothing is subscribed to but by REFER (RFC 3515 section 3.4), and nothing is told to us (RFC 6665 section
// 4.1.3).
func TestSubscribeAndNotifyOutside(t *testing.T) {
	t.Parallel()
	_, k, _, _ := up(t, true)
	k.request("SUBSCRIBE", "", "Event: refer")
	k.p.status("SUBSCRIBE", 481)
	k.request("NOTIFY", "", "Event: refer", "Subscription-State: active")
	k.p.status("NOTIFY", 481)
	k.request("MESSAGE", "")
	require.Contains(t, k.p.status("MESSAGE", 405).header("allow"), "REFER")
	k.bye()
	other := newPeer(t, "udp", k.p.to).dialog(testNumber)
	for extra, code := range map[string]int{"Event: refer": 403, "Event: presence": 489, "X-None: 0": 489} {
		other.request("SUBSCRIBE", "", extra)
		other.p.status("SUBSCRIBE", code)
	}
	other.request("NOTIFY", "", "Event: refer", "Subscription-State: active")
	other.p.status("NOTIFY", 481)
}

// Close tells a phone that nothing came of its transfer, and does not wait for it long.
func TestCloseDuringTransfer(t *testing.T) {
	t.Parallel()
	r, k, _, ref := transferring(t)
	k.told("100 Trying", active)
	closed := make(chan error, 1)
	go func() { closed <- r.Close() }()
	got := map[string]bool{}
	for len(got) < 2 {
		w, err := k.p.read(testWait)
		require.NoError(t, err)
		got[w.method()] = true
		k.p.respond(w, 200, "OK", "", "")
	}
	require.NoError(t, next(t, closed))
	ref.Ringing()
	ref.Done(call.CauseNone)
}
