package sip

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// nobody is an owner that takes no commands.
func nobody(call.Command) bool { return false }

// A call's place is free when its leg ends, not when its record is on the disk.
func TestPlaceIsFreeWhenLegEnds(t *testing.T) {
	t.Parallel()
	disk := make(chan struct{})
	r := newRig(t, func(o *Options) {
		o.MaxCalls = 1
		o.OnIncoming = func(_ context.Context, in call.Incoming) {
			if _, err := in.Leg.Answer(); err == nil {
				<-in.Leg.Context().Done()
			}
			<-disk
		}
	})
	defer close(disk)
	for range 3 {
		k := newPeer(t, "udp", r.udp()).dialog(testNumber)
		k.answered()
		k.bye()
		require.Eventually(t, func() bool { return r.calls.total() == 0 }, testWait, time.Millisecond)
	}
}

// A leg that has an owner outlives the OnIncoming it came with, answered or not.
func TestLegOutlivesOnIncoming(t *testing.T) {
	t.Parallel()
	for name, answerFirst := range map[string]bool{"answered": true, "not answered": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			legs, left := make(chan call.Leg, 1), make(chan struct{})
			r := newRig(t, func(o *Options) {
				o.OnIncoming = func(_ context.Context, in call.Incoming) {
					defer close(left)
					if answerFirst {
						_, err := in.Leg.Answer()
						require.NoError(t, err)
					}
					in.Leg.Attach(nobody)
					legs <- in.Leg
				}
			})
			k := newPeer(t, "udp", r.udp()).dialog(testNumber)
			k.invite()
			leg := next(t, legs)
			<-left
			// The next request is handled after what OnIncoming's return has brought about.
			o := newPeer(t, "udp", r.udp()).dialog(testNumber)
			o.request("OPTIONS", "")
			o.p.status("OPTIONS", 200)
			_, err := leg.Answer()
			require.NoError(t, err)
			k.ack(k.p.status("INVITE", 200), "")
			k.request("INFO", "")
			k.p.status("INFO", 200)
			leg.Hangup(call.CauseBye)
			k.p.respond(k.p.expect("BYE", "BYE"), 200, "OK", "", "")
		})
	}
}

// A panic ends the leg, whoever is attached.
func TestPanicOfAnOwner(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *Options) {
		o.OnIncoming = func(_ context.Context, in call.Incoming) {
			in.Leg.Attach(nobody)
			panic("on purpose")
		}
	})
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.invite()
	k.ack(k.p.status("INVITE", 500), "")
	require.Eventually(t, func() bool { return r.calls.total() == 0 }, testWait, time.Millisecond)
}

// A 200 whose ACK never comes does not hold up Close for 64·T1.
func TestCloseDoesNotWaitForAck(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 1)
	r := newRig(t, func(o *Options) { o.OnIncoming = untilOver(legs) })
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.invite()
	k.p.status("INVITE", 200)
	next(t, legs)
	begun := time.Now()
	require.NoError(t, r.Close())
	require.Less(t, time.Since(begun), ackWithin*rigT1/2)
	k.p.expect("BYE", "BYE")
}
