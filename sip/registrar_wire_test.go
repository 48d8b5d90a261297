package sip

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/icholy/digest"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/media"
)

// boot is one start of agent 8001's phone: all its REGISTERs have one Call-ID.
type boot struct {
	k     *talk
	chal  *digest.Challenge
	count int
	last  string // as sent
}

func (p *peer) boot() *boot { return &boot{k: p.dialog("8001")} }

// send sends the next REGISTER, with credentials once there was a challenge.
func (b *boot) send(extra ...string) {
	b.k.p.t.Helper()
	if b.chal != nil {
		b.count++
		creds, err := digest.Digest(b.chal, digest.Options{
			Method: "REGISTER", URI: fmt.Sprintf("sip:8001@%s", b.k.p.to), Username: "8001", Password: "one", Count: b.count,
		})
		require.NoError(b.k.p.t, err)
		extra = append(extra, "Authorization: "+creds.String())
	}
	b.k.seq++
	b.last = strings.NewReplacer("From: <sip:13900001234@", "From: <sip:8001@", "<sip:caller@", "<sip:8001@").
		Replace(b.k.message("REGISTER", b.k.seq, newBranch(), "", extra...))
	b.k.p.write(b.last)
}

// register registers, and returns the final answer, whose status it requires.
func (b *boot) register(code int) wire {
	b.k.p.t.Helper()
	if b.chal == nil {
		b.send()
		c, err := digest.ParseChallenge(b.k.p.status("REGISTER", 401).header("www-authenticate"))
		require.NoError(b.k.p.t, err)
		b.chal = c
	}
	b.send()
	return b.k.p.status("REGISTER", code)
}

// TestOneAgentOneSession: while the agent's phone is rung, and while it talks, no other phone gets the place;
// afterwards one does, and the first is no agent any more: neither its refresh nor its calls pass.
func TestOneAgentOneSession(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *Options) { o.Trunks = nil })
	first, second := newPeer(t, "udp", r.udp()), newPeer(t, "udp", r.udp())
	one, two := first.boot(), second.boot()
	one.register(200)
	out := r.ring(t.Context(), nil)
	inv := first.expect("INVITE", "INVITE")
	require.Contains(t, two.register(403).header("warning"), `399 hotline "`)
	first.respond(inv, 200, "OK", "a1", sdpGood)
	first.expect("ACK", "ACK")
	leg := next(t, out).leg
	two.register(403)
	one.register(200)
	leg.Hangup(call.CauseBye)
	first.respond(first.expect("BYE", "BYE"), 200, "OK", "", "")
	<-leg.Context().Done()
	two.register(200)
	require.Contains(t, one.register(403).header("warning"), "another phone")
	k := first.dialog(testNumber)
	k.invite()
	k.ack(k.p.status("INVITE", 403), "")
	for outcome, n := range map[string]float64{
		registerBusy: 2, registerNew: 1, registerTakenOver: 1, registerRefreshed: 1, registerSuperseded: 1, registerChallenged: 2,
	} {
		require.InDelta(t, n, testutil.ToFloat64(r.metrics.registers.WithLabelValues(outcome)), 0, outcome)
	}
	first.boot().register(200) // started anew
}

// TestLoserIsTheTrunk: at an address that a trunk has too, the phone that lost its place is a caller like any
// other, and no agent.
func TestLoserIsTheTrunk(t *testing.T) {
	t.Parallel()
	got := make(chan call.Incoming, 1)
	r := newRig(t, func(o *Options) {
		o.OnIncoming = func(_ context.Context, in call.Incoming) {
			got <- in
			in.Leg.Hangup(call.CauseDeclined)
		}
	})
	first, second := newPeer(t, "udp", r.udp()), newPeer(t, "udp", r.udp())
	first.boot().register(200)
	second.boot().register(200)
	k := first.dialog(testNumber)
	k.invite()
	k.ack(k.p.status("INVITE", 603), "")
	in := next(t, got)
	require.Empty(t, in.Agent)
	require.Equal(t, "city", in.Trunk)
}

// meeting is an engine that lets the test do something before a stream is opened, once it was armed.
type meeting struct {
	*fakeEngine
	armed          atomic.Bool
	opening, going chan struct{}
}

func (e *meeting) Open(o media.StreamOptions) (media.Stream, error) {
	if e.armed.CompareAndSwap(true, false) {
		e.opening <- struct{}{}
		<-e.going
	}
	return e.fakeEngine.Open(o)
}

// newCrossing is a rig with such an engine, armed.
func newCrossing(t *testing.T) (*rig, *meeting) {
	t.Helper()
	e := &meeting{opening: make(chan struct{}), going: make(chan struct{})}
	e.armed.Store(true)
	r := newRig(t, func(o *Options) {
		e.fakeEngine, _ = o.Engine.(*fakeEngine)
		o.Engine = e
	})
	return r, e
}

// TestTakeoverCrossesRing: a phone that takes the place after the flow was looked up, and before the ring is
// entered, is not overtaken by an INVITE to the other phone.
func TestTakeoverCrossesRing(t *testing.T) {
	t.Parallel()
	r, e := newCrossing(t)
	first, second := newPeer(t, "udp", r.udp()), newPeer(t, "udp", r.udp())
	first.boot().register(200)
	out := r.ring(t.Context(), nil)
	next(t, e.opening)
	second.boot().register(200)
	close(e.going)
	var failed *call.RingError
	require.ErrorAs(t, next(t, out).err, &failed)
	require.Equal(t, call.CauseUnreachable, failed.Why)
	out = r.ring(t.Context(), nil)
	second.respond(second.expect("INVITE", "INVITE"), 486, "Busy Here", "a1", "")
	require.Error(t, next(t, out).err)
	first.dialog(testNumber).request("OPTIONS", "")
	w, err := first.read(testWait)
	require.NoError(t, err)
	require.Equal(t, "OPTIONS", w.method(), "the first phone was rung")
}

// TestTakeoverCrossesCall: the same while the agent's own INVITE passes the door.
func TestTakeoverCrossesCall(t *testing.T) {
	t.Parallel()
	r, e := newCrossing(t)
	first, second := newPeer(t, "udp", r.udp()), newPeer(t, "udp", r.udp())
	first.boot().register(200)
	k := first.dialog(testNumber)
	invite := func(extra ...string) {
		k.seq++
		k.branch = newBranch()
		msg := k.message("INVITE", k.seq, k.branch, sdpGood, append(extra, sdpHeader)...)
		first.write(strings.Replace(msg, "From: <sip:13900001234@", "From: <sip:8001@", 1))
	}
	invite()
	w := k.p.status("INVITE", 401)
	k.ack(w, "")
	k.toTag = ""
	c, err := digest.ParseChallenge(w.header("www-authenticate"))
	require.NoError(t, err)
	creds, err := digest.Digest(c, digest.Options{
		Method: "INVITE", URI: fmt.Sprintf("sip:%s@%s", testNumber, first.to), Username: "8001", Password: "one", Count: 1,
	})
	require.NoError(t, err)
	invite("Authorization: " + creds.String())
	next(t, e.opening)
	second.boot().register(200)
	close(e.going)
	k.ack(k.p.status("INVITE", 403), "")
}

// TestRegisterRequiresPath: an extension that we do not have is refused when it is required (RFC 3261
// section 10.3, step 2; RFC 3327 section 5.3).
func TestRegisterRequiresPath(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	b := newPeer(t, "udp", r.udp()).boot()
	b.send("Require: path, outbound")
	require.Equal(t, "path", b.k.p.status("REGISTER", 420).header("unsupported"))
}

// TestRegisterAgain: a REGISTER that comes twice gets the same answer twice, and is one.
func TestRegisterAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	b := newPeer(t, "udp", r.udp()).boot()
	answer := b.register(200)
	b.k.p.write(b.last)
	require.Equal(t, answer.raw, b.k.p.status("REGISTER", 200).raw)
	require.InDelta(t, 1, testutil.ToFloat64(r.metrics.registers.WithLabelValues(registerNew)), 0)
	require.InDelta(t, 0, testutil.ToFloat64(r.metrics.registers.WithLabelValues(registerRefreshed)), 0)
}
