package sip

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/internal/testkit"
)

// onIPv6 has a rig listen on ::1 alone, whose hosts are the trunk's.
func onIPv6(change func(o *Options)) func(o *Options) {
	return func(o *Options) {
		at := netip.MustParseAddrPort("[::1]:0")
		o.Listen = []Listener{{Network: "udp", Address: at}, {Network: "tcp", Address: at}}
		o.Trunks[0].Allow = []netip.Prefix{netip.MustParsePrefix("::1/128")}
		if change != nil {
			change(o)
		}
	}
}

// A phone registers, is rung and calls over IPv6, by UDP and TCP; addresses that we write of ourselves have their brackets.
func TestIPv6(t *testing.T) {
	t.Parallel()
	testkit.RequireIPv6(t)
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			incoming, legs := make(chan call.Incoming, 1), make(chan call.Leg, 1)
			r := newRig(t, onIPv6(func(o *Options) {
				takes := untilOver(legs)
				o.OnIncoming = func(ctx context.Context, in call.Incoming) { incoming <- in; takes(ctx, in) }
			}))
			at := map[string]netip.AddrPort{"udp": r.udp(), "tcp": r.tcp()}[network]
			p := newPeer(t, network, at)
			p.register(r)
			inv, out := p.rungBy(r)
			require.Contains(t, inv.start, "INVITE sip:8001@"+p.addr()+" ")
			require.Contains(t, inv.header("via"), " "+at.String()+";")
			require.Contains(t, inv.header("contact"), "sip:hotline@"+at.String())
			require.Contains(t, inv.header("from"), "@[::1]>")
			p.respond(inv, 200, "OK", "x", sdpGood)
			p.expect("ACK sip:8001@"+p.addr(), "ACK")
			rung := next(t, out)
			require.NoError(t, rung.err)
			require.Equal(t, netip.IPv6Loopback(), r.engine.opened()[0].o.Signalling)
			rung.leg.Hangup(call.CauseBye)
			p.respond(p.expect("BYE sip:8001@"+p.addr(), "BYE"), 200, "OK", "", "")

			k := newPeer(t, network, at).dialog(testNumber)
			require.Contains(t, k.answered().header("contact"), "sip:hotline@"+at.String())
			require.Equal(t, "city", next(t, incoming).Trunk)
			next(t, legs).Hangup(call.CauseBye)
			k.p.respond(k.p.expect("BYE sip:caller@"+k.p.addr(), "BYE"), 200, "OK", "", "")
		})
	}
}

// A trunk is called out through by IPv6, and what a listener advertises stands in what it sends.
func TestIPv6Trunk(t *testing.T) {
	t.Parallel()
	testkit.RequireIPv6(t)
	carrier := newPeer(t, "udp", netip.MustParseAddrPort("[::1]:9")) // for its port; it hears whoever sends
	address := carrier.addr()
	require.NoError(t, carrier.conn.Close())
	var p *peer
	r := newRigWith(t, onIPv6(func(o *Options) {
		for i := range o.Listen {
			o.Listen[i].Advertise = netip.MustParseAddrPort("[2001:db8::5]:0")
		}
		o.Trunks[0].Out = &TrunkOut{Network: "udp", Address: address, From: testNumber}
		o.Trunks[0].Ping = time.Minute
		o.Dial = []DialRule{rule("139")}
	}), func(u *UA) {
		at, err := net.ResolveUDPAddr("udp", address)
		require.NoError(t, err)
		p = newPeerAt(t, at, "udp", u.Addrs()[0])
	})
	ping := p.expectPing()
	require.Contains(t, ping.start, "OPTIONS sip:"+address+" ")
	p.respond(ping, 200, "OK", "p", "")
	r.up(t, true)
	out := r.outside(t.Context(), "13912345678")
	inv := p.expect("INVITE sip:13912345678@"+address+" ", "INVITE")
	ours := netip.AddrPortFrom(netip.MustParseAddr("2001:db8::5"), r.udp().Port()).String()
	require.Contains(t, inv.header("via"), "SIP/2.0/UDP "+ours+";")
	require.Contains(t, inv.header("contact"), "<sip:hotline@"+ours+">")
	require.Contains(t, inv.header("from"), "<sip:"+testNumber+"@[2001:db8::5]>")
	p.respond(inv, 486, "Busy Here", "x", "")
	p.expect("ACK", "ACK")
	refusedFor(t, next(t, out), call.CauseBusy)
}

// A stranger who guesses passwords over IPv6 is banned with the whole network that is its own, and it can be lifted by any
// address in that.
func TestIPv6Ban(t *testing.T) {
	t.Parallel()
	testkit.RequireIPv6(t)
	r := newRig(t, onIPv6(func(o *Options) {
		o.Trunks[0].Allow = []netip.Prefix{netip.MustParsePrefix("2001:db8::/32")}
		o.Abuse.Failures.Each = 3
	}))
	p := newPeer(t, "udp", r.udp())
	_, ban := p.boot().guessesThrice(r)
	require.Equal(t, "::/64", ban.Source.String())
	p.dialog("8001").request("OPTIONS", "")
	r.await(t, dropBanned, 1)
	require.True(t, r.Unban(netip.MustParseAddr("::2")))
	require.Empty(t, r.Bans())
}
