package sip

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReceived: the response's top Via says where the request came from, over any transport and with or without rport, unless
// its sent-by does (RFC 3261 section 18.2.1). What the sender claims of that is not believed.
func TestReceived(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, network := range []string{"udp", "tcp"} {
		to := r.udp()
		if network == "tcp" {
			to = r.tcp()
		}
		p := newPeer(t, network, to)
		_, port, _ := strings.Cut(p.addr(), ":")
		for sentBy, want := range map[string]string{
			"phone.example:" + port:                     ";received=127.0.0.1",
			"192.0.2.7:" + port:                         ";received=127.0.0.1",
			"192.0.2.7:" + port + ";received=192.0.2.9": ";received=127.0.0.1",
			p.addr():                         "",
			p.addr() + ";received=192.0.2.9": "",
		} {
			k := p.dialog(testNumber)
			msg := k.message("OPTIONS", 1, newBranch(), "")
			p.write(strings.Replace(msg, p.addr()+";rport", sentBy, 1))
			via := p.status("OPTIONS", 200).header("via")
			require.Equal(t, want != "", strings.Contains(via, ";received="), "%s: %s", sentBy, via)
			require.Contains(t, via, want)
			require.NotContains(t, via, "192.0.2.9")
		}
	}
}

// TestRelayReceived is TestReceived for what an edge passes on.
func TestRelayReceived(t *testing.T) {
	t.Parallel()
	from := way{transport: transportUDP, peer: netip.MustParseAddrPort("192.0.2.1:5070")}
	for via, want := range map[string]string{
		"SIP/2.0/UDP 192.0.2.1:5060;branch=z":                      "SIP/2.0/UDP 192.0.2.1:5060;branch=z",
		"SIP/2.0/UDP 192.0.2.1":                                    "SIP/2.0/UDP 192.0.2.1",
		"SIP/2.0/UDP phone.example;branch=z":                       "SIP/2.0/UDP phone.example;branch=z;received=192.0.2.1",
		"SIP/2.0/UDP [2001:db8::1]:5060;received=9.9.9.9;branch=z": "SIP/2.0/UDP [2001:db8::1]:5060;branch=z;received=192.0.2.1",
		"SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z":                "SIP/2.0/UDP 192.0.2.1:5060;rport=5070;branch=z;received=192.0.2.1",
	} {
		p := &packet{headers: []packetHeader{{key: nameVia, name: "Via", value: via}}}
		seen(p, from)
		require.Equal(t, want, p.get(nameVia))
	}
}
