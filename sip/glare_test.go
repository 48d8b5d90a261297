package sip

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// later requires a Retry-After of 0 to 10 s (RFC 3261 section 14.2, RFC 3311 section 5.2).
func later(t *testing.T, w wire) {
	t.Helper()
	after, err := strconv.Atoi(w.header("retry-after"))
	require.NoError(t, err)
	require.True(t, after >= 0 && after <= 10)
}

// What each request of the far end's gets while something is under way: 0 stands for being handed to the owner.
func TestGlare(t *testing.T) {
	t.Parallel()
	// Each state is entered, and left again by what it returns.
	states := map[string]func(t *testing.T, r *rig, k *talk, l *leg, commands chan call.Command) (leave func()){
		"nothing": func(*testing.T, *rig, *talk, *leg, chan call.Command) func() { return func() {} },
		"their re-INVITE": func(t *testing.T, _ *rig, k *talk, _ *leg, commands chan call.Command) func() {
			t.Helper()
			k.request("INVITE", sdpHold, sdpHeader)
			re, ok := next(t, commands).(call.Reoffered)
			require.True(t, ok)
			seq := k.seq
			return func() {
				_, err := re.Accept()
				require.NoError(t, err)
				w := k.p.expect("SIP/2.0 200", "INVITE")
				k.p.write(k.message("ACK", seq, newBranch(), ""))
				require.Equal(t, strconv.Itoa(seq)+" INVITE", w.header("cseq"))
			}
		},
		"their UPDATE": func(t *testing.T, _ *rig, k *talk, _ *leg, commands chan call.Command) func() {
			t.Helper()
			k.request("UPDATE", sdpHold, sdpHeader)
			re, ok := next(t, commands).(call.Reoffered)
			require.True(t, ok)
			return func() {
				_, err := re.Accept()
				require.NoError(t, err)
				require.Equal(t, sdpOurs, k.p.expect("SIP/2.0 200", "UPDATE").body)
			}
		},
		"our offer in a 200": func(t *testing.T, _ *rig, k *talk, _ *leg, commands chan call.Command) func() {
			t.Helper()
			k.request("INVITE", "")
			seq := k.seq
			_, err := next(t, commands).(call.Reoffered).Accept()
			require.NoError(t, err)
			k.p.status("INVITE", 200)
			return func() {
				k.p.write(k.message("ACK", seq, newBranch(), sdpGood, sdpHeader))
				_, ok := next(t, commands).(call.MediaChanged)
				require.True(t, ok)
			}
		},
		"our 200 without its ACK": func(t *testing.T, _ *rig, k *talk, _ *leg, commands chan call.Command) func() {
			t.Helper()
			k.request("INVITE", sdpGood, sdpHeader)
			seq := k.seq
			_, err := next(t, commands).(call.Reoffered).Accept()
			require.NoError(t, err)
			k.p.status("INVITE", 200)
			return func() { k.p.write(k.message("ACK", seq, newBranch(), "")) }
		},
		"our re-INVITE": func(t *testing.T, r *rig, k *talk, l *leg, _ chan call.Command) func() {
			t.Helper()
			r.ask(l)
			req := k.p.expect("INVITE sip:caller", "INVITE")
			return func() {
				k.p.respond(req, 200, "OK", "", sdpGood)
				k.p.expect("ACK", "ACK")
			}
		},
		"our UPDATE": func(t *testing.T, r *rig, k *talk, l *leg, _ chan call.Command) func() {
			t.Helper()
			l.mu.Lock()
			l.d.Update = true
			l.mu.Unlock()
			r.ask(l)
			req := k.p.expect("UPDATE sip:caller", "UPDATE")
			return func() { k.p.respond(req, 200, "OK", "", "") }
		},
	}
	for _, c := range []struct {
		state                 string
		reinvite, offer, bare int // what a re-INVITE, an UPDATE with an offer, and one without get
	}{
		{"nothing", 0, 0, 200},
		{"their re-INVITE", 500, 500, 200},
		{"their UPDATE", 500, 500, 500},
		{"our offer in a 200", 491, 491, 200},
		{"our 200 without its ACK", 0, 0, 200},
		{"our re-INVITE", 491, 491, 200},
		{"our UPDATE", 0, 0, 200},
	} {
		for _, request := range []struct {
			method, body string
			code         int
		}{{"INVITE", sdpGood, c.reinvite}, {"UPDATE", sdpGood, c.offer}, {"UPDATE", "", c.bare}} {
			t.Run(c.state+" "+request.method+strconv.Itoa(len(request.body)), func(t *testing.T) {
				t.Parallel()
				r, k, l, commands := upWith(t, nil)
				leave := states[c.state](t, r, k, l, commands)
				k.request(request.method, request.body, sdpHeader)
				seq := k.seq
				if request.code == 0 {
					_, err := next(t, commands).(call.Reoffered).Accept()
					require.NoError(t, err)
				}
				w := k.finalOf(request.method, seq)
				require.Equal(t, max(request.code, 200), w.code(t), w.start)
				if request.method == "INVITE" {
					k.ack(w, "")
				}
				if request.code == 500 {
					later(t, w)
				}
				leave()
				proved(t, l)
				require.NoError(t, l.Context().Err())
				k.bye()
			})
		}
	}
}

// finalOf reads the final response to one request.
func (k *talk) finalOf(method string, seq int) wire {
	k.p.t.Helper()
	for {
		w := k.p.expect("SIP/2.0", method)
		if w.header("cseq") == strconv.Itoa(seq)+" "+method && w.code(k.p.t) >= 200 {
			return w
		}
	}
}

// code is a response's status.
func (w wire) code(tb testing.TB) int {
	tb.Helper()
	code, err := strconv.Atoi(w.start[len("SIP/2.0 "):][:3])
	require.NoError(tb, err)
	return code
}

// In an early dialog an offer waits for the INVITE's to be answered (RFC 3311 section 5.2); the target may move.
func TestUpdateEarly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		offer string // the INVITE's
		code  int    // for one in an UPDATE
	}{"their offer open": {sdpGood, 500}, "ours to come": {"", 491}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			legs := make(chan call.Leg, 1)
			r := newRig(t, func(o *Options) {
				o.OnIncoming = func(_ context.Context, in call.Incoming) {
					_ = in.Leg.Ring()
					legs <- in.Leg
					<-in.Leg.Context().Done()
				}
			})
			k := newPeer(t, "udp", r.udp()).dialog(testNumber)
			k.request("INVITE", c.offer, sdpHeader)
			invite := k.seq
			k.toTag = k.p.expect("SIP/2.0 180", "INVITE").tag("to")
			l := next(t, legs)
			k.request("UPDATE", sdpGood, sdpHeader)
			w := k.p.status("UPDATE", c.code)
			if c.code == 500 {
				later(t, w)
			}
			k.request("UPDATE", "", "Supported: timer", "Session-Expires: 600")
			w = k.p.status("UPDATE", 200)
			require.Empty(t, w.body)
			require.Empty(t, w.header("session-expires"), "there is no session yet")
			_, err := l.Answer()
			require.NoError(t, err)
			k.p.status("INVITE", 200)
			k.p.write(k.message("ACK", invite, newBranch(), sdpGood, sdpHeader))
			k.request("UPDATE", "")
			k.p.status("UPDATE", 200)
			alive(t, k.p, l.(*leg))
		})
	}
}

// A phone that we ring may refresh its target, but not offer beside our offer.
func TestUpdateOfRingingPhone(t *testing.T) {
	t.Parallel()
	_, p, inv, out := ringPhone(t, rigT1)
	p.respond(inv, 180, "Ringing", "a1", "")
	k := &talk{p: p, callID: inv.header("call-id"), fromTag: "a1", toTag: inv.tag("from"), number: "hotline"}
	k.request("UPDATE", sdpGood, sdpHeader)
	p.status("UPDATE", 491)
	k.request("UPDATE", "")
	require.NotEmpty(t, p.status("UPDATE", 200).header("contact"))
	p.respond(inv, 200, "OK", "a1", sdpGood)
	p.expect("ACK", "ACK")
	l, ok := next(t, out).leg.(*leg)
	require.True(t, ok)
	alive(t, p, l)
}

// An UPDATE with an offer is answered at once by one 200, which nothing acknowledges (RFC 3311 section 5.2).
func TestUpdateWithOffer(t *testing.T) {
	t.Parallel()
	r, k, l, commands := upWith(t, func(o *Options) { o.T1 = 100 * time.Millisecond })
	for _, c := range []struct {
		sdp  string
		held bool
	}{{sdpHold, true}, {sdpHold, true}, {sdpGood, false}} {
		k.request("UPDATE", c.sdp, sdpHeader)
		re, ok := next(t, commands).(call.Reoffered)
		require.True(t, ok)
		held, err := re.Accept()
		require.NoError(t, err)
		require.Equal(t, c.held, held)
		w := k.p.status("UPDATE", 200)
		require.Equal(t, sdpOurs, w.body)
		require.NotEmpty(t, w.header("contact"))
		_, err = re.Accept()
		require.ErrorIs(t, err, errSettled)
	}
	k.request("UPDATE", sdpNone, sdpHeader)
	_, err := next(t, commands).(call.Reoffered).Accept()
	require.Error(t, err)
	k.p.status("UPDATE", 488)
	k.request("UPDATE", sdpHold, sdpHeader)
	next(t, commands).(call.Reoffered).Refuse(call.CauseDeclined)
	k.p.status("UPDATE", 603)
	k.request("UPDATE", "text", "Content-Type: text/plain")
	k.p.status("UPDATE", 415)
	require.False(t, r.engine.opened()[0].Held(), "a refusal changes nothing")
	k.p.silence(3*r.o.T1, "SIP/2.0 200") // nothing is resent: no ACK is waited for
	alive(t, k.p, l)
}

// An owner that does not answer an UPDATE holds it up for a while only, and a leg's end ends it.
func TestUpdateNotAnswered(t *testing.T) {
	t.Parallel()
	_, k, l, commands := upWith(t, func(o *Options) { o.T1 = 200 * time.Millisecond })
	k.request("UPDATE", sdpHold, sdpHeader)
	re, ok := next(t, commands).(call.Reoffered)
	require.True(t, ok)
	k.p.status("UPDATE", 504)
	_, err := re.Accept()
	require.ErrorIs(t, err, errSettled)
	k.request("UPDATE", sdpHold, sdpHeader)
	next(t, commands)
	l.Hangup(call.CauseBye)
	k.p.status("UPDATE", 487)
}

// The target is refreshed by an UPDATE that is taken, and only by one.
func TestUpdateMovesTarget(t *testing.T) {
	t.Parallel()
	r, k, l, commands := upWith(t, nil)
	first, second := newPeer(t, "udp", r.udp()), newPeer(t, "udp", r.udp())
	at := func(p *peer, body string) {
		k.seq++
		k.p.write(replaceOnce(t, k.message("UPDATE", k.seq, newBranch(), body, sdpHeader),
			"Contact: <sip:caller@"+k.p.addr(), "Contact: <sip:caller@"+p.addr()))
	}
	at(first, "")
	k.p.status("UPDATE", 200)
	at(second, sdpHold)
	next(t, commands).(call.Reoffered).Refuse(call.CauseDeclined)
	k.p.status("UPDATE", 603)
	alive(t, first, l)
}

// Outside any dialog an UPDATE is nobody's.
func TestUpdateUnknown(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.toTag = "nobody"
	k.request("UPDATE", "")
	k.p.status("UPDATE", 481)
}

// Once our offer in a reliable 18x has its answer, an UPDATE may offer before the 200 (RFC 3311 section 5.1); while it
// has none, 491.
func TestUpdateAfterEarlyAnswer(t *testing.T) {
	t.Parallel()
	legs, commands := make(chan call.Leg, 1), make(chan call.Command, 4)
	r := newRig(t, func(o *Options) {
		o.OnIncoming = func(_ context.Context, in call.Incoming) {
			in.Leg.Attach(func(c call.Command) bool { commands <- c; return true })
			_ = in.Leg.Ring()
			legs <- in.Leg
			<-in.Leg.Context().Done()
		}
	})
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.request("INVITE", "", "Require: 100rel")
	invite := k.seq
	ringing := k.p.expect("SIP/2.0 180", "INVITE")
	k.toTag = ringing.tag("to")
	l := next(t, legs)
	k.request("UPDATE", sdpHold, sdpHeader)
	k.p.status("UPDATE", 491)
	k.request("PRACK", sdpGood, sdpHeader, "RAck: "+ringing.header("rseq")+" "+ringing.header("cseq"))
	k.p.status("PRACK", 200)
	_, ok := next(t, commands).(call.MediaChanged)
	require.True(t, ok)
	require.Eventually(t, func() bool {
		l := l.(*leg)
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.reliably.open == nil
	}, testWait, time.Millisecond)
	k.request("UPDATE", sdpHold, sdpHeader)
	held, err := next(t, commands).(call.Reoffered).Accept()
	require.NoError(t, err)
	require.True(t, held)
	require.Equal(t, sdpOurs, k.p.status("UPDATE", 200).body)
	_, err = l.Answer()
	require.NoError(t, err)
	k.p.status("INVITE", 200)
	k.p.write(k.message("ACK", invite, newBranch(), ""))
	l.(*leg).acknowledged(t)
	alive(t, k.p, l.(*leg))
}
