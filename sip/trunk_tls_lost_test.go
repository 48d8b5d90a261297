package sip

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// goesOn requires that a leg lives whose session is refreshed, and whose far end has a fresh offer: both by re-INVITE, over the
// first connection that is made for it.
func (r *rig) goesOn(t *testing.T, l *leg, dials func() *peer) *peer {
	t.Helper()
	var p *peer
	for _, ask := range []func(){func() { r.ask(l) }, l.Mend} {
		ask()
		if p == nil {
			p = dials()
		}
		p.respond(p.expect("INVITE sip:", "INVITE"), 200, "OK", "", sdpGood, "Contact: <sip:gw@"+p.addr()+">")
		p.expect("ACK", "ACK")
		proved(t, l)
		require.NoError(t, l.Context().Err())
	}
	return p
}

// A call whose connection is lost goes on: the next refresh, and the next offer, open another.
func TestTrunkTLSRefreshedAfterLoss(t *testing.T) {
	t.Parallel()
	for name, inbound := range map[string]bool{"called by us": false, "called by them": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ca := newAuthority(t)
			carrier := newTLSCarrier(t, ca.issue(nil, "localhost"), nil)
			legs := make(chan call.Leg, 1)
			r, _ := tlsTrunkRig(t, carrier, TrunkTLS{CA: ca.file}, func(o *Options) { o.OnIncoming = untilOver(legs) })
			out := r.outside(t.Context(), "13912345678")
			p := carrier.next(r)
			inv := p.expect("INVITE", "INVITE")
			var l *leg
			if inbound {
				p.respond(inv, 486, "Busy Here", "y", "")
				p.expect("ACK", "ACK")
				refusedFor(t, next(t, out), call.CauseBusy)
				p.dialog(testNumber).answered()
				l, _ = next(t, legs).(*leg)
				l.acknowledged(t)
			} else {
				p.respond(inv, 200, "OK", "x", sdpGood, "Contact: <sip:gw@192.0.2.1>")
				p.expect("ACK", "ACK")
				l, _ = next(t, out).leg.(*leg)
			}
			r.loses(t, p.conn.(*tls.Conn).NetConn(), flowKey{transportTLS, parsePeer("127.0.0.1:" + carrier.port)})
			alive(t, r.goesOn(t, l, func() *peer { return carrier.next(r) }), l)
			require.InDelta(t, 2, r.connections(connectionMade), 0)
		})
	}
}

// loses closes the far end of a connection, and waits until the rig knows.
func (r *rig) loses(t *testing.T, conn net.Conn, key flowKey) {
	t.Helper()
	require.NoError(t, conn.Close())
	require.Eventually(t, func() bool { return !r.conns.alive(key.transport, key.source) }, testWait, time.Millisecond)
}

// A call that a carrier brought over a connection of its own goes on when that is lost: where its Contact points.
func TestTrunkTCPRefreshedAfterLoss(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 1)
	r := newRig(t, func(o *Options) { o.OnIncoming = untilOver(legs) })
	var lc net.ListenConfig
	at, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = at.Close() })
	k := newPeer(t, "tcp", r.tcp()).dialog(testNumber)
	k.seq, k.branch = 1, newBranch()
	inv := k.message("INVITE", k.seq, k.branch, sdpGood, sdpHeader)
	k.p.write(strings.Replace(inv, "<sip:caller@"+k.p.addr()+">", "<sip:gw@"+at.Addr().String()+">", 1))
	k.ack(k.p.status("INVITE", 200), "")
	l, ok := next(t, legs).(*leg)
	require.True(t, ok)
	l.acknowledged(t)
	r.loses(t, k.p.conn, flowKey{transportTCP, parsePeer(k.p.addr())})
	alive(t, r.goesOn(t, l, func() *peer { return acceptPeer(t, at, r) }), l)
}
