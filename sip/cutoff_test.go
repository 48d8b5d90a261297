package sip

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// cuts closes the far end of a connection under whoever waits for an answer by it.
func (p *peer) cuts() {
	p.t.Helper()
	require.NoError(p.t, p.conn.(*tls.Conn).NetConn().Close())
}

// upByTLS is a call to a trunk by TLS, which is up, and may say more of itself in its 200.
func upByTLS(t *testing.T, extra ...string) (*rig, *tlsCarrier, *peer, *leg) {
	t.Helper()
	ca := newAuthority(t)
	carrier := newTLSCarrier(t, ca.issue(nil, "localhost"), nil)
	r, _ := tlsTrunkRig(t, carrier, TrunkTLS{CA: ca.file}, nil)
	out := r.outside(t.Context(), "13912345678")
	p := carrier.next(r)
	p.respond(p.expect("INVITE", "INVITE"), 200, "OK", "x", sdpGood, append(extra, "Contact: <sip:gw@192.0.2.1>")...)
	p.expect("ACK", "ACK")
	l, ok := next(t, out).leg.(*leg)
	require.True(t, ok)
	return r, carrier, p, l
}

// connects has a call open a connection, and refused.
func (r *rig) connects(t *testing.T, carrier *tlsCarrier) *peer {
	t.Helper()
	out := r.outside(t.Context(), "13912345678")
	p := carrier.next(r)
	p.respond(p.expect("INVITE", "INVITE"), 486, "Busy Here", "y", "")
	refusedFor(t, next(t, out), call.CauseBusy)
	p.expect("ACK", "ACK")
	return p
}

// A connection whose far end has closed is read from no more, but is closed a while later, for the sake of what came over it.
// Meanwhile requests leave by another.
func TestCallBesideADyingConnection(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	carrier := newTLSCarrier(t, ca.issue(nil, "localhost"), nil)
	r, _ := tlsTrunkRig(t, carrier, TrunkTLS{CA: ca.file}, func(o *Options) {
		o.limits = defaultLimits()
		o.limits.grace = time.Hour
	})
	key := flowKey{transportTLS, parsePeer("127.0.0.1:" + carrier.port)}
	for range 2 {
		p := r.connects(t, carrier)
		first := r.conns.at(key)
		p.cuts()
		next(t, first.dead.done())
		require.Same(t, first, r.conns.at(key), "what came over it is known by it")
		require.Nil(t, r.conns.carried(key.transport, key.source))
	}
}

// A call that came over a connection of ours cannot be answered once that is closed, though there is another by then.
func TestRingingCallOfADyingConnection(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	carrier := newTLSCarrier(t, ca.issue(nil, "localhost"), nil)
	legs := make(chan call.Leg, 1)
	r, _ := tlsTrunkRig(t, carrier, TrunkTLS{CA: ca.file}, func(o *Options) {
		o.limits = defaultLimits()
		o.limits.grace = 5 * time.Second
		o.OnIncoming = unanswered(legs)
	})
	p, key := r.connects(t, carrier), flowKey{transportTLS, parsePeer("127.0.0.1:" + carrier.port)}
	p.dialog(testNumber).invite()
	first := next(t, legs)
	before := r.conns.at(key)
	p.cuts()
	next(t, before.dead.done())
	p = r.connects(t, carrier)
	p.dialog(testNumber).invite()
	second := next(t, legs)
	next(t, before.gone)
	require.Equal(t, call.CauseTransport, ended(t, first).Why)
	require.NoError(t, second.Context().Err())
	second.Hangup(call.CauseBusy)
	p.status("INVITE", 486)
}

// An INVITE whose connection is lost before anything was heard is sent once more, by another connection, as another call. The
// first may have arrived: what answers it after all is acknowledged, and hung up.
func TestCallCutOff(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	carrier := newTLSCarrier(t, ca.issue(nil, "localhost"), nil)
	r, _ := tlsTrunkRig(t, carrier, TrunkTLS{CA: ca.file}, nil)
	out := r.outside(t.Context(), "13912345678")
	p := carrier.next(r)
	first := p.expect("INVITE", "INVITE")
	p.cuts()
	p = carrier.next(r)
	again := p.expect("INVITE sip:13912345678@", "INVITE")
	require.NotEqual(t, first.header("call-id"), again.header("call-id"))
	p.respond(first, 200, "OK", "late", sdpGood, "Contact: <sip:gw@192.0.2.1>")
	ack := p.expect("ACK", "ACK")
	require.Equal(t, first.header("call-id"), ack.header("call-id"))
	bye := p.expect("BYE", "BYE")
	require.Equal(t, first.header("call-id"), bye.header("call-id"))
	p.respond(bye, 200, "OK", "", "")
	p.respond(again, 200, "OK", "x", sdpGood, "Contact: <sip:gw@192.0.2.1>")
	require.Equal(t, again.header("call-id"), p.expect("ACK", "ACK").header("call-id"))
	got := next(t, out)
	require.NoError(t, got.err)
	l, ok := got.leg.(*leg)
	require.True(t, ok)
	alive(t, p, l)

	out = r.outside(t.Context(), "13900000000")
	p.expect("INVITE", "INVITE")
	p.cuts()
	p = carrier.next(r)
	p.expect("INVITE", "INVITE")
	p.cuts()
	refusedFor(t, next(t, out), call.CauseUnreachable)
	require.InDelta(t, 3, r.connections(connectionMade), 0, "no third try")
}

// A refresh whose connection is lost before anything was heard is sent again, by another; a late 2xx of a re-INVITE has its ACK.
func TestRefreshCutOff(t *testing.T) {
	t.Parallel()
	for method, extra := range refreshBy {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			r, carrier, p, l := upByTLS(t, extra...)
			l.moved <- struct{}{} // so that nobody waits for another way
			r.ask(l)
			first := p.expect(method+" sip:gw@192.0.2.1 ", method)
			p.cuts()
			p = carrier.next(r)
			again := p.expect(method+" sip:gw@192.0.2.1 ", method)
			body := ""
			if method == "INVITE" {
				body = sdpGood
				p.respond(first, 200, "OK", "", body, "Contact: <sip:gw@192.0.2.1>")
				require.Equal(t, first.header("cseq"), inviteOf(p.expect("ACK", "ACK")))
			}
			p.respond(again, 200, "OK", "", body, "Contact: <sip:gw@192.0.2.1>")
			p.acked(method)
			proved(t, l)
			alive(t, p, l)
		})
	}
}

// inviteOf is the CSeq of the INVITE that an ACK is of.
func inviteOf(ack wire) string {
	return ack.header("cseq")[:len(ack.header("cseq"))-len("ACK")] + "INVITE"
}

// Whoever answers and closes has answered: neither that call nor another is refused, or rung again, for it.
func TestAnsweredAndClosed(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	carrier := newTLSCarrier(t, ca.issue(nil, "localhost"), nil)
	r, _ := tlsTrunkRig(t, carrier, TrunkTLS{CA: ca.file}, nil)
	for range 20 { // the response and the end of its connection are told on two goroutines
		out := r.outside(t.Context(), "13912345678")
		p := carrier.next(r)
		p.respond(p.expect("INVITE", "INVITE"), 486, "Busy Here", "y", "")
		p.cuts()
		refusedFor(t, next(t, out), call.CauseBusy)
	}
	require.InDelta(t, 20, r.connections(connectionMade), 0)

	// The next may meet the connection that is on its way out; that is not the one try that it has when it is lost itself.
	// Something else came: that is waited for, a while, and then the call is sent again.
	out := r.outside(t.Context(), "13912345678")
	p := carrier.next(r)
	p.expect("INVITE", "INVITE")
	p.served()
	p.cuts()
	p = carrier.next(r)
	p.respond(p.expect("INVITE", "INVITE"), 486, "Busy Here", "y", "")
	refusedFor(t, next(t, out), call.CauseBusy)
}

// A BYE whose connection is lost before anything was heard is sent again, by another, until it is answered.
func TestByeCutOff(t *testing.T) {
	t.Parallel()
	r, carrier, p, l := upByTLS(t)
	l.Hangup(call.CauseBye)
	p.expect("BYE", "BYE")
	p.cuts()
	p = carrier.next(r)
	p.expect("BYE sip:gw@192.0.2.1 ", "BYE")
	p.cuts()
	p = carrier.next(r)
	p.respond(p.expect("BYE sip:gw@192.0.2.1 ", "BYE"), 200, "OK", "", "")
	r.quiet(t)
	require.InDelta(t, 3, r.connections(connectionMade), 0)
}

// slowToSay is a connection of which sipgo learns the peer late.
type slowToSay struct {
	net.Conn
	peer <-chan struct{}
}

func (c slowToSay) RemoteAddr() net.Addr { <-c.peer; return c.Conn.RemoteAddr() }

// A connection that sipgo does not have yet is waited for by every call that is to leave by it.
func TestCallsBesideAConnect(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	carrier := newTLSCarrier(t, ca.issue(nil, "localhost"), nil)
	r, _ := tlsTrunkRig(t, carrier, TrunkTLS{CA: ca.file}, nil)
	key := flowKey{transportTLS, parsePeer("127.0.0.1:" + carrier.port)}
	ours, theirs := net.Pipe()
	require.NoError(t, theirs.Close())
	said := make(chan struct{})
	release := sync.OnceFunc(func() { close(said) })
	defer release()
	// sipgo takes one connection after the other.
	r.outward.to[transportTLS].ready <- &trackedConn{
		Conn: slowToSay{ours, said}, raw: ours, transport: transportTLS, conns: r.conns, accepted: time.Now(), gone: make(chan struct{}),
	}
	outs := []<-chan rung{r.outside(t.Context(), "13900000001"), r.outside(t.Context(), "13900000002")}
	p := carrier.next(r)
	require.Eventually(t, func() bool { return r.conns.living(key) != nil }, testWait, time.Millisecond)
	require.Nil(t, r.conns.carried(key.transport, key.source))
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errSilent)
	req, err := (&dialog{CallID: newID(), LocalTag: newID(), Local: "<sip:a@127.0.0.1>", Remote: "<sip:b@127.0.0.1>", Target: "sip:b@127.0.0.1"}).
		request("OPTIONS", 0)
	require.NoError(t, err)
	r.dispatchable(req, hop{transport: transportTLS, dest: key.source.String(), ours: r.tls()})
	require.ErrorIs(t, r.prepare(ctx, req), errSilent, "it waits")
	release()
	for _, inv := range []wire{p.expect("INVITE", "INVITE"), p.expect("INVITE", "INVITE")} {
		p.respond(inv, 486, "Busy Here", "y", "")
	}
	for _, out := range outs {
		refusedFor(t, next(t, out), call.CauseBusy)
	}
	require.InDelta(t, 1, r.connections(connectionMade), 0)
	require.NotNil(t, r.conns.carried(key.transport, key.source))
}

// A request that was silent over UDP says nothing of a connection to the same peer, nor does one by a connection of before.
func TestSilenceIsOfOneConnection(t *testing.T) {
	t.Parallel()
	r, udp, at := largeRig(t)
	key := flowKey{transportTCP, parsePeer(udp.addr())}
	large := func() *peer {
		t.Helper()
		out := r.outside(t.Context(), "139")
		tcp := acceptPeer(t, at, r)
		tcp.respond(tcp.expect("INVITE", "INVITE"), 486, "Busy Here", "x", "")
		tcp.expect("ACK", "ACK")
		refusedFor(t, next(t, out), call.CauseBusy)
		return tcp
	}
	tcp := large()
	r.engine.enlarge(0)
	_, err := r.dial(t.Context(), r.plan().list[0], call.DialRequest{Number: "139"}, time.Millisecond)
	require.Error(t, err)
	udp.expect("INVITE", "INVITE")
	require.NotNil(t, r.conns.carried(key.transport, key.source))
	require.False(t, r.outward.withoutTCP(key, time.Now()))

	before := r.conns.carried(key.transport, key.source)
	require.NoError(t, tcp.conn.Close())
	next(t, before.dead.done())
	r.engine.enlarge(largeLines)
	large()
	r.unheard(hop{transport: transportTCP, dest: udp.addr()}, before, time.Now())
	require.NotNil(t, r.conns.carried(key.transport, key.source))
}
