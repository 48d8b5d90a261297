package sip

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/media"
)

func TestCallAnsweredAndHungUpByCaller(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 4)
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			r := newRig(t, func(o *Options) { o.OnIncoming = untilOver(legs) })
			to := r.udp()
			if network == "tcp" {
				to = r.tcp()
			}
			k := newPeer(t, network, to).dialog(testNumber)
			ok := k.answered()
			require.Equal(t, sdpOurs, ok.body)
			require.NotEmpty(t, ok.header("contact"))
			require.NotEmpty(t, ok.tag("to"))
			leg := next(t, legs)
			k.request("BYE", "")
			k.p.status("BYE", 200)
			e := ended(t, leg)
			require.Equal(t, call.Far, e.By)
			require.Equal(t, call.CauseBye, e.Why)
			k.request("BYE", "")
			k.p.status("BYE", 481)
		})
	}
}

func TestCallHungUpByUs(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 4)
	r := newRig(t, func(o *Options) { o.OnIncoming = untilOver(legs) })
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.answered()
	leg := next(t, legs)
	// An INFO answered shows that the ACK, sent before it, was taken.
	k.request("INFO", "")
	k.p.status("INFO", 200)
	leg.Hangup(call.CauseBye)
	leg.Hangup(call.CauseError)
	require.Equal(t, call.LegEnd{By: call.System, Why: call.CauseBye}, func() call.LegEnd {
		e := ended(t, leg)
		e.At = time.Time{}
		return e
	}())
	bye := k.p.expect("BYE sip:caller@", "BYE")
	require.Equal(t, k.toTag, bye.tag("from"))
	require.Equal(t, k.fromTag, bye.tag("to"))
	k.p.respond(bye, 200, "OK", "", "")
}

// As callee no BYE before the ACK (RFC 3261 section 15): it is sent when the ACK comes.
func TestHangupBeforeAckWaits(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 4)
	r := newRig(t, func(o *Options) { o.OnIncoming = untilOver(legs) })
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.invite()
	ok := k.p.status("INVITE", 200)
	next(t, legs).Hangup(call.CauseBye)
	k.p.silence(150*time.Millisecond, "BYE")
	k.ack(ok, "")
	k.p.respond(k.p.expect("BYE", "BYE"), 200, "OK", "", "")
}

// The 200 is resent after T1, 2·T1, 4·T1, 8·T1, 8·T1… and after 64·T1 the leg ends with a BYE. A slow machine may be
// late, so that there are fewer; nothing comes too soon.
func TestUnacknowledged200(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			const t1 = 50 * time.Millisecond
			legs := make(chan call.Leg, 1)
			r := newRig(t, func(o *Options) { o.T1, o.OnIncoming = t1, untilOver(legs) })
			to := r.udp()
			if network == "tcp" {
				to = r.tcp()
			}
			k := newPeer(t, network, to).dialog(testNumber)
			began := time.Now()
			k.invite()
			first := k.p.status("INVITE", 200)
			var due time.Duration
			for _, gap := range []time.Duration{t1, 2 * t1, 4 * t1, 8 * t1, 8 * t1, 8 * t1} {
				again := k.p.status("INVITE", 200)
				require.Equal(t, first.raw, again.raw)
				due += gap
				require.GreaterOrEqual(t, again.at.Sub(began), due)
			}
			bye := k.p.expect("BYE", "BYE")
			require.GreaterOrEqual(t, bye.at.Sub(began), 64*t1)
			k.p.respond(bye, 200, "OK", "", "")
			e := ended(t, next(t, legs))
			require.Equal(t, call.CauseNoAck, e.Why)
		})
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	rung := make(chan call.Leg, 1)
	r := newRig(t, func(o *Options) {
		o.OnIncoming = func(_ context.Context, in call.Incoming) {
			_ = in.Leg.Ring()
			rung <- in.Leg
			<-in.Leg.Context().Done()
		}
	})
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.invite()
	ringing := k.p.expect("SIP/2.0 180", "INVITE")
	k.cancel()
	ok := k.p.status("CANCEL", 200)
	gone := k.p.status("INVITE", 487)
	k.ack(gone, "")
	require.Equal(t, ringing.tag("to"), gone.tag("to"), "RFC 3261 8.2.6.2: one tag in all responses")
	require.Equal(t, ringing.tag("to"), ok.tag("to"), "RFC 3261 9.2: the CANCEL's too")
	leg := next(t, rung)
	e := ended(t, leg)
	require.Equal(t, call.CauseCancel, e.Why)
	require.Equal(t, call.Far, e.By)
	_, err := leg.Answer()
	var le *call.LegEnd
	require.ErrorAs(t, err, &le)
	require.Error(t, leg.Ring())
}

// A CANCEL that finds the INVITE answered changes nothing (RFC 3261 section 9.2).
func TestCancelAfter200(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 4)
	r := newRig(t, func(o *Options) { o.OnIncoming = untilOver(legs) })
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.invite()
	ok := k.p.status("INVITE", 200)
	k.cancel()
	k.p.status("CANCEL", 200)
	k.ack(ok, "")
	k.request("INFO", "")
	k.p.status("INFO", 200)
	require.NoError(t, next(t, legs).Context().Err())
	k.request("BYE", "")
	k.p.status("BYE", 200)
}

// In the instant of the answer: whichever is first, both sides agree, and the wire says one thing.
func TestCancelCrossesAnswer(t *testing.T) {
	t.Parallel()
	type outcome struct {
		from string
		err  error
	}
	const rounds = 40
	outcomes := make(chan outcome, rounds)
	r := newRig(t, func(o *Options) {
		o.OnIncoming = func(_ context.Context, in call.Incoming) {
			_ = in.Leg.Ring()
			_, err := in.Leg.Answer()
			outcomes <- outcome{in.From, err}
			if err == nil {
				<-in.Leg.Context().Done()
			}
		}
	})
	heard := make(map[string]bool) // by caller: answered, as the wire says
	for i := range rounds {
		from := fmt.Sprint("1390000", i)
		k := newPeer(t, "udp", r.udp()).dialog(testNumber)
		k.invite("P-Asserted-Identity: <sip:" + from + "@x>")
		k.cancel()
		w := k.p.expect("SIP/2.0", "INVITE")
		for strings.HasPrefix(w.start, "SIP/2.0 1") {
			w = k.p.expect("SIP/2.0", "INVITE")
		}
		k.ack(w, "")
		heard[from] = strings.HasPrefix(w.start, "SIP/2.0 200")
		if heard[from] {
			k.request("BYE", "")
			k.p.status("BYE", 200)
		} else {
			require.True(t, strings.HasPrefix(w.start, "SIP/2.0 487"), w.start)
		}
	}
	r.quiet(t)
	close(outcomes)
	for o := range outcomes {
		require.Equal(t, heard[o.from], o.err == nil, o.from)
	}
}

func TestRefusedAtTheDoor(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name   string
		change func(o *Options)
		before func(r *rig)
		number string
		sdp    string
		extra  []string
		code   int
	}{
		{name: "unknown number", number: "12345", sdp: sdpGood, code: 404},
		{name: "no number", number: "%zz", sdp: sdpGood, code: 404},
		{name: "no trunk", change: func(o *Options) { o.Trunks = nil }, number: testNumber, sdp: sdpGood, code: 403},
		{name: "no codec", number: testNumber, sdp: sdpNone, code: 488},
		{name: "malformed offer", number: testNumber, sdp: sdpBad, code: 400},
		{name: "no ports", before: func(r *rig) { r.engine.refuse(media.ErrNoPorts) }, number: testNumber, sdp: sdpGood, code: 486},
		{name: "engine broken", before: func(r *rig) { r.engine.refuse(errFake) }, number: testNumber, sdp: sdpGood, code: 500},
		{name: "draining", before: func(r *rig) { r.Drain() }, number: testNumber, sdp: sdpGood, code: 503},
		{name: "escaped number", number: "%39%36777", sdp: sdpGood, code: 486},
		{name: "busy", number: testNumber, sdp: sdpGood, code: 486},
		{name: "extension required", number: testNumber, sdp: sdpGood, extra: []string{"Require: 100rel, nothing, none"}, code: 420},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(o *Options) {
				o.OnIncoming = func(_ context.Context, in call.Incoming) { in.Leg.Hangup(call.CauseBusy) }
				if c.change != nil {
					c.change(o)
				}
			})
			if c.before != nil {
				c.before(r)
			}
			k := newPeer(t, "udp", r.udp()).dialog(c.number)
			k.request("INVITE", c.sdp, append(c.extra, sdpHeader)...)
			w := k.p.status("INVITE", c.code)
			k.ack(w, "")
			require.Empty(t, w.header("retry-after"), "never: it would keep alarms away")
			if c.code == 420 {
				require.Equal(t, "nothing, none", w.header("unsupported"))
			}
		})
	}
}

func TestMaxCalls(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 4)
	r := newRig(t, func(o *Options) { o.MaxCalls, o.OnIncoming = 1, untilOver(legs) })
	first := newPeer(t, "udp", r.udp()).dialog(testNumber)
	first.answered()
	second := newPeer(t, "udp", r.udp()).dialog(testNumber)
	second.invite()
	second.ack(second.p.status("INVITE", 486), "")
	first.request("BYE", "")
	first.p.status("BYE", 200)
	require.Eventually(t, func() bool { return r.calls.total() == 0 }, testWait, time.Millisecond)
	third := newPeer(t, "udp", r.udp()).dialog(testNumber)
	third.answered()
	third.request("BYE", "")
	third.p.status("BYE", 200)
}

// Without an offer the 200 bears ours, and the ACK the answer (RFC 3261 section 13.2.1).
func TestDelayedOffer(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 4)
	r := newRig(t, func(o *Options) { o.OnIncoming = untilOver(legs) })
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.request("INVITE", "")
	ok := k.p.status("INVITE", 200)
	require.Equal(t, sdpOurs, ok.body)
	k.ack(ok, sdpGood)
	leg := next(t, legs)
	require.Eventually(t, func() bool { return r.engine.opened()[0].answerTaken() == sdpGood }, testWait, time.Millisecond)
	require.NoError(t, leg.Context().Err())
	k.request("BYE", "")
	k.p.status("BYE", 200)

	bad := newPeer(t, "udp", r.udp()).dialog(testNumber)
	bad.request("INVITE", "")
	bad.ack(bad.p.status("INVITE", 200), sdpBad)
	bad.p.respond(bad.p.expect("BYE", "BYE"), 200, "OK", "", "")
	require.Equal(t, call.CauseError, ended(t, next(t, legs)).Why)
}

func TestIncomingTellsWhoAndWhere(t *testing.T) {
	t.Parallel()
	got := make(chan call.Incoming, 1)
	r := newRig(t, func(o *Options) {
		o.OnIncoming = func(_ context.Context, in call.Incoming) {
			got <- in
			in.Leg.Hangup(call.CauseDeclined)
		}
	})
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.invite(`P-Asserted-Identity: "A, B" <sip:+8613812345678@carrier.example>`)
	k.ack(k.p.status("INVITE", 603), "")
	in := next(t, got)
	require.Equal(t, "+8613812345678", in.From, "a comma in quotes divides nothing")
	k = newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.invite(`P-Asserted-Identity: "A, B <sip:+8613812345678@carrier.example`)
	k.ack(k.p.status("INVITE", 603), "")
	in = next(t, got)
	require.Equal(t, "13900001234", in.From, "an asserted identity that cannot be read falls back to From")
	k = newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.invite("P-Asserted-Identity: <tel:+86-138-1234-5678>, <sip:x@y>")
	k.ack(k.p.status("INVITE", 603), "")
	in = next(t, got)
	require.Equal(t, "+8613812345678", in.From)
	require.Equal(t, testNumber, in.To)
	require.Equal(t, "city", in.Trunk)
	require.Equal(t, call.Next{Kind: call.Menu, Menu: "main"}, in.At)
	require.WithinDuration(t, time.Now(), in.Received, testWait)
}

func TestPanicIsContainedToItsCall(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *Options) {
		o.OnIncoming = func(context.Context, call.Incoming) { panic("on purpose") }
	})
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.invite()
	k.ack(k.p.status("INVITE", 500), "")
	require.Eventually(t, func() bool { return r.panics.Load() == 1 }, testWait, time.Millisecond)
	k.request("OPTIONS", "")
	k.p.status("OPTIONS", 481)
	o := newPeer(t, "udp", r.udp()).dialog(testNumber)
	o.request("OPTIONS", "")
	o.p.status("OPTIONS", 200)
}

// A connection that closes before the answer takes its call with it.
func TestConnectionLostWhileRinging(t *testing.T) {
	t.Parallel()
	rung := make(chan call.Leg, 1)
	r := newRig(t, func(o *Options) {
		o.OnIncoming = func(_ context.Context, in call.Incoming) {
			_ = in.Leg.Ring()
			rung <- in.Leg
			<-in.Leg.Context().Done()
		}
	})
	k := newPeer(t, "tcp", r.tcp()).dialog(testNumber)
	k.invite()
	k.p.expect("SIP/2.0 180", "INVITE")
	require.NoError(t, k.p.conn.Close())
	require.Equal(t, call.CauseTransport, ended(t, next(t, rung)).Why)
}

// An INVITE that came another way as well is refused (RFC 3261 section 8.2.2.2); a retransmission is not
// another.
func TestMergedAndRetransmitted(t *testing.T) {
	t.Parallel()
	calls := make(chan call.Leg, 4)
	r := newRig(t, func(o *Options) { o.OnIncoming = untilOver(calls) })
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.seq, k.branch = 1, newBranch()
	k.p.write(k.message("INVITE", 1, k.branch, sdpGood, sdpHeader))
	ok := k.p.status("INVITE", 200)
	k.p.write(k.message("INVITE", 1, k.branch, sdpGood, sdpHeader))
	k.ack(ok, "")
	tag := k.toTag
	k.toTag, k.branch = "", newBranch()
	k.p.write(k.message("INVITE", 1, k.branch, sdpGood, sdpHeader))
	loop := k.p.expect("SIP/2.0 482", "INVITE")
	k.ack(loop, "")
	k.toTag = tag
	k.request("BYE", "")
	k.p.status("BYE", 200)
	r.quiet(t)
	require.Len(t, calls, 1)
}

func TestCloseHangsUp(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 4)
	r := newRig(t, func(o *Options) { o.OnIncoming = untilOver(legs) })
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.answered()
	k.request("INFO", "")
	k.p.status("INFO", 200)
	closed := make(chan error, 1)
	go func() { closed <- r.Close() }()
	k.p.respond(k.p.expect("BYE", "BYE"), 200, "OK", "", "")
	require.NoError(t, next(t, closed))
	require.Equal(t, call.CauseShutdown, ended(t, next(t, legs)).Why)
}
