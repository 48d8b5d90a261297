package sip

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"hotline/call"
)

// options sends n OPTIONS.
func (p *peer) options(n int) {
	p.t.Helper()
	for range n {
		p.dialog(testNumber).request("OPTIONS", "")
	}
}

// allAnswered requires that n OPTIONS are.
func (p *peer) allAnswered(n int) {
	p.t.Helper()
	p.options(n)
	for range n {
		p.status("OPTIONS", 200)
	}
}

// answeredOf sends n OPTIONS that are answered or dropped, and returns how many were answered.
func (r *rig) answeredOf(p *peer, n int) int {
	p.t.Helper()
	dropped := func() int { return r.dropped(dropHost) + r.dropped(dropStrangers) }
	before, answered := dropped(), 0
	p.options(n)
	deadline := time.Now().Add(testWait)
	for answered+dropped()-before < n && time.Now().Before(deadline) {
		if _, err := p.read(10 * time.Millisecond); err == nil {
			answered++
		}
	}
	require.Equal(p.t, n, answered+dropped()-before)
	return answered
}

// What strangers send by UDP is bounded, each and all; a trunk and the host of a registered phone are not.
func TestStrangersAreBounded(t *testing.T) {
	t.Parallel()
	began := time.Now()
	r := newRig(t, func(o *Options) {
		strangersOnly(o)
		o.limits = defaultLimits()
		o.limits.each, o.limits.eachBurst, o.limits.all, o.limits.allBurst = 1, 5, 1, 12
	})
	at := func(last byte) *peer {
		return newPeerAt(t, &net.UDPAddr{IP: net.IPv4(127, 0, 1, last)}, "udp", r.udp())
	}
	at(1).allAnswered(50) // a trunk
	agent := newPeer(t, "udp", r.udp())
	agent.register(r)
	newPeer(t, "udp", r.udp()).allAnswered(50) // another phone at an agent's host
	// Each stranger has one more for each second that has gone by, and so have all together.
	second := r.answeredOf(at(2), 20)
	require.GreaterOrEqual(t, second, 5)
	require.LessOrEqual(t, second, 5+secondsSince(began))
	require.Equal(t, 20-second, r.dropped(dropHost))
	third := r.answeredOf(at(3), 20)
	others := r.answeredOf(at(4), 5) + r.answeredOf(at(5), 5)
	require.LessOrEqual(t, third, 5+secondsSince(began))
	require.LessOrEqual(t, second+third+others, 12+secondsSince(began))
	at(1).allAnswered(50) // a trunk, whoever else sends
}

// secondsSince is how many seconds have begun since t.
func secondsSince(t time.Time) int { return int(time.Since(t)/time.Second) + 1 }

// Nothing is remembered of a stranger who was refused: no refusal is repeated by itself, and the same request
// gets the same answer.
func TestStrangersAreForgotten(t *testing.T) {
	t.Parallel()
	r := newRig(t, strangersOnly)
	k := newPeer(t, "udp", r.udp()).dialog(testNumber)
	k.seq, k.branch = 1, newBranch()
	invite := k.message("INVITE", 1, k.branch, sdpGood, sdpHeader)
	k.p.write(invite)
	first, err := k.p.read(testWait)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(first.start, "SIP/2.0 403 "), "and nothing before it: %s", first.start)
	k.p.silence(1200*time.Millisecond, "SIP/2.0") // Timer G would repeat it after 0.5 s
	k.p.write(invite)
	require.Equal(t, first.raw, k.p.status("INVITE", 403).raw)
	k.ack(first, "")
	k.p.silence(100*time.Millisecond, "SIP/2.0")
}

// A registration is remembered: its retransmission gets the same 200, though a stranger began it.
func TestRegisterRetransmitted(t *testing.T) {
	t.Parallel()
	r := newRig(t, strangersOnly)
	p := newPeer(t, "udp", r.udp())
	p.register(r)
	p.write(p.lastRegister)
	p.status("REGISTER", 200)
}

// A log does not grow with what strangers send.
func TestRefusalsAreLoggedSparingly(t *testing.T) {
	t.Parallel()
	core, lines := observer.New(zap.InfoLevel)
	r := newRig(t, func(o *Options) { o.Logger = zap.New(core) })
	began := time.Now()
	stranger, trunk := newPeer(t, "udp", r.udp()), newPeer(t, "udp", r.udp())
	for range 3 * quotaBurst {
		k := stranger.dialog("12345")
		k.invite()
		k.ack(stranger.status("INVITE", 404), "")
		k = trunk.dialog(testNumber)
		k.request("INVITE", sdpNone, sdpHeader)
		k.ack(trunk.status("INVITE", 488), "")
	}
	requireSparing(t, lines, "call refused at the door", began)
	requireSparing(t, lines, "offer refused", began)
}

// requireSparing requires that a line was logged quotaBurst times, and as often again in each window that has begun
// since, at most.
func requireSparing(t *testing.T, lines *observer.ObservedLogs, message string, began time.Time) {
	t.Helper()
	n, windows := lines.FilterMessage(message).Len(), 1+int(time.Since(began)/quotaWindow)
	require.GreaterOrEqual(t, n, quotaBurst, message)
	require.LessOrEqual(t, n, quotaBurst*windows, message)
}

// Nor does it with a message that has us panic, sent again and again.
func TestPanicsAreLoggedSparingly(t *testing.T) {
	t.Parallel()
	core, lines := observer.New(zap.InfoLevel)
	r := newRig(t, func(o *Options) {
		o.Logger = zap.New(core)
		o.OnIncoming = func(context.Context, call.Incoming) { panic("of a test") }
	})
	p := newPeer(t, "udp", r.udp())
	began := time.Now()
	for range 3 * quotaBurst {
		k := p.dialog(testNumber)
		k.invite()
		k.ack(p.status("INVITE", 500), "")
	}
	r.quiet(t) // the 500 may arrive before its panic is counted
	require.Equal(t, int64(3*quotaBurst), r.panics.Load())
	requireSparing(t, lines, "panic contained", began)
}

// sipgo's reader forgets sources in turns, and nobody else notices: each is answered from the socket it sent to,
// and a registered phone rings, before and after.
func TestReadingInTurns(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *Options) {
		o.limits = defaultLimits()
		o.limits.sources, o.limits.grace = 4, 4*time.Second
	})
	agent := newPeer(t, "udp", r.udp())
	agent.register(r)
	first := newPeer(t, "udp", r.udp())
	for _, p := range []*peer{first, first} {
		k := p.dialog(testNumber)
		k.request("OPTIONS", "")
		p.status("OPTIONS", 200)
	}
	pool := r.transport.Pool("udp")
	require.NotNil(t, pool.Get(first.addr()))
	for range 25 {
		k := newPeer(t, "udp", r.udp()).dialog(testNumber) // connected: an answer from elsewhere does not arrive
		k.request("OPTIONS", "")
		k.p.status("OPTIONS", 200)
	}
	require.Eventually(t, func() bool { return pool.Get(first.addr()) == nil }, testWait, 10*time.Millisecond)
	out := r.ring(t.Context(), nil)
	inv := agent.expect("INVITE", "INVITE")
	agent.respond(inv, 200, "OK", "a1", sdpGood)
	agent.expect("ACK", "ACK")
	leg := next(t, out).leg
	leg.Hangup(call.CauseBye)
	agent.respond(agent.expect("BYE", "BYE"), 200, "OK", "", "")
}
