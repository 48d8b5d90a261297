package sip

import (
	"context"
	"crypto/tls"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// asideRig is a tlsTrunkRig whose trunk calls from its own address.
func asideRig(t *testing.T, change func(o *Options)) (*rig, *tlsCarrier, chan call.Incoming, chan call.Leg) {
	t.Helper()
	ca := newAuthority(t)
	carrier := newTLSCarrier(t, ca.issue(nil, "localhost"), nil)
	incoming, legs := make(chan call.Incoming, 4), make(chan call.Leg, 4)
	r, _ := tlsTrunkRig(t, carrier, TrunkTLS{CA: ca.file}, func(o *Options) {
		o.Trunks[0].Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
		takes := untilOver(legs)
		o.OnIncoming = func(ctx context.Context, in call.Incoming) { incoming <- in; takes(ctx, in) }
		if change != nil {
			change(o)
		}
	})
	return r, carrier, incoming, legs
}

// rejected calls a number outside, which is busy.
func (r *rig) rejected(t *testing.T, p func() *peer) *peer {
	t.Helper()
	out := r.outside(t.Context(), "139")
	at := p()
	at.respond(at.expect("INVITE sip:139@", "INVITE"), 486, "Busy Here", "y", "")
	at.expect("ACK", "ACK")
	refusedFor(t, next(t, out), call.CauseBusy)
	return at
}

// A carrier that connects from the port at which it takes our connections has its calls answered over its connection, and
// gets ours over one that we have made and verified, whichever was first.
func TestCarrierConnectsFromItsPort(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"theirs", "ours"} {
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			r, carrier, incoming, legs := asideRig(t, nil)
			var ours *peer
			if first == "ours" {
				ours = r.rejected(t, func() *peer { return carrier.next(r) })
			}
			theirs := carrier.dials(r)
			k := theirs.dialog(testNumber)
			k.answered()
			require.Equal(t, "city", next(t, incoming).Trunk)
			leg := next(t, legs)
			if first == "theirs" {
				ours = r.rejected(t, func() *peer { return carrier.next(r) })
			} else {
				r.rejected(t, func() *peer { return ours })
			}
			require.InDelta(t, 1, r.connections(connectionMade), 0)
			require.InDelta(t, 0, r.connections(connectionUntrusted), 0)

			inside := ours.dialog(testNumber) // and each has the answers to its own
			inside.answered()
			next(t, incoming)
			second := next(t, legs)
			inside.request("BYE", "")
			ours.status("BYE", 200)
			ended(t, second)
			leg.Hangup(call.CauseBye)
			theirs.respond(theirs.expect("BYE", "BYE"), 200, "OK", "", "")
		})
	}
}

// A call that came by such a connection goes on over ours when that is lost.
func TestCallOfAConnectionThatStoodAside(t *testing.T) {
	t.Parallel()
	r, carrier, _, legs := asideRig(t, nil)
	theirs := carrier.dials(r)
	k := theirs.dialog(testNumber)
	k.seq, k.branch = 1, newBranch()
	theirs.write(strings.Replace(k.message("INVITE", 1, k.branch, sdpGood, sdpHeader), // from behind the carrier
		"Contact: <sip:caller@"+theirs.addr()+">", "Contact: <sip:caller@192.0.2.1>", 1))
	k.ack(theirs.status("INVITE", 200), "")
	leg := next(t, legs)
	ours := r.rejected(t, func() *peer { return carrier.next(r) })
	require.NoError(t, theirs.conn.(*tls.Conn).NetConn().Close())
	require.Eventually(t, func() bool { return len(r.conns.all()) == 1 }, testWait, time.Millisecond)
	leg.Hangup(call.CauseBye)
	ours.respond(ours.expect("BYE", "BYE"), 200, "OK", "", "")
}

// One that was there before its peer was configured as a trunk is ended when ours is needed.
func TestConnectionMakesWayForATrunk(t *testing.T) {
	t.Parallel()
	r, carrier, _, _ := asideRig(t, func(o *Options) { o.Trunks[0].Out.Network = "udp" })
	theirs := carrier.dials(r)
	theirs.served()
	s := r.as()
	trunk := s.Trunks[0]
	out := *trunk.Out
	out.Network = "tls"
	trunk.Out = &out
	s.Trunks = []TrunkOptions{trunk}
	r.reload(t, s)
	ours := r.rejected(t, func() *peer { return carrier.next(r) })
	theirs.closed()
	r.rejected(t, func() *peer { return ours })
	require.InDelta(t, 1, r.connections(connectionMade), 0)
}

// A log says from where such a connection really is, and not from the port that stands for it.
func TestSourceOfAConnectionThatStoodAside(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	carrier := newTLSCarrier(t, ca.issue(nil, "localhost"), nil)
	r, logs := tlsTrunkRig(t, carrier, TrunkTLS{CA: ca.file}, func(o *Options) {
		o.Trunks[0].Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	})
	k := carrier.dials(r).dialog("12345")
	k.invite()
	k.ack(k.p.status("INVITE", 404), "")
	lines := logs.FilterMessage("call refused at the door").All()
	require.Len(t, lines, 1)
	require.Equal(t, "127.0.0.1:"+carrier.port, lines[0].ContextMap()["source"])
}

// Whoever looks on is shown where the peer of such a connection really is: a phone behind a trunk's proxy that registers by it, is
// rung, and asks with a wrong password. So is the peer itself (RFC 3581 section 4).
func TestShownOfAConnectionThatStoodAside(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	carrier := newTLSCarrier(t, ca.issue(nil, "localhost"), nil)
	r, logs := tlsTrunkRig(t, carrier, TrunkTLS{CA: ca.file}, func(o *Options) { o.Trace = func(string, []call.SIPMessage) {} })
	w := &witness{}
	defer r.Observe(w.show)()
	p := carrier.dials(r)
	where := "127.0.0.1:" + carrier.port
	stands := r.conns.all()[0].peer.String()
	require.NotEqual(t, where, stands)

	b := p.boot()
	b.guess("8001", "wrong", b.nonce())
	p.status("REGISTER", 401)
	registered := b.register(200)
	require.Equal(t, "8001 true", next(t, r.flows))
	require.Contains(t, registered.header("via"), ";rport="+carrier.port)
	for _, line := range []string{"wrong credentials", "agent's phone registered"} {
		all := logs.FilterMessage(line).All()
		require.Len(t, all, 1, line)
		require.Equal(t, where, all[0].ContextMap()["source"], line)
	}
	at, ok := r.PhoneOf("8001")
	require.True(t, ok)
	require.Equal(t, where, at.String())

	inv, out := p.rungBy(r)
	ladder := r.Ladder("c1")
	require.NotEmpty(t, ladder)
	for _, m := range ladder {
		require.Equal(t, where, m.Remote.String())
	}
	p.respond(inv, 486, "Busy Here", "x", "")
	refusedFor(t, next(t, out), call.CauseBusy)
	w.await(t, "SIP/2.0 486")
	for _, m := range w.said() {
		require.Equal(t, where, m.Remote.String(), "%s", m.Data)
		require.NotContains(t, string(m.Data), stands)
	}
}
