package sip

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/internal/testkit"
)

// sides are listeners of one transport and port, each with an address of its own to be known by.
var sides = []struct{ bound, advertised string }{
	{"127.0.0.1", "192.0.2.1"}, {"127.0.0.2", "198.51.100.2:5999"}, {"::1", "2001:db8::3"},
}

// known is what a side is known as.
func known(port int, advertised string) string {
	if _, err := netip.ParseAddrPort(advertised); err == nil {
		return advertised
	}
	return net.JoinHostPort(advertised, fmt.Sprint(port))
}

// onSides has a rig listen on all sides, by UDP and then by TCP, each at one port.
func onSides(t *testing.T, port int) func(o *Options) {
	t.Helper()
	testkit.RequireIPv6(t)
	return func(o *Options) {
		o.Listen = nil
		for _, network := range []string{networkUDP, networkTCP} {
			for _, s := range sides {
				l := Listener{Network: network, Address: netip.AddrPortFrom(netip.MustParseAddr(s.bound), uint16(port))}
				var err error
				if l.Advertise, err = netip.ParseAddrPort(s.advertised); err != nil {
					l.Advertise = netip.AddrPortFrom(netip.MustParseAddr(s.advertised), 0)
				}
				o.Listen = append(o.Listen, l)
			}
		}
		o.Trunks[0].Allow = append(o.Trunks[0].Allow, netip.MustParsePrefix("::1/128"))
	}
}

// Each listener's peers are told its address, and none of another of the same transport and port, in Via, Contact and From.
func TestListenersOfOneTransport(t *testing.T) {
	t.Parallel()
	for i, s := range sides {
		for at, network := range map[int]string{i: networkUDP, i + len(sides): networkTCP} {
			t.Run(network+" "+s.bound, func(t *testing.T) {
				t.Parallel()
				port := testkit.FreePorts(t, 1)
				legs := make(chan call.Leg, 1)
				sided := onSides(t, port)
				r := newRig(t, func(o *Options) {
					sided(o)
					o.OnIncoming = untilOver(legs)
				})
				ours := known(port, s.advertised)
				host, _, err := net.SplitHostPort(ours)
				require.NoError(t, err)
				p := newPeer(t, network, r.Addrs()[at])
				p.register(r)
				inv, out := p.rungBy(r)
				require.Contains(t, inv.header("via"), " "+ours+";")
				require.Contains(t, inv.header("contact"), "@"+ours)
				require.Contains(t, inv.header("from"), "@"+sipHost(host)+">")
				p.respond(inv, 486, "Busy Here", "x", "")
				p.expect("ACK", "ACK")
				refusedFor(t, next(t, out), call.CauseBusy)

				k := newPeer(t, network, r.Addrs()[at]).dialog(testNumber)
				require.Contains(t, k.answered().header("contact"), "@"+ours)
				next(t, legs).Hangup(call.CauseBye)
				bye := k.p.expect("BYE sip:caller@"+k.p.addr(), "BYE")
				require.Contains(t, bye.header("via"), " "+ours+";")
				k.p.respond(bye, 200, "OK", "", "")
			})
		}
	}
}

func sipHost(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// What is bound to every address of a family says so of it alone, and stands beside what is bound to every one of the other.
func TestListenersOfBothFamilies(t *testing.T) {
	t.Parallel()
	testkit.RequireIPv6(t)
	port := testkit.FreePorts(t, 1)
	legs := make(chan call.Leg, 1)
	newRig(t, func(o *Options) {
		o.Listen = nil
		for _, l := range [][2]string{{"[::]", "2001:db8::3"}, {"0.0.0.0", "192.0.2.1"}} {
			for _, network := range []string{networkUDP, networkTCP} {
				o.Listen = append(o.Listen, Listener{
					Network: network, Address: netip.MustParseAddrPort(fmt.Sprint(l[0], ":", port)),
					Advertise: netip.AddrPortFrom(netip.MustParseAddr(l[1]), 0),
				})
			}
		}
		o.Trunks[0].Allow = append(o.Trunks[0].Allow, netip.MustParsePrefix("::1/128"))
		o.OnIncoming = untilOver(legs)
	})
	for _, network := range []string{networkUDP, networkTCP} {
		for host, ours := range map[string]string{"[::1]": "[2001:db8::3]", "127.0.0.1": "192.0.2.1"} {
			k := newPeer(t, network, netip.MustParseAddrPort(fmt.Sprint(host, ":", port))).dialog(testNumber)
			require.Contains(t, k.answered().header("contact"), fmt.Sprint("@", ours, ":", port))
			next(t, legs).Hangup(call.CauseBye)
			k.p.respond(k.p.expect("BYE sip:caller@"+k.p.addr(), "BYE"), 200, "OK", "", "")
		}
	}
}

// A trunk leaves by the listener that the host sends from to it, wherever that stands in the file.
func TestTrunkLeavesByItsListener(t *testing.T) {
	t.Parallel()
	port := testkit.FreePorts(t, 1)
	carrier := newPeer(t, networkUDP, netip.MustParseAddrPort("127.0.0.1:9")) // for its port
	address := carrier.addr()
	require.NoError(t, carrier.conn.Close())
	var p *peer
	r := newRigWith(t, func(o *Options) {
		o.Listen = []Listener{
			{Network: networkUDP, Address: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), uint16(port))},
			{
				Network: networkUDP, Address: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port)),
				Advertise: netip.MustParseAddrPort("192.0.2.1:0"),
			},
		}
		o.Trunks[0].Out = &TrunkOut{Network: networkUDP, Address: address, From: testNumber}
		o.Trunks[0].Ping = time.Minute
		o.Dial = []DialRule{rule("139")}
	}, func(u *UA) {
		at, err := net.ResolveUDPAddr(networkUDP, address)
		require.NoError(t, err)
		p = newPeerAt(t, at, networkUDP, u.Addrs()[1]) // it hears nobody else
	})
	ping := p.expectPing()
	require.Contains(t, ping.header("via"), fmt.Sprint(" 192.0.2.1:", port, ";"))
	p.respond(ping, 200, "OK", "p", "")
	r.up(t, true)
	out := r.outside(t.Context(), "13912345678")
	inv := p.expect("INVITE sip:13912345678@"+address+" ", "INVITE")
	require.Contains(t, inv.header("contact"), fmt.Sprint("@192.0.2.1:", port))
	p.respond(inv, 486, "Busy Here", "x", "")
	p.expect("ACK", "ACK")
	refusedFor(t, next(t, out), call.CauseBusy)
}

// Which listener leads to whom: one that the host would send from, of these one that names an address of the far end's kind.
func TestWays(t *testing.T) {
	t.Parallel()
	const (
		lan    = "192.168.1.5:5060"
		second = "192.168.1.5:5080 203.0.113.9" // another port of the same, which a router forwards
		every  = "0.0.0.0:5080 203.0.113.9"
		dmz    = "10.0.0.2:5060 203.0.113.9"
		public = "203.0.113.9:5060"
		inward = "127.0.0.1:5060"
		six    = "[2001:db8::5]:5060"
		all6   = "[::]:5060 2001:db8::5"
	)
	for name, c := range map[string]struct {
		listen         []string
		to, from, want string
	}{
		"the public one":                 {[]string{lan, public}, "198.51.100.1:5060", "203.0.113.9", public},
		"the one inside":                 {[]string{public, lan}, "192.168.1.20:5060", "192.168.1.5", lan},
		"one that every address is of":   {[]string{lan, every}, "10.9.9.9:5060", "10.0.0.7", every},
		"its own before every":           {[]string{"0.0.0.0:5080 192.168.1.5", lan}, "192.168.1.20:5060", "192.168.1.5", lan},
		"what is told to whom is away":   {[]string{lan, second}, "198.51.100.1:5060", "192.168.1.5", second},
		"what is told to whom is inside": {[]string{second, lan}, "192.168.1.20:5060", "192.168.1.5", lan},
		"every, told to whom is away":    {[]string{lan, every}, "198.51.100.1:5060", "192.168.1.5", every},
		"by the carrier's own line":      {[]string{lan, dmz}, "10.0.0.50:5060", "10.0.0.2", dmz},
		"the file's order":               {[]string{"10.0.0.2:5060", lan}, "10.9.9.9:5060", "10.0.0.7", "10.0.0.2:5060"},
		"no route":                       {[]string{"10.0.0.2:5060", lan}, "10.9.9.9:5060", "", "10.0.0.2:5060"},
		"this host":                      {[]string{lan}, "127.0.0.1:5070", "127.0.0.1", lan},
		"this host, on loopback":         {[]string{lan, inward}, "127.0.0.1:5070", "127.0.0.1", inward},
		"loopback leads nowhere":         {[]string{inward}, "198.51.100.1:5060", "203.0.113.9", ""},
		"of its family":                  {[]string{public, six}, "[2001:db8::9]:5060", "2001:db8::5", six},
		"every one of its family":        {[]string{all6, public}, "198.51.100.1:5060", "203.0.113.9", public},
		"none of its family":             {[]string{public, lan}, "[2001:db8::9]:5060", "2001:db8::5", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := new(UA)
			for _, text := range c.listen {
				at, advertise, _ := strings.Cut(text, " ")
				l := &listener{transport: transportUDP, bound: netip.MustParseAddrPort(at)}
				if advertise != "" {
					l.advertise = netip.AddrPortFrom(netip.MustParseAddr(advertise), 0)
				}
				u.listeners = append(u.listeners, l)
			}
			var from netip.Addr
			if c.from != "" {
				from = netip.MustParseAddr(c.from)
			}
			want, _, _ := strings.Cut(c.want, " ")
			ways := u.waysTo(networkUDP, netip.MustParseAddrPort(c.to))
			if want == "" {
				require.Empty(t, ways)
				return
			}
			require.Equal(t, want, u.bestOf(ways, from).ours.String())
		})
	}
}
