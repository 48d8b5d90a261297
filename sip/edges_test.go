package sip

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/require"

	"hotline/call"
)

// A CANCEL that comes while the INVITE is still at the door: the 487 is repeated until its ACK like any other.
func TestCancelAtTheDoor(t *testing.T) {
	t.Parallel()
	open := make(chan struct{})
	r := newRigWith(t, nil, func(u *UA) {
		door := u.door
		u.door = func(x *exchange) (call.Incoming, *sipmsg.Response) { <-open; return door(x) }
	})
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.invite()
	k.p.expect("SIP/2.0 100", "INVITE")
	k.cancel()
	k.p.status("CANCEL", 200)
	k.p.status("INVITE", 487)
	close(open)
	k.ack(k.p.status("INVITE", 487), "")
}

// A first 2xx that makes no dialog is no reason to leave the second phone of a fork in a call with nobody.
func TestForkAfterUnusableAnswer(t *testing.T) {
	t.Parallel()
	_, p, inv, out := ringPhone(t, time.Second)
	p.respond(inv, 200, "OK", "a1", sdpGood, "Contact: <tel:+1>")
	require.Error(t, next(t, out).err)
	another(p, inv)
}

// However many phones answer one INVITE, what they cause is bounded.
func TestForksAreBounded(t *testing.T) {
	t.Parallel()
	r, p, inv, out := ringPhone(t, time.Second)
	p.respond(inv, 200, "OK", "a1", sdpGood)
	l := next(t, out).leg
	for i := range forksMost - 1 {
		p.respond(inv, 200, "OK", fmt.Sprintf("f%d", i), sdpGood)
		p.respond(p.expect("BYE", "BYE"), 200, "OK", "", "")
	}
	r.quiet(t)
	p.caughtUp()
	p.respond(inv, 200, "OK", "more", sdpGood)
	p.silence(50*time.Millisecond, "BYE")
	endCall(p, l)
}

// A far end that wants a longer session each time does not have us ask for ever.
func TestLengthenedWithoutEnd(t *testing.T) {
	t.Parallel()
	_, p, inv, out := ringPhone(t, time.Second)
	for i := range raisesMost + 1 {
		require.Equal(t, fmt.Sprint(i+1), cseq(inv))
		p.respond(inv, 422, "Session Interval Too Small", "a1", "", fmt.Sprintf("Min-SE: %d", 4000+i))
		p.expect("ACK", "ACK")
		if i < raisesMost {
			inv = p.expect("INVITE", "INVITE")
		}
	}
	require.Error(t, next(t, out).err)
}

// A 200 too large to be sent is answered for all the same, and its transaction is not kept.
func TestAnswerTooLarge(t *testing.T) {
	t.Parallel()
	failed := make(chan error, 1)
	done := make(chan struct{})
	r := newRig(t, func(o *Options) {
		o.OnIncoming = func(_ context.Context, in call.Incoming) {
			in.Leg.(*leg).invite.tx.OnTerminate(func(string, error) { close(done) })
			_, err := in.Leg.Answer()
			failed <- err
		}
	})
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	lines := []string{sdpHeader}
	for range 26 {
		lines = append(lines, "Record-Route: <sip:"+strings.Repeat("a", 300)+"@127.0.0.1;lr>")
	}
	k.invite(lines[1:]...)
	k.p.status("INVITE", 500)
	require.ErrorIs(t, next(t, failed), sipmsg.ErrUDPMTUCongestion)
	next(t, done)
}

// Requests sent one behind the other are in order, whichever goroutine is first.
func TestPipelinedRequests(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 1)
	r := newRig(t, func(o *Options) { o.OnIncoming = untilOver(legs) })
	k := newPeer(t, "tcp", r.tcp()).dialog(testNumber)
	k.answered()
	next(t, legs)
	for range 50 {
		k.seq += 2
		k.p.write(k.message("INFO", k.seq-1, newBranch(), "") + k.message("INFO", k.seq, newBranch(), ""))
		k.p.status("INFO", 200)
		k.p.status("INFO", 200)
	}
	k.p.write(k.message("INFO", k.seq-1, newBranch(), ""))
	k.p.status("INFO", 500)
	k.bye()
}

// A phone that we rang may count its requests from 0.
func TestNumbersFromZero(t *testing.T) {
	t.Parallel()
	var d dialog
	for _, seq := range []uint32{0, 1} {
		req := sipmsg.NewRequest(sipmsg.INFO, sipmsg.Uri{Scheme: schemeSIP, Host: "x"})
		req.AppendHeader(&sipmsg.CSeqHeader{SeqNo: seq, MethodName: sipmsg.INFO})
		require.True(t, d.inOrder(req))
	}
}
