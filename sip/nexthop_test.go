package sip

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestNextHopByTransport: a call that was made by UDP goes on by the transport that its next URI asks for (RFC 3263 section
// 4.1), and where nobody takes that connection by UDP, as it began.
func TestNextHopByTransport(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Contact", "Record-Route"} {
		for _, there := range []bool{true, false} {
			t.Run(name+" "+strconv.FormatBool(there), func(t *testing.T) {
				t.Parallel()
				r, p, l := largeRig(t)
				r.engine.enlarge(0)
				out := r.outside(t.Context(), "139")
				inv := p.expect("INVITE sip:139", "INVITE")
				lines := map[string][]string{
					"Contact":      {"Contact: <sip:gw@" + p.addr() + ";transport=TCP>"},
					"Record-Route": {"Contact: <sip:gw@192.0.2.1>", "Record-Route: <sip:" + p.addr() + ";transport=tcp;lr>"},
				}[name]
				at := p
				if !there {
					require.NoError(t, l.Close())
				}
				p.respond(inv, 200, "OK", "x", sdpGood, lines...)
				over := "UDP"
				if there {
					at, over = acceptPeer(t, l, r), "TCP"
				}
				require.Contains(t, at.expect("ACK sip:gw@", "ACK").header("via"), "SIP/2.0/"+over+" ")
				got := next(t, out)
				require.NoError(t, got.err)
				got.leg.Hangup(call.CauseBye)
				bye := at.expect("BYE sip:gw@", "BYE")
				require.Contains(t, bye.header("via"), "SIP/2.0/"+over+" ")
				at.respond(bye, 200, "OK", "", "")
				r.back.mu.Lock()
				defer r.back.mu.Unlock()
				require.Empty(t, r.back.of)
			})
		}
	}
}

// TestNextHopNotFound: a name that is not found ends no call that was answered. Where it is a trunk's, what it meant before
// holds; else the requests go to where the answer came from.
func TestNextHopNotFound(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{true, false} {
		t.Run(strconv.FormatBool(known), func(t *testing.T) {
			t.Parallel()
			r, p, _ := dialRig(t, TrunkOut{From: testNumber}, rule("139"))
			r.hosts.resolve = func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("no name server") }
			at, host := p, "sbc.carrier.test"
			if known {
				at = newPeer(t, "udp", r.udp())
				r.hosts.mu.Lock()
				r.hosts.hosts[host] = &hostEntry{addrs: []netip.Addr{parsePeer(at.addr()).Addr()}}
				r.hosts.mu.Unlock()
			}
			out := r.outside(t.Context(), "139")
			inv := p.expect("INVITE sip:139", "INVITE")
			p.respond(inv, 200, "OK", "x", sdpGood, "Contact: <sip:gw@"+host+":"+strconv.Itoa(int(parsePeer(at.addr()).Port()))+">")
			at.expect("ACK sip:gw@"+host, "ACK")
			got := next(t, out)
			require.NoError(t, got.err)
			got.leg.Hangup(call.CauseBye)
			at.respond(at.expect("BYE sip:gw@"+host, "BYE"), 200, "OK", "", "")
		})
	}
}

// TestWaysBackAreBounded: what is never sent is not remembered for good.
func TestWaysBackAreBounded(t *testing.T) {
	t.Parallel()
	var w waysBack
	for i := range 2 * waysBackMost {
		w.put(strconv.Itoa(i), hop{transport: transportUDP})
	}
	require.Len(t, w.of, waysBackMost)
	_, ok := w.take(strconv.Itoa(2*waysBackMost - 1))
	require.True(t, ok)
	require.Len(t, w.of, waysBackMost-1)
}

// TestAdvertisedName: by a listener of TLS with a name, Via and Contact bear that, so that who holds our certificate against it
// finds it there (RFC 5922 section 7); and who refers to it means us.
func TestAdvertisedName(t *testing.T) {
	t.Parallel()
	for _, port := range []uint16{0, 5067} {
		r := newRig(t, listensTLS(newPEM(t, "name"), func(o *Options) {
			o.Listen[len(o.Listen)-1].AdvertiseName, o.Listen[len(o.Listen)-1].AdvertisePort = "sip.hotline.test", port
		}))
		p := newTLSPeer(t, nil, r.tls())
		p.register(r)
		inv, out := p.rungBy(r)
		at := "sip.hotline.test:" + strconv.Itoa(int(cmp.Or(port, r.tls().Port())))
		require.Contains(t, inv.header("via"), "SIP/2.0/TLS "+at+";")
		require.Contains(t, inv.header("contact"), "sip:hotline@"+at+";transport=tls")
		p.respond(inv, 200, "OK", "a1", sdpGood)
		p.expect("ACK", "ACK")
		l := next(t, out).leg
		require.True(t, r.ourHost("SIP.hotline.test", l.(*leg)))
		require.False(t, r.ourHost("hotline.test", l.(*leg)))
		l.Hangup(call.CauseBye)
		p.respond(p.expect("BYE", "BYE"), 200, "OK", "", "")

		plain := r.contactAt(hop{transport: transportUDP, dest: "127.0.0.1:5060", ours: r.udp()})
		require.Contains(t, plain.Value(), r.udp().String(), "the name is of its listener")
	}
}
