package sip

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/internal/testkit"
)

// Whoever looks at a message that crossed a socket of all addresses is told the one that its peer knows: what the listener
// advertises where that is of the peer's family, else the one that the peer is reached from; of one family both, and none mapped.
func TestEndsOfListenersOnAllAddresses(t *testing.T) {
	t.Parallel()
	testkit.RequireIPv6(t)
	advertised := netip.MustParseAddrPort("192.0.2.1:6060")
	for name, c := range map[string]struct {
		listen    string
		advertise netip.AddrPort
		peer      string // where it is, and the hotline
		local     string // %d is the listener's port
	}{
		"IPv4":                          {listen: "0.0.0.0:0", peer: "127.0.0.1", local: "127.0.0.1:%d"},
		"IPv6":                          {listen: "[::]:0", peer: "::1", local: "[::1]:%d"},
		"advertised":                    {"0.0.0.0:0", advertised, "127.0.0.1", advertised.String()},
		"advertised, its port":          {"0.0.0.0:0", netip.MustParseAddrPort("192.0.2.1:0"), "127.0.0.1", "192.0.2.1:%d"},
		"advertised of another family":  {"[::]:0", advertised, "::1", "[::1]:%d"},
		"advertised IPv6, peer of IPv4": {"0.0.0.0:0", netip.MustParseAddrPort("[2001:db8::1]:6060"), "127.0.0.1", "127.0.0.1:%d"},
	} {
		for _, network := range []string{"udp", "tcp"} {
			if network == "tcp" && c.advertise.IsValid() {
				continue // a connection knows its own address
			}
			t.Run(name+", "+network, func(t *testing.T) {
				t.Parallel()
				legs := make(chan call.Leg, 1)
				r := newRig(t, func(o *Options) {
					o.Listen = []Listener{{Network: network, Address: netip.MustParseAddrPort(c.listen), Advertise: c.advertise}}
					o.OnIncoming = owned(legs)
					o.Trunks[0].Allow = append(o.Trunks[0].Allow, netip.MustParsePrefix("::1/128"))
					o.Trace = func(string, []call.SIPMessage) {}
				})
				w := &witness{}
				defer r.Observe(w.show)()
				port := r.Addrs()[0].Port()
				local := c.local
				if local[len(local)-2:] == "%d" {
					local = fmt.Sprintf(c.local, port)
				}
				caller := newPeer(t, network, netip.AddrPortFrom(netip.MustParseAddr(c.peer), port))
				k := caller.dialog(testNumber)
				k.answered()
				leg := next(t, legs)
				w.await(t, "INVITE sip:"+testNumber)
				w.await(t, "SIP/2.0 200", "INVITE")
				caller.write("OPTIONS sip:x@h SIP/7.0\r\nVia: SIP/2.0/" + caller.transport() + " " + caller.addr() + ";branch=z9hG4bKx\r\n" +
					"From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: odd\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n")
				w.await(t, "SIP/2.0 505")
				for _, m := range w.said() {
					require.Equal(t, []string{local, caller.addr()}, []string{m.Local.String(), m.Remote.String()}, "%s", m.Data)
				}
				for _, m := range r.Ladder("c1") {
					require.Equal(t, []string{local, caller.addr()}, []string{m.Local.String(), m.Remote.String()}, m.Head)
				}
				leg.Hangup(call.CauseBye)
				caller.expect("BYE", "BYE")
			})
		}
	}
}

// Routes are asked for once in a while only, and few are remembered.
func TestRoutesAreRemembered(t *testing.T) {
	t.Parallel()
	o := &ownEnds{}
	all := netip.MustParseAddrPort("0.0.0.0:5060")
	for i := range 2*mostRoutes + 7 {
		peer := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)}), 5060)
		require.Equal(t, "127.0.0.1:5060", o.of(transportUDP, all, peer).String())
		require.LessOrEqual(t, len(o.routes), mostRoutes)
	}
	peer := netip.MustParseAddrPort("127.0.0.9:1")
	o.of(transportUDP, all, peer)
	known := o.routes[peer.Addr()]
	known.from = netip.MustParseAddr("192.0.2.7")
	o.routes[peer.Addr()] = known
	require.Equal(t, "192.0.2.7:5060", o.of(transportUDP, all, peer).String())
	require.Equal(t, all, o.of(transportUDP, all, netip.AddrPort{}))
}
