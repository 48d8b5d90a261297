package sip

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/icholy/digest"
	"github.com/stretchr/testify/require"

	"hotline/call"
)

// register registers the peer as agent 8001, with digest, and waits for the flow to be up.
func (p *peer) register(r *rig) {
	p.t.Helper()
	p.enlist(p.dialog("8001"))
	require.Equal(p.t, "8001 true", next(p.t, r.flows))
}

// enlist is register with the Call-ID and the numbers of k, for a phone whose flow may be up.
func (p *peer) enlist(k *talk) {
	p.t.Helper()
	p.enlistAt(k, p.addr())
}

// registerFrom is register of a phone that is at another address, with whole lines beside.
func (p *peer) registerFrom(r *rig, contact string, extra ...string) {
	p.t.Helper()
	p.enlistAt(p.dialog("8001"), contact, extra...)
	require.Equal(p.t, "8001 true", next(p.t, r.flows))
}

func (p *peer) enlistAt(k *talk, contact string, always ...string) {
	p.t.Helper()
	p.enlistAs(k, "<sip:8001@"+contact+">", always...)
}

// enlistAs is enlist with a whole Contact, and lines beside it. It returns the 200.
func (p *peer) enlistAs(k *talk, contact string, always ...string) wire {
	p.t.Helper()
	line := func(extra ...string) {
		k.seq++
		msg := k.message("REGISTER", k.seq, newBranch(), "", append(extra, always...)...)
		msg = strings.Replace(msg, "From: <sip:13900001234@", "From: <sip:8001@", 1)
		p.lastRegister = strings.Replace(msg, "Contact: <sip:caller@"+p.addr()+">", "Contact: "+contact, 1)
		p.write(p.lastRegister)
	}
	line()
	w := p.status("REGISTER", 401)
	c, err := digest.ParseChallenge(w.header("www-authenticate"))
	require.NoError(p.t, err)
	creds, err := digest.Digest(c, digest.Options{
		Method: "REGISTER", URI: fmt.Sprintf("sip:8001@%s", p.to), Username: "8001", Password: "one", Count: 1,
	})
	require.NoError(p.t, err)
	line("Authorization: " + creds.String())
	return p.status("REGISTER", 200)
}

// registeredPhone registers a phone of literal messages, agent 8001's, at a rig.
func registeredPhone(t *testing.T, t1 time.Duration) (*rig, *peer) {
	t.Helper()
	r := newRig(t, func(o *Options) { o.T1 = t1 })
	p := newPeer(t, "udp", r.udp())
	p.register(r)
	return r, p
}

// ringPhone is registeredPhone, rung.
func ringPhone(t *testing.T, t1 time.Duration) (r *rig, p *peer, inv wire, out <-chan rung) {
	t.Helper()
	r, p = registeredPhone(t, t1)
	inv, out = p.rungBy(r)
	return r, p, inv, out
}

// rungBy rings a phone that is registered, until the test ends.
func (p *peer) rungBy(r *rig) (inv wire, out <-chan rung) {
	p.t.Helper()
	out = r.ring(p.t.Context(), nil)
	return p.expect("INVITE", "INVITE"), out
}

type rung struct {
	leg call.Leg
	err error
}

// ring rings 8001 in the background.
func (r *rig) ring(ctx context.Context, progress func(int, time.Time)) <-chan rung {
	out := make(chan rung, 1)
	go func() {
		l, err := r.Ring(ctx, call.RingRequest{
			Agent: "8001", From: "13900001234", Display: "张\"三", CallID: "c1", Progress: progress,
		})
		out <- rung{l, err}
	}()
	return out
}

func TestRingAnswered(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			to := r.udp()
			if network == "tcp" {
				to = r.tcp()
			}
			p := newPeer(t, network, to)
			p.register(r)
			codes := make(chan int, 4)
			out := r.ring(t.Context(), func(code int, at time.Time) {
				require.WithinDuration(t, time.Now(), at, testWait)
				codes <- code
			})
			inv := p.expect("INVITE sip:8001@"+p.addr(), "INVITE")
			require.Contains(t, inv.header("from"), `"张三" <sip:13900001234@`)
			require.Equal(t, sdpOurs, inv.body)
			p.respond(inv, 100, "Trying", "", "")
			p.respond(inv, 180, "Ringing", "a1", "")
			require.Equal(t, 180, next(t, codes))
			p.respond(inv, 200, "OK", "a1", sdpGood)
			ack := p.expect("ACK sip:8001@", "ACK")
			require.Equal(t, "a1", ack.tag("to"))
			require.Equal(t, strings.Fields(inv.header("cseq"))[0], strings.Fields(ack.header("cseq"))[0])
			require.NotEqual(t, inv.header("via"), ack.header("via"))
			got := next(t, out)
			require.NoError(t, got.err)
			p.respond(inv, 200, "OK", "a1", sdpGood) // as if the ACK were lost
			require.Equal(t, ack.raw, p.expect("ACK", "ACK").raw, "a repeated 200 is acknowledged again")
			_, err := got.leg.Answer()
			require.NoError(t, err)
			require.ErrorIs(t, got.leg.Ring(), errAnswered)
			got.leg.Hangup(call.CauseBye)
			p.respond(p.expect("BYE sip:8001@", "BYE"), 200, "OK", "", "")
		})
	}
}

func TestRingHungUpByAgent(t *testing.T) {
	t.Parallel()
	_, p, inv, out := ringPhone(t, rigT1)
	p.respond(inv, 200, "OK", "a1", sdpGood)
	p.expect("ACK", "ACK")
	leg := next(t, out).leg
	p.byeAs(inv, "a1")
	p.status("BYE", 200)
	e := ended(t, leg)
	require.Equal(t, call.Far, e.By)
	require.Equal(t, call.CauseBye, e.Why)
}

// byeAs hangs up the dialog that the peer's 2xx to inv made.
func (p *peer) byeAs(inv wire, tag string) {
	p.t.Helper()
	p.write(strings.Join([]string{
		fmt.Sprintf("BYE sip:hotline@%s SIP/2.0", p.to),
		fmt.Sprintf("Via: SIP/2.0/%s %s;rport;branch=%s", p.transport(), p.addr(), newBranch()),
		"Max-Forwards: 70", "From: " + inv.header("to") + ";tag=" + tag, "To: " + inv.header("from"),
		"Call-ID: " + inv.header("call-id"), "CSeq: 1 BYE", "Content-Length: 0",
	}, "\r\n") + "\r\n\r\n")
}

func TestRingRefused(t *testing.T) {
	t.Parallel()
	r, p := registeredPhone(t, rigT1)
	for code, why := range map[int]call.Cause{
		486: call.CauseBusy, 603: call.CauseDeclined, 480: call.CauseDeclined, 404: call.CauseUnreachable,
		500: call.CauseUnreachable, 302: call.CauseDeclined, 401: call.CauseDeclined, 407: call.CauseDeclined,
		408: call.CauseUnreachable, 415: call.CauseUnreachable, 420: call.CauseUnreachable, 488: call.CauseUnreachable,
		491: call.CauseUnreachable, 606: call.CauseUnreachable,
	} {
		inv, out := p.rungBy(r)
		p.respond(inv, code, "No", "a1", "")
		p.expect("ACK", "ACK")
		var re *call.RingError
		require.ErrorAs(t, next(t, out).err, &re)
		require.Equal(t, why, re.Why, code)
		require.Equal(t, code, re.Code)
	}
}

func TestRingNobody(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	_, err := r.Ring(t.Context(), call.RingRequest{Agent: "8001"})
	var re *call.RingError
	require.ErrorAs(t, err, &re)
	require.Equal(t, call.CauseUnreachable, re.Why)
}

// Over TCP the flow goes with its connection, at once.
func TestRingAfterConnectionClosed(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	p := newPeer(t, "tcp", r.tcp())
	p.register(r)
	require.NoError(t, p.conn.Close())
	require.Equal(t, "8001 false", next(t, r.flows))
	_, err := r.Ring(t.Context(), call.RingRequest{Agent: "8001"})
	require.Error(t, err)
}

// TestRingUnheard: a phone that let a ring go unanswered until that was taken back is pinged at once, so that it is soon known to be
// gone; one that has said anything is not. The pings that are due anyway are 15 s apart.
func TestRingUnheard(t *testing.T) {
	t.Parallel()
	for name, heard := range map[string]bool{"nothing": false, "a 100": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, p := registeredPhone(t, 20*time.Millisecond)
			ctx, cancel := context.WithCancel(t.Context())
			out := r.ring(ctx, nil)
			for range 3 { // sent, and sent again after T1 and 3·T1
				inv := p.expect("INVITE", "INVITE")
				if heard {
					p.respond(inv, 100, "Trying", "", "")
					break
				}
			}
			if heard {
				p.silence(60*time.Millisecond, "OPTIONS")
			}
			cancel()
			if !heard {
				p.expectPing()
			} else {
				p.settle(p.expect("CANCEL", "CANCEL"))
				p.silence(100*time.Millisecond, "OPTIONS")
			}
			var re *call.RingError
			require.ErrorAs(t, next(t, out).err, &re)
			require.Equal(t, call.CauseWithdrawn, re.Why)
		})
	}
}

func TestRingWithdrawn(t *testing.T) {
	t.Parallel()
	r, p := registeredPhone(t, 100*time.Millisecond)
	withdraw := func(why call.Cause) (context.Context, func()) {
		ctx, cancel := context.WithCancelCause(t.Context())
		return ctx, func() { cancel(call.CancelCause{Why: why}) }
	}
	requireWhy := func(out <-chan rung, why call.Cause) {
		var re *call.RingError
		require.ErrorAs(t, next(t, out).err, &re)
		require.Equal(t, why, re.Why)
	}

	// After a provisional response: CANCEL, with the INVITE's branch.
	ctx, cancel := withdraw(call.CauseElsewhere)
	rings := make(chan int, 1)
	out := r.ring(ctx, func(code int, _ time.Time) { rings <- code })
	inv := p.expect("INVITE", "INVITE")
	p.respond(inv, 180, "Ringing", "a1", "")
	next(t, rings)
	cancel()
	requireWhy(out, call.CauseElsewhere)
	c := p.expect("CANCEL sip:8001@", "CANCEL")
	require.Equal(t, inv.header("via"), c.header("via"))
	require.Equal(t, `SIP ;cause=200 ;text="Call completed elsewhere"`, c.header("reason"), "RFC 3326 section 3.1")
	p.respond(c, 200, "OK", "a1", "")
	p.respond(inv, 487, "Request Terminated", "a1", "")
	p.expect("ACK", "ACK")

	// Before one: the CANCEL waits for it (RFC 3261 section 9.1).
	ctx, cancel = withdraw(call.CauseWithdrawn)
	out = r.ring(ctx, nil)
	inv = p.expect("INVITE", "INVITE")
	cancel()
	requireWhy(out, call.CauseWithdrawn)
	p.silence(100*time.Millisecond, "CANCEL")
	p.respond(inv, 180, "Ringing", "a2", "")
	c = p.expect("CANCEL", "CANCEL")
	require.Empty(t, c.header("reason"), "nobody has taken it")
	// An answer that crosses the CANCEL is acknowledged and hung up.
	p.respond(inv, 200, "OK", "a2", sdpGood)
	p.respond(c, 200, "OK", "a2", "")
	require.Equal(t, "a2", p.expect("ACK", "ACK").tag("to"))
	bye := p.expect("BYE", "BYE")
	require.Equal(t, "a2", bye.tag("to"))
	p.respond(bye, 200, "OK", "", "")

	// A deadline is an agent who did not answer.
	short, stop := context.WithTimeout(t.Context(), 2*time.Second) // by when it rings
	defer stop()
	out = r.ring(short, nil)
	inv = p.expect("INVITE", "INVITE")
	requireWhy(out, call.CauseNoAnswer)
	p.respond(inv, 486, "Busy", "a3", "")
	p.expect("ACK", "ACK")
}

// Behind a fork a second phone may answer too: it is acknowledged and hung up, and the first is not.
func TestRingForked(t *testing.T) {
	t.Parallel()
	_, p, inv, out := ringPhone(t, rigT1)
	p.respond(inv, 200, "OK", "a1", sdpGood)
	require.Equal(t, "a1", p.expect("ACK", "ACK").tag("to"))
	p.respond(inv, 200, "OK", "b2", sdpGood)
	require.Equal(t, "b2", p.expect("ACK", "ACK").tag("to"))
	bye := p.expect("BYE", "BYE")
	require.Equal(t, "b2", bye.tag("to"))
	p.respond(bye, 200, "OK", "", "")
	leg := next(t, out).leg
	require.NoError(t, leg.Context().Err())
	leg.Hangup(call.CauseBye)
	bye = p.expect("BYE", "BYE")
	require.Equal(t, "a1", bye.tag("to"))
	p.respond(bye, 200, "OK", "", "")
}

func TestRingAnswerUnusable(t *testing.T) {
	t.Parallel()
	_, p, inv, out := ringPhone(t, rigT1)
	p.respond(inv, 200, "OK", "a1", sdpNone)
	p.expect("ACK", "ACK")
	p.respond(p.expect("BYE", "BYE"), 200, "OK", "", "")
	var re *call.RingError
	require.ErrorAs(t, next(t, out).err, &re)
	require.Equal(t, call.CauseUnreachable, re.Why)
}

// A source that holds an agent's flow is an agent first: it must prove it, though the trunk would let it in.
func TestAgentCallsIn(t *testing.T) {
	t.Parallel()
	got := make(chan call.Incoming, 1)
	r := newRig(t, func(o *Options) {
		o.Trunks[0].Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		o.OnIncoming = func(_ context.Context, in call.Incoming) {
			got <- in
			in.Leg.Hangup(call.CauseDeclined)
		}
	})
	p := newPeer(t, "udp", r.udp())
	p.register(r)
	p.dialAs8001(603)
	in := next(t, got)
	require.Equal(t, "8001", in.Agent)
	require.Empty(t, in.Trunk)
}

// The registrar's pings are OPTIONS over the flow, and any answer is a sign of life.
func TestPing(t *testing.T) {
	t.Parallel()
	r, p := registeredPhone(t, rigT1)
	f, ok := r.registrar.lookup("8001")
	require.True(t, ok)
	done := make(chan error, 1)
	go func() { done <- r.ping(t.Context(), f) }()
	p.respond(p.expect("OPTIONS sip:8001@"+p.addr(), "OPTIONS"), 486, "Busy", "x", "")
	require.NoError(t, next(t, done))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, r.ping(ctx, f), context.DeadlineExceeded)
}

// inviteAsAgent dials as agent 8001, with the password, from where it is registered.
func (p *peer) inviteAsAgent(number string, extra ...string) *talk {
	p.t.Helper()
	k := p.dialog(number)
	send := func(extra ...string) {
		k.seq++
		k.branch = newBranch()
		msg := k.message("INVITE", k.seq, k.branch, sdpGood, append(extra, sdpHeader)...)
		p.write(strings.Replace(msg, "From: <sip:13900001234@", "From: <sip:8001@", 1))
	}
	send(extra...)
	w := p.status("INVITE", 401)
	c, err := digest.ParseChallenge(w.header("www-authenticate"))
	require.NoError(p.t, err)
	k.ack(w, "")
	k.toTag = ""
	creds, err := digest.Digest(c, digest.Options{
		Method: "INVITE", URI: fmt.Sprintf("sip:%s@%s", number, p.to), Username: "8001", Password: "one", Count: 1,
	})
	require.NoError(p.t, err)
	send(append(extra, "Authorization: "+creds.String())...)
	return k
}
