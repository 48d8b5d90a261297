package test

import (
	"errors"
	"net"
	"net/netip"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestFirewallHearsErrors: what the network says of SIP and RTP, which are not tracked, comes in through deploy/nftables/hotline.nft.
// A path that takes less than 1500 octets says so by ICMP (Fragmentation Needed, RFC 1191; Packet Too Big, RFC 8201, RFC 4890
// section 4.3.1); unheard, each larger datagram is lost for ever. So is told that nobody listens at a carrier's port.
func TestFirewallHearsErrors(t *testing.T) {
	t.Parallel()
	machine, router, far := testkit.StartNetwork(t), testkit.StartNetwork(t), testkit.StartNetwork(t)
	testkit.Connect(t, testkit.End{In: machine, Name: "eth0", Addresses: []string{machine4 + "/24", machine6 + "/64"}},
		testkit.End{In: router, Name: "near0", Addresses: []string{"192.0.2.2/24", "2001:db8:1::2/64"}})
	const far4, far6 = fromCarrier, "2001:db8:5::5"
	testkit.Connect(t, testkit.End{In: router, Name: "tunnel0", Addresses: []string{"203.0.113.6/30", "2001:db8:5::6/64"}},
		testkit.End{In: far, Name: "eth0", Addresses: []string{far4 + "/30", far6 + "/64"}})
	router.Run(t, "", "ip", "link", "set", "tunnel0", "mtu", "1280") // the least that IPv6 allows
	router.Run(t, "", "sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
	for _, end := range []struct {
		in         *testkit.Network
		via4, via6 string
	}{{machine, "192.0.2.2", "2001:db8:1::2"}, {far, "203.0.113.6", "2001:db8:5::6"}} {
		end.in.Run(t, "", "ip", "route", "add", "default", "via", end.via4)
		end.in.Run(t, "", "ip", "-6", "route", "add", "default", "via", end.via6)
	}
	machine.Run(t, "", "nft", "-f", filepath.Join(testkit.Module(t), "deploy", "nftables", "hotline.nft"))

	for _, one := range []struct {
		here, there string
		port        uint16
	}{{machine4, far4, 5060}, {machine6, far6, 5060}, {machine4, far4, 20000}, {machine6, far6, 20000}} {
		at := netip.AddrPortFrom(netip.MustParseAddr(one.there), one.port)
		from := netip.AddrPortFrom(netip.MustParseAddr(one.here), one.port)
		refused := talks(t, machine, from, netip.AddrPortFrom(at.Addr(), 7))
		testkit.Within(t, testkit.Patience, at.String()+" refusing", func() bool {
			_, err := refused.Write([]byte("nobody listens there"))
			if err == nil {
				require.NoError(t, refused.SetReadDeadline(time.Now().Add(unheard)))
				_, err = refused.Read(make([]byte, 1))
			}
			return errors.Is(err, syscall.ECONNREFUSED)
		})
		require.NoError(t, refused.Close())

		sender, receiver := talks(t, machine, from, at), talks(t, far, at, from)
		large := make([]byte, 1400)
		testkit.Within(t, testkit.Patience, "1400 octets to arrive at "+at.String(), func() bool {
			_, _ = sender.Write(large) // EMSGSIZE, once the path is known to be narrow
			require.NoError(t, receiver.SetReadDeadline(time.Now().Add(unheard)))
			n, err := receiver.Read(make([]byte, 1500))
			return err == nil && n == len(large)
		})
		require.Contains(t, machine.Run(t, "", "ip", "route", "get", one.there), "mtu 1280", "the path was not narrow")
		require.NoError(t, sender.Close())
		require.NoError(t, receiver.Close())
	}
}

// talks opens a socket of a network, from an address to another.
func talks(t *testing.T, in *testkit.Network, from, to netip.AddrPort) (c *net.UDPConn) {
	t.Helper()
	require.NoError(t, in.Do(func() (err error) {
		c, err = net.DialUDP("udp", net.UDPAddrFromAddrPort(from), net.UDPAddrFromAddrPort(to))
		return err
	}))
	return c
}
