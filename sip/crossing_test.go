package sip

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// The caller hangs up without having acknowledged our 200: it is not resent any more, and we send no BYE.
func TestByeBeforeAck(t *testing.T) {
	t.Parallel()
	const t1 = 50 * time.Millisecond
	c := incomingCall(t, t1, sdpGood)
	_, err := c.leg.Answer()
	require.NoError(t, err)
	c.toTag = c.p.status("INVITE", 200).tag("to")
	c.over()
	e := ended(t, c.leg)
	require.Equal(t, call.Far, e.By)
	require.Equal(t, call.CauseBye, e.Why)
	c.quiet(t)
	c.p.caughtUp()
	c.p.silence(3*t1, "SIP/2.0 200")
}

// A re-INVITE that overtakes the ACK of the INVITE before it is taken; each 200 waits for an ACK of its own (RFC
// 5407 section 3.1.4 for one with an offer of ours, which must be answered first).
func TestReinviteBeforeAck(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 1)
	commands := make(chan call.Command, 1)
	r := newRig(t, func(o *Options) {
		o.T1 = 100 * time.Millisecond
		o.OnIncoming = func(_ context.Context, in call.Incoming) {
			in.Leg.Attach(func(cmd call.Command) bool { commands <- cmd; return true })
			if _, err := in.Leg.Answer(); err == nil {
				legs <- in.Leg
				<-in.Leg.Context().Done()
			}
		}
	})
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.invite()
	first := k.p.status("INVITE", 200)
	k.toTag = first.tag("to")
	k.request("INVITE", sdpHold, sdpHeader)
	held, err := next(t, commands).(call.Reoffered).Accept()
	require.NoError(t, err)
	require.True(t, held)
	var second wire
	for second.start == "" {
		if w := k.p.status("INVITE", 200); cseq(w) == "2" {
			second = w
		}
	}
	k.ack(second, "")
	k.p.expect("SIP/2.0 200", "INVITE") // the first is resent until its own ACK
	k.p.write(k.message("ACK", 1, newBranch(), ""))
	l := legOf(next(t, legs))
	l.acknowledged(t)
	k.p.caughtUp()
	k.p.silence(300*time.Millisecond, "SIP/2.0 200")
	require.NoError(t, l.Context().Err())
	k.bye()
}

// What a withdrawn ring's phone may answer, in any order: when the INVITE has its final response nothing is left,
// and without one 64·T1 after the CANCEL we give up (RFC 3261 section 9.1).
func TestWithdrawnCrossings(t *testing.T) {
	t.Parallel()
	ok := func(p *peer, w wire) { p.respond(w, 200, "OK", "a1", "") }
	terminated := func(p *peer, inv wire) { p.respond(inv, 487, "Request Terminated", "a1", ""); p.expect("ACK", "ACK") }
	// answered is an answer that crossed, which is acknowledged however often it comes, and hung up once.
	answered := func(p *peer, inv wire) {
		p.respond(inv, 200, "OK", "a1", sdpGood)
		ack := p.expect("ACK", "ACK")
		p.respond(p.expect("BYE", "BYE"), 200, "OK", "", "") // at once, before it is sent again
		p.respond(inv, 200, "OK", "a1", sdpGood)
		require.Equal(p.t, ack.raw, p.expect("ACK", "ACK").raw)
		p.silence(50*time.Millisecond, "BYE")
	}
	for name, c := range map[string]struct {
		t1  time.Duration
		act func(p *peer, inv, cancel wire)
	}{
		"cancelled":                      {time.Second, func(p *peer, inv, c wire) { ok(p, c); terminated(p, inv) }},
		"487 before the CANCEL's 200":    {time.Second, func(p *peer, inv, c wire) { terminated(p, inv); ok(p, c) }},
		"CANCEL unknown, busy":           {time.Second, func(p *peer, inv, c wire) { p.respond(c, 481, "No", "a1", ""); p.respond(inv, 486, "Busy", "a1", "") }},
		"CANCEL's 200 lost":              {time.Second, func(p *peer, inv, c wire) { p.expect("CANCEL", "CANCEL"); ok(p, c); terminated(p, inv) }},
		"answered before the CANCEL":     {time.Second, func(p *peer, inv, c wire) { answered(p, inv); p.respond(c, 481, "No", "a1", "") }},
		"answered, and the CANCEL's 200": {time.Second, func(p *peer, inv, c wire) { ok(p, c); answered(p, inv) }},
		"two answered":                   {time.Second, func(p *peer, inv, c wire) { ok(p, c); answered(p, inv); another(p, inv) }},
		"CANCEL's 200, and nothing":      {20 * time.Millisecond, func(p *peer, _, c wire) { ok(p, c) }},
		"nothing, and then more ringing": {20 * time.Millisecond, func(p *peer, inv, c wire) { p.respond(inv, 180, "Ringing", "a1", ""); ok(p, c) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			r, p := registeredPhone(t, c.t1)
			out := r.ring(ctx, nil)
			inv := p.expect("INVITE", "INVITE")
			p.respond(inv, 180, "Ringing", "a1", "")
			cancel(call.CancelCause{Why: call.CauseElsewhere})
			took := p.expect("CANCEL", "CANCEL")
			require.Equal(t, viaBranch(inv), viaBranch(took))
			require.Equal(t, cseq(inv), cseq(took))
			c.act(p, inv, took)
			var re *call.RingError
			require.ErrorAs(t, next(t, out).err, &re)
			require.Equal(t, call.CauseElsewhere, re.Why)
			r.quiet(t)
		})
	}
}

// A ring that is taken back before the phone has said anything does not hold up Close, and no CANCEL is sent.
func TestCloseWithCancelHeld(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r, p := registeredPhone(t, 5*time.Millisecond)
	out := r.ring(ctx, nil)
	p.expect("INVITE", "INVITE")
	cancel()
	require.Error(t, next(t, out).err)
	require.NoError(t, r.Close())
	p.silence(50*time.Millisecond, "CANCEL")
}

// another has a second phone answer an INVITE that was taken back.
func another(p *peer, inv wire) {
	p.t.Helper()
	p.respond(inv, 200, "OK", "b2", sdpGood)
	require.Equal(p.t, "b2", p.expect("ACK", "ACK").tag("to"))
	bye := p.expect("BYE", "BYE")
	require.Equal(p.t, "b2", bye.tag("to"))
	p.respond(bye, 200, "OK", "", "")
}

// An early dialog ends with the INVITE's final response, whatever its phone said before (RFC 3261 section 12.3).
func TestEarlyDialogRefused(t *testing.T) {
	t.Parallel()
	_, p, inv, out := ringPhone(t, time.Second)
	p.respond(inv, 180, "Ringing", "a1", "", reliableLines(1)...)
	p.respond(p.expect("PRACK", "PRACK"), 200, "OK", "", "")
	p.byeAs(inv, "a1") // a callee may not (RFC 3261 section 15), but it is answered
	p.status("BYE", 200)
	p.respond(inv, 486, "Busy", "a1", "")
	p.expect("ACK", "ACK")
	var re *call.RingError
	require.ErrorAs(t, next(t, out).err, &re)
	require.Equal(t, call.CauseBusy, re.Why)
	p.byeAs(inv, "a1")
	p.status("BYE", 481)
}

// A phone of RFC 2543 answers without a tag: so are our ACK and BYE, and its next answer is the same one again.
func TestAnswerWithoutTag(t *testing.T) {
	t.Parallel()
	_, p, inv, out := ringPhone(t, time.Second)
	p.respond(inv, 180, "Ringing", "", "")
	p.respond(inv, 200, "OK", "", sdpGood)
	ack := p.expect("ACK", "ACK")
	require.Equal(t, inv.header("to"), ack.header("to"))
	got := next(t, out)
	require.NoError(t, got.err)
	p.respond(inv, 200, "OK", "", sdpGood)
	require.Equal(t, ack.raw, p.expect("ACK", "ACK").raw)
	require.Equal(t, inv.header("to"), endCall(p, got.leg).header("to"))
}

// The far end of a call we rang moves: a re-INVITE's Contact is where the BYE goes, by the route set of the 2xx.
func TestRungPhoneMoves(t *testing.T) {
	t.Parallel()
	commands := make(chan call.Command, 1)
	_, p, inv, out := ringPhone(t, time.Second)
	p.respond(inv, 200, "OK", "a1", sdpGood, "Record-Route: <sip:edge.example;lr>")
	p.expect("ACK", "ACK")
	leg := next(t, out).leg
	leg.Attach(func(cmd call.Command) bool { commands <- cmd; return true })
	p.write(strings.Join([]string{
		"INVITE sip:hotline@" + p.to.String() + " SIP/2.0",
		"Via: SIP/2.0/UDP " + p.addr() + ";rport;branch=" + newBranch(), "Max-Forwards: 70",
		"From: " + inv.header("to") + ";tag=a1", "To: " + inv.header("from"), "Call-ID: " + inv.header("call-id"),
		"CSeq: 7 INVITE", "Contact: <sip:moved@new.example>", "Record-Route: <sip:ignored.example;lr>", "Content-Length: 0",
	}, "\r\n") + "\r\n\r\n")
	_, err := next(t, commands).(call.Reoffered).Accept()
	require.NoError(t, err)
	p.status("INVITE", 200)
	p.write(strings.Join([]string{
		"ACK sip:hotline@" + p.to.String() + " SIP/2.0",
		"Via: SIP/2.0/UDP " + p.addr() + ";rport;branch=" + newBranch(), "Max-Forwards: 70",
		"From: " + inv.header("to") + ";tag=a1", "To: " + inv.header("from"), "Call-ID: " + inv.header("call-id"),
		"CSeq: 7 ACK", sdpHeader, "Content-Length: " + strconv.Itoa(len(sdpGood)),
	}, "\r\n") + "\r\n\r\n" + sdpGood)
	next(t, commands) // the answer was taken
	leg.Hangup(call.CauseBye)
	bye := p.expect("BYE sip:moved@new.example ", "BYE")
	require.Equal(t, []string{"<sip:edge.example;lr>"}, bye.headers["route"])
	p.respond(bye, 200, "OK", "", "")
}
