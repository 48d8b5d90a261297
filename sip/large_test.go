package sip

import (
	"bufio"
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// largeLines make an offer large for UDP, and not for any path.
const largeLines = 40

// largeRig is a dialRig, and a listener of TCP at the trunk's port.
func largeRig(t *testing.T) (*rig, *peer, *net.TCPListener) {
	t.Helper()
	r, p, _ := dialRig(t, TrunkOut{From: testNumber}, rule("139"))
	r.engine.enlarge(largeLines)
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", p.addr())
	for err != nil { // somebody else has that port of TCP
		p = newPeer(t, "udp", r.udp())
		l, err = lc.Listen(t.Context(), "tcp", p.addr())
	}
	r.plan().list[0].out.Address = p.addr()
	t.Cleanup(func() { _ = l.Close() })
	tcp := l.(*net.TCPListener)
	require.NoError(t, tcp.SetDeadline(time.Now().Add(testWait)))
	return r, p, tcp
}

func acceptPeer(t *testing.T, l net.Listener, to *rig) *peer {
	t.Helper()
	c, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return &peer{t: t, conn: c, in: bufio.NewReader(c), to: to.tcp()}
}

// What is large for UDP goes by TCP where the trunk takes connections at the same port, and its Via says so, and so does its
// CANCEL; what is small goes by UDP as before, and so does all of the call that is small.
func TestLargeRequestByTCP(t *testing.T) {
	t.Parallel()
	r, udp, l := largeRig(t)
	out := r.outside(t.Context(), "139")
	tcp := acceptPeer(t, l, r)
	inv := tcp.expect("INVITE sip:139", "INVITE")
	require.Greater(t, len(inv.raw), largeFor)
	require.Contains(t, inv.header("via"), "SIP/2.0/TCP "+r.tcp().String())
	require.Contains(t, inv.header("contact"), "@"+r.udp().String()+">", "where we are called stays what it is")
	tcp.respond(inv, 200, "OK", "x", sdpGood)
	ack := udp.expect("ACK sip:8001@"+udp.addr(), "ACK")
	require.Contains(t, ack.header("via"), "SIP/2.0/UDP "+r.udp().String())
	got := next(t, out)
	require.NoError(t, got.err)
	got.leg.Hangup(call.CauseBye)
	udp.respond(udp.expect("BYE", "BYE"), 200, "OK", "", "")

	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	out = r.outside(ctx, "139")
	inv = tcp.expect("INVITE sip:139", "INVITE") // over the same connection
	tcp.respond(inv, 180, "Ringing", "y", "")
	cancel(call.CancelCause{Why: call.CauseNoAnswer})
	c := tcp.expect("CANCEL", "CANCEL")
	require.Equal(t, inv.header("via"), c.header("via"))
	tcp.respond(c, 200, "OK", "y", "")
	tcp.respond(inv, 487, "Request Terminated", "y", "")
	tcp.expect("ACK", "ACK")
	refusedFor(t, next(t, out), call.CauseNoAnswer)

	r.engine.enlarge(0)
	out = r.outside(t.Context(), "13912345678")
	udp.respond(udp.expect("INVITE sip:13912345678@", "INVITE"), 486, "Busy Here", "z", "")
	udp.expect("ACK", "ACK")
	refusedFor(t, next(t, out), call.CauseBusy)
}

// A trunk without TCP has what is large by UDP, and is not asked for a connection again and again; so has one that takes
// connections and says nothing over them.
func TestLargeRequestWithoutTCP(t *testing.T) {
	t.Parallel()
	r, udp, l := largeRig(t)
	largeByUDP := func() {
		t.Helper()
		out := r.outside(t.Context(), "139")
		inv := udp.expect("INVITE sip:139", "INVITE")
		require.Greater(t, len(inv.raw), largeFor)
		require.Contains(t, inv.header("via"), "SIP/2.0/UDP "+r.udp().String())
		udp.respond(inv, 486, "Busy Here", "x", "")
		udp.expect("ACK", "ACK")
		refusedFor(t, next(t, out), call.CauseBusy)
	}
	sent := time.Now()
	out := r.outside(t.Context(), "139")
	acceptPeer(t, l, r).expect("INVITE", "INVITE") // which it does not answer
	key := flowKey{transportTCP, parsePeer(udp.addr())}
	r.unheard(hop{transport: transportUDP, dest: udp.addr()}, r.conns.carried(key.transport, key.source), sent)
	udp.respond(udp.expect("INVITE sip:139", "INVITE"), 486, "Busy Here", "x", "") // the same call
	udp.expect("ACK", "ACK")
	refusedFor(t, next(t, out), call.CauseBusy)
	require.True(t, r.outward.withoutTCP(key, time.Now()))
	largeByUDP()

	r.outward.forget()
	require.NoError(t, l.Close())
	require.Eventually(t, func() bool { return r.conns.carried(transportTCP, key.source) == nil }, testWait, time.Millisecond)
	largeByUDP()
	require.True(t, r.outward.withoutTCP(key, time.Now()))
	require.False(t, r.outward.withoutTCP(key, time.Now().Add(noTCPFor)))
	largeByUDP()
}

// A trunk that takes connections and says nothing over them costs no call: that goes by UDP after a while, and what answers the
// one by TCP later is met.
func TestLargeRequestIsSentAgain(t *testing.T) {
	t.Parallel()
	r, udp, l := largeRig(t)
	out := r.outside(t.Context(), "139")
	tcp := acceptPeer(t, l, r)
	first := tcp.expect("INVITE sip:139", "INVITE")
	inv := udp.expect("INVITE sip:139", "INVITE")
	require.Greater(t, len(inv.raw), largeFor)
	require.NotEqual(t, first.header("call-id"), inv.header("call-id"), "it is not the same INVITE twice, nor one merged")
	udp.respond(inv, 486, "Busy Here", "x", "")
	udp.expect("ACK", "ACK")
	refusedFor(t, next(t, out), call.CauseBusy)
	require.True(t, r.outward.withoutTCP(flowKey{transportTCP, parsePeer(udp.addr())}, time.Now()))

	late := newPeer(t, "tcp", r.tcp())
	late.respond(first, 200, "OK", "late", sdpGood, "Contact: <sip:gw@"+udp.addr()+">")
	udp.expect("ACK sip:gw@", "ACK")
	bye := udp.expect("BYE sip:gw@", "BYE")
	require.Equal(t, first.header("call-id"), bye.header("call-id"))
	udp.respond(bye, 200, "OK", "", "")
}

// One that speaks over its connection, and is slow with this call alone, is waited for.
func TestLargeRequestIsWaitedFor(t *testing.T) {
	t.Parallel()
	r, udp, l := largeRig(t)
	out := r.outside(t.Context(), "139")
	tcp := acceptPeer(t, l, r)
	inv := tcp.expect("INVITE sip:139", "INVITE")
	tcp.served()
	udp.silence((deafWithin+1)*r.o.T1, "INVITE")
	tcp.respond(inv, 486, "Busy Here", "x", "")
	tcp.expect("ACK", "ACK")
	refusedFor(t, next(t, out), call.CauseBusy)
}

// One that closes its connection is not one that takes none: the call is sent again by TCP.
func TestLargeRequestCutOff(t *testing.T) {
	t.Parallel()
	r, udp, l := largeRig(t)
	out := r.outside(t.Context(), "139")
	tcp := acceptPeer(t, l, r)
	tcp.expect("INVITE sip:139", "INVITE")
	require.NoError(t, tcp.conn.Close())
	tcp = acceptPeer(t, l, r)
	tcp.respond(tcp.expect("INVITE sip:139", "INVITE"), 486, "Busy Here", "x", "")
	tcp.expect("ACK", "ACK")
	refusedFor(t, next(t, out), call.CauseBusy)
	require.False(t, r.outward.withoutTCP(flowKey{transportTCP, parsePeer(udp.addr())}, time.Now()))
}

// A large re-INVITE that is not heard by TCP goes by UDP, and costs no call.
func TestLargeRefreshIsSentAgain(t *testing.T) {
	t.Parallel()
	r, udp, listener := largeRig(t)
	r.outward.noteNoTCP(flowKey{transportTCP, parsePeer(udp.addr())}, time.Now())
	out := r.outside(t.Context(), "139")
	udp.respond(udp.expect("INVITE", "INVITE"), 200, "OK", "x", sdpGood, "Contact: <sip:gw@"+udp.addr()+">")
	udp.expect("ACK", "ACK")
	l := next(t, out).leg.(*leg)
	r.outward.forget()    // ten minutes later
	l.moved <- struct{}{} // so that nobody waits for another way
	r.ask(l)
	first := acceptPeer(t, listener, r).expect("INVITE sip:gw@", "INVITE")
	again := udp.expect("INVITE sip:gw@", "INVITE")
	require.NotEqual(t, first.header("cseq"), again.header("cseq"))
	udp.respond(again, 200, "OK", "", sdpGood, "Contact: <sip:gw@"+udp.addr()+">")
	udp.expect("ACK", "ACK")
	proved(t, l)
	require.NoError(t, l.Context().Err())
	l.Hangup(call.CauseBye)
	udp.respond(udp.expect("BYE", "BYE"), 200, "OK", "", "")
}

// An agent's phone that registered over UDP is rung over UDP, whatever the size: that flow is the way to it.
func TestLargeRequestToAgent(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.engine.enlarge(largeLines)
	p := newPeer(t, "udp", r.udp())
	p.register(r)
	require.False(t, r.mayStream(parsePeer(p.addr())), "its host is the trunk's, too")
	out := make(chan rung, 1)
	go func() {
		l, err := r.Ring(t.Context(), call.RingRequest{Agent: "8001"})
		out <- rung{l, err}
	}()
	inv := p.expect("INVITE sip:8001@", "INVITE")
	require.Greater(t, len(inv.raw), largeFor)
	p.respond(inv, 486, "Busy Here", "x", "")
	require.Error(t, next(t, out).err)
}
