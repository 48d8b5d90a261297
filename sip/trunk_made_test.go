package sip

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// What comes over a connection that we made to a trunk is no stranger's, though that trunk was called elsewhere since: it is
// neither limited nor banned, nor closed for being idle. It is as any other's once the trunk is no more.
func TestOurConnectionIsNoStranger(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	carrier := newTLSCarrier(t, ca.issue(nil, "localhost"), nil)
	incoming := make(chan call.Incoming, 1)
	r, _ := tlsTrunkRig(t, carrier, TrunkTLS{CA: ca.file}, func(o *Options) {
		agents, trunks := o.Agents, o.Trunks
		endingConns(time.Second, time.Second)(o)
		o.Agents, o.Trunks = agents, trunks
		o.Trunks[0].Allow = []netip.Prefix{netip.MustParsePrefix("127.9.0.0/16")}
		o.Abuse.Requests, o.Abuse.Invites = PerHost{1, 1}, PerHost{1, 1}
		o.OnIncoming = func(_ context.Context, in call.Incoming) {
			incoming <- in
			in.Leg.Hangup(call.CauseBusy)
		}
	})
	p := r.rejected(t, func() *peer { return carrier.next(r) })
	here, elsewhere := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2") // its second address
	r.plan().list[0].at.set([]netip.Addr{elsewhere})
	require.False(t, r.known(here))
	for range 5 {
		k := p.dialog(testNumber)
		k.invite()
		k.ack(p.status("INVITE", 486), "")
		require.Equal(t, "city", next(t, incoming).Trunk)
	}
	for range 15 { // each a ban's worth of a stranger
		k := p.dialog("12345")
		k.invite()
		k.ack(p.status("INVITE", 404), "")
	}
	p.allAnswered(5)
	require.Empty(t, r.conns.gate.spent(here, time.Now()))
	require.Empty(t, r.Bans())

	_, banned := r.sentry.bans.ban(here, banLogin, time.Now()) // for what others at that address have done
	require.True(t, banned)
	r.conns.endHost(here)
	p.allAnswered(1)
	for range 2 { // the clock
		newPeerAt(t, &net.TCPAddr{IP: net.IPv4(127, 0, 1, 9)}, "tcp", r.tcp()).closed()
	}
	p.allAnswered(1)

	ours := r.conns.carried(transportTLS, parsePeer("127.0.0.1:"+carrier.port))
	require.True(t, ours.known())
	s := r.as()
	s.Trunks, s.Dial = nil, nil
	r.reload(t, s)
	require.False(t, ours.known())
}
