package sip

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// alarmRig has lines for four calls, two of them held back for alarms.
func alarmRig(t *testing.T, change func(o *Options)) *rig {
	t.Helper()
	return newRig(t, func(o *Options) {
		o.MaxCalls, o.Alarm = 4, AlarmOptions{Reserve: 2, Queue: "gas", Menus: []string{"main"}}
		o.Trunks[0].Numbers = map[string]call.Next{testNumber: toMenu, "96119": toAlarm, "96000": toOther}
		o.OnIncoming = untilOver(make(chan call.Leg, 8))
		if change != nil {
			change(o)
		}
	})
}

// asked is what OPTIONS outside any dialog gets. It never bids the asker to stay away for a time (RFC 3261
// section 21.5.4): alarms would too.
func asked(t *testing.T, r *rig, code int) {
	t.Helper()
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.request("OPTIONS", "")
	require.Empty(t, k.p.status("OPTIONS", code).header("retry-after"))
}

// called is a call to a number that gets 200 or a refusal.
func called(t *testing.T, r *rig, number string, code int) *talk {
	t.Helper()
	k := newPeer(t, "udp", r.udp()).dialog(number)
	if code == 200 {
		k.answered()
		return k
	}
	k.invite()
	w := k.p.status("INVITE", code)
	require.Empty(t, w.header("retry-after"))
	k.ack(w, "")
	return k
}

var errNotYet = errors.New("not yet")

// OPTIONS is answered as a call would be (RFC 3261 section 11.2): 503 while we are not ready, for whatever reason, and
// the same for calls, of a number unknown too, so that the sender tries elsewhere; but for the alarms' own number,
// which leads there without a menu.
func TestOptionsSayWhetherWeAreReady(t *testing.T) {
	t.Parallel()
	var unready atomic.Bool
	unready.Store(true)
	r := alarmRig(t, func(o *Options) {
		o.Ready = func() error {
			if unready.Load() {
				return errNotYet
			}
			return nil
		}
	})
	refusing := func() {
		asked(t, r, 503)
		for _, number := range []string{testNumber, "96000", "12345"} {
			called(t, r, number, 503)
		}
		called(t, r, "96119", 200).bye()
	}
	refusing() // starting
	unready.Store(false)
	asked(t, r, 200)
	live := called(t, r, testNumber, 200)
	unready.Store(true)
	refusing() // not ready any more
	unready.Store(false)
	asked(t, r, 200)
	r.Drain()
	refusing() // draining

	// What belongs to a call that is in is not refused: it is in good hands.
	live.request("OPTIONS", "")
	live.p.status("OPTIONS", 200)
	live.bye()
	require.Eventually(t, func() bool { return r.calls.total() == 0 }, testWait, time.Millisecond)
}

// An agent's phone that dials the alarms' number has no more than an ordinary call, and one that nobody knows no call:
// neither is asked for a password before it is sent elsewhere.
func TestOnlyTrunksReachAlarmsOfWhoDrains(t *testing.T) {
	t.Parallel()
	r := alarmRig(t, nil)
	phone := newPeer(t, "udp", r.udp())
	phone.register(r)
	r.Drain()
	k := phone.dialog("96119")
	inv := strings.Replace(k.message("INVITE", 1, newBranch(), sdpGood, sdpHeader), "From: <sip:13900001234@", "From: <sip:8001@", 1)
	phone.write(inv)
	phone.status("INVITE", 503)
}

// Full is not dead: with every line taken, and calls refused, OPTIONS are answered 200 at once, as is the alarm that
// may come next where a line is held back for it. An alarm for which there is none is to go to whoever else there is:
// 503 without Retry-After says that of this call alone (RFC 3261 section 21.5.4).
func TestOptionsUnderOverload(t *testing.T) {
	t.Parallel()
	r := alarmRig(t, nil)
	live := []*talk{
		called(t, r, "96000", 200), called(t, r, testNumber, 200), called(t, r, testNumber, 200),
	}
	called(t, r, "96000", 486)
	asked(t, r, 200)
	live = append(live, called(t, r, "96119", 200))
	called(t, r, "96119", 503)
	called(t, r, "96000", 486)
	asked(t, r, 200)
	for _, k := range live {
		k.bye()
	}
	require.Eventually(t, func() bool { return r.calls.total() == 0 }, testWait, time.Millisecond)
}

// Who closes takes no alarm either: nobody would be there to talk to.
func TestNoAlarmOnceClosing(t *testing.T) {
	t.Parallel()
	closing := make(chan struct{})
	over := make(chan struct{})
	r := alarmRig(t, func(o *Options) {
		o.OnIncoming = func(ctx context.Context, in call.Incoming) {
			if _, err := in.Leg.Answer(); err != nil {
				return
			}
			<-ctx.Done()
			close(closing)
			<-over // Close waits for the owner
		}
	})
	live := called(t, r, "96119", 200)
	closed := make(chan error, 1)
	go func() { closed <- r.Close() }()
	<-closing
	late := newPeer(t, "udp", r.udp()).dialog("96119")
	late.invite()
	late.ack(late.p.status("INVITE", 503), "")
	live.p.respond(live.p.expect("BYE", "BYE"), 200, "OK", "", "")
	close(over)
	require.NoError(t, <-closed)
}
