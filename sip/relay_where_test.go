package sip

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/internal/testkit"
)

// TestAudioOfAPhoneElsewhere: a phone that is registered at another node is offered audio at the address of the listener that it
// would be reached from; where it is not known where it is, the engine says.
func TestAudioOfAPhoneElsewhere(t *testing.T) {
	t.Parallel()
	s := newSiteRig(t, "udp", func(o *Options) {
		onSides(t, testkit.FreePorts(t, 1))(o)
		o.Audio = AudioOptions{Address: netip.IPv6Unspecified(), Advertise: netip.MustParseAddr("203.0.113.7")}
	})
	for at, want := range map[string]string{"127.0.0.1": "192.0.2.1", "::1": "2001:db8::3", "": "invalid IP"} {
		c := s.claim()
		c.Phone, _ = netip.ParseAddr(at)
		out := s.rings(t.Context(), s.owner, c, nil)
		s.phone.answers(s.phone.expect("INVITE", "INVITE"), 486, "")
		refusedFor(t, next(t, out), call.CauseBusy)
		all := s.owner.engine.opened()
		require.Equal(t, want, all[len(all)-1].o.Advertise.String())
		s.free(t)
	}
}

// TestWhereAPhoneIs: an edge tells where a phone is, unless that is this very host, or a page.
func TestWhereAPhoneIs(t *testing.T) {
	t.Parallel()
	for at, want := range map[string]string{
		"UDP 192.0.2.7:5060": "192.0.2.7", "TLS [2001:db8::7]:5061": "2001:db8::7", "UDP 127.0.0.1:5060": "", "UDP [::1]:5060": "",
		"TCP [fe80::1%eth0]:5060": "", "WSS 192.0.2.7:443": "",
	} {
		s := newSiteRig(t, "udp", nil)
		s.edge.registrar.mu.Lock()
		b := s.edge.registrar.bindings.byAgent["8001"][0]
		before := b.flow
		var where string
		b.flow.transport, where, _ = strings.Cut(at, " ")
		b.flow.source = netip.MustParseAddrPort(where)
		s.edge.registrar.mu.Unlock()
		flows := s.edge.Flows()
		s.edge.registrar.mu.Lock()
		b.flow = before
		s.edge.registrar.mu.Unlock()
		require.Len(t, flows, 1)
		require.Equal(t, want != "", flows[0].At.IsValid(), at)
		if want != "" {
			require.Equal(t, want, flows[0].At.String())
		}
	}
}

// TestAudioOfAPhoneElsewhereByTransport: so it is where the office has one transport, and the world another.
func TestAudioOfAPhoneElsewhereByTransport(t *testing.T) {
	t.Parallel()
	everywhere := netip.IPv4Unspecified()
	r := newRig(t, func(o *Options) {
		inside, outside := netip.MustParseAddrPort("192.168.1.5:0"), netip.MustParseAddrPort("203.0.113.9:0")
		o.Listen = []Listener{
			{Network: networkUDP, Address: netip.AddrPortFrom(everywhere, 0), Advertise: inside},
			{Network: networkTCP, Address: netip.AddrPortFrom(everywhere, 0), Advertise: outside},
		}
		o.Audio = AudioOptions{Address: everywhere, Advertise: outside.Addr()}
	})
	for at, want := range map[string]string{"192.168.1.77": "192.168.1.5", "198.51.100.7": "203.0.113.9"} {
		require.Equal(t, want, r.audioTo(netip.MustParseAddr(at)).String(), at)
	}
}
