package test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// Addresses of those who send, by what deploy/nftables/hotline.nft calls them.
const (
	fromCarrier   = "203.0.113.5"
	fromPhone     = "10.20.0.9"
	fromWatcher   = "10.30.0.10"
	fromNode      = "10.40.0.2"
	fromStranger  = "100.64.0.1"
	fromFlooder   = "100.64.0.2"
	fromBanned    = "192.0.2.77"
	fromPhone6    = "2001:db8:20::9"
	fromStranger6 = "2001:db8:99::1"
	fromFlooder6  = "2001:db8:98:0:%d::1" // of one network of 64 bits
	flooders6     = 10
)

// firewalled is a machine behind deploy/nftables/hotline.nft on which everything listens, and the world that can send to it.
type firewalled struct {
	t              *testing.T
	machine, world *testkit.Network

	mu   sync.Mutex
	from map[netip.Addr]int // datagrams at the SIP port, by who sent them
}

const (
	machine4 = "192.0.2.1"
	machine6 = "2001:db8:1::1"
	// unheard is how long nothing may come for something to count as dropped. What is not dropped comes in microseconds.
	unheard = 500 * time.Millisecond
)

func startFirewalled(t *testing.T) *firewalled {
	t.Helper()
	f := &firewalled{t: t, machine: testkit.StartNetwork(t), world: testkit.StartNetwork(t), from: make(map[netip.Addr]int)}
	world := []string{"192.0.2.2/24", "2001:db8:1::2/64"}
	for _, a := range []string{fromCarrier, fromPhone, fromWatcher, fromNode, fromStranger, fromFlooder, fromBanned} {
		world = append(world, a+"/32")
	}
	for _, a := range append(flooder6(), fromPhone6, fromStranger6) {
		world = append(world, a+"/128")
	}
	testkit.Connect(t, testkit.End{In: f.machine, Name: "eth0", Addresses: []string{machine4 + "/24", machine6 + "/64"}},
		testkit.End{In: f.world, Name: "out0", Addresses: world})
	f.machine.Run(t, "", "ip", "route", "add", "default", "via", "192.0.2.2")
	f.machine.Run(t, "", "ip", "-6", "route", "add", "default", "via", "2001:db8:1::2")
	f.machine.Run(t, "", "nft", "-f", filepath.Join(testkit.Module(t), "deploy", "nftables", "hotline.nft"))
	for _, port := range []int{5060, 5061, 5070, 8080, 22, 19999, 20000, 24999, 25000} {
		f.serve(port)
	}
	return f
}

// flooder6 are the addresses of one flooder.
func flooder6() (all []string) {
	for i := range flooders6 {
		all = append(all, fmt.Sprintf(fromFlooder6, i))
	}
	return all
}

// serve answers by UDP, and takes connections, at a port of the machine.
func (f *firewalled) serve(port int) {
	f.t.Helper()
	var packets net.PacketConn
	var listener net.Listener
	require.NoError(f.t, f.machine.Do(func() (err error) {
		at := fmt.Sprintf("[::]:%d", port)
		if packets, err = net.ListenPacket("udp", at); err == nil { //nolint:noctx // no name is looked up
			listener, err = net.Listen("tcp", at) //nolint:noctx // likewise
		}
		return err
	}))
	var running sync.WaitGroup
	f.t.Cleanup(func() {
		assert.NoError(f.t, errors.Join(packets.Close(), listener.Close()))
		running.Wait()
	})
	running.Go(func() {
		b := make([]byte, 1500)
		for {
			n, from, err := packets.ReadFrom(b)
			if err != nil {
				return // closed
			}
			if port == 5060 {
				f.mu.Lock()
				f.from[from.(*net.UDPAddr).AddrPort().Addr().Unmap()]++ //nolint:forcetypeassert // of UDP
				f.mu.Unlock()
			}
			_, _ = packets.WriteTo(b[:n], from)
		}
	})
	running.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return // closed
			}
			_ = c.Close()
		}
	})
}

// arrived is how many datagrams from an address came to the SIP port.
func (f *firewalled) arrived(from string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.from[netip.MustParseAddr(from)]
}

// machineFor is a port of the machine for who has an address of the same family.
func machineFor(from string, port int) netip.AddrPort {
	if a := netip.MustParseAddr(from); a.Is6() {
		return netip.AddrPortFrom(netip.MustParseAddr(machine6), uint16(port))
	}
	return netip.AddrPortFrom(netip.MustParseAddr(machine4), uint16(port))
}

// dialUDP opens a socket of an address in the world towards a port of the machine. The caller closes it.
func (f *firewalled) dialUDP(from string, port int) (c *net.UDPConn, err error) {
	err = f.world.Do(func() (err error) {
		c, err = net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 0)), net.UDPAddrFromAddrPort(machineFor(from, port)))
		return err
	})
	return c, err
}

// echoes sends a datagram, and tells whether it came back within a time.
func echoes(c *net.UDPConn, within time.Duration) bool {
	if _, err := c.Write([]byte("are you there")); err != nil {
		return false // what came back from the one before is told here
	}
	if err := c.SetReadDeadline(time.Now().Add(within)); err != nil {
		return false
	}
	_, err := c.Read(make([]byte, 1500))
	return err == nil
}

// passes is whether a packet from an address gets to a port, and an answer back.
func (f *firewalled) passes(network, from string, port int) bool {
	if network == "udp" {
		c, err := f.dialUDP(from, port)
		if err != nil {
			return false
		}
		defer c.Close() //nolint:errcheck // nothing is left to be sent
		return echoes(c, unheard)
	}
	err := f.world.Do(func() error {
		d := net.Dialer{Timeout: unheard, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 0))}
		c, err := d.DialContext(f.t.Context(), "tcp", machineFor(from, port).String())
		if err != nil {
			return err
		}
		return c.Close()
	})
	return err == nil
}

// TestFirewallPorts: the rules let in whom docs/machine.md says, by the ports that it names, and drop everybody else without a word;
// who is thrown out reaches nothing. SIP over UDP and RTP are not tracked, and TCP is.
func TestFirewallPorts(t *testing.T) {
	t.Parallel()
	f := startFirewalled(t)
	lets := func(network, from string, ports ...int) {
		for _, port := range ports {
			testkit.Within(t, testkit.Patience, fmt.Sprintf("%s from %s to port %d", network, from, port), func() bool {
				return f.passes(network, from, port)
			})
		}
	}
	drops := func(network, from string, ports ...int) {
		for _, port := range ports {
			assert.False(t, f.passes(network, from, port), "%s from %s to port %d", network, from, port)
		}
	}
	for _, anybody := range []string{fromStranger, fromStranger6, fromCarrier, fromPhone, fromPhone6, fromBanned} {
		lets("udp", anybody, 5060, 20000, 24999)
		lets("tcp", anybody, 5060, 5061)
	}
	var all sync.WaitGroup
	for _, refused := range []struct {
		network string
		from    []string
		ports   []int
	}{
		{"udp", []string{fromStranger, fromStranger6, fromCarrier, fromPhone}, []int{19999, 25000, 5070, 8080}},
		{"tcp", []string{fromStranger, fromStranger6, fromCarrier, fromPhone}, []int{22, 8080, 5070, 20000}},
		{"udp", []string{fromWatcher}, []int{5070}},
		{"tcp", []string{fromNode}, []int{22}},
	} {
		for _, from := range refused.from {
			all.Go(func() { drops(refused.network, from, refused.ports...) })
		}
	}
	all.Wait()
	lets("tcp", fromWatcher, 22, 8080)
	lets("tcp", fromNode, 8080)
	lets("udp", fromNode, 5070)

	f.machine.Run(t, "", "nft", "add", "element", "inet", "hotline", "banned4", "{ "+fromBanned+" timeout 1d }")
	drops("udp", fromBanned, 5060, 20000)
	drops("tcp", fromBanned, 5060)
	lets("udp", fromStranger, 5060)

	if _, err := os.Stat("/proc/self/net/nf_conntrack"); err != nil {
		t.Log("this kernel does not show what is tracked (CONFIG_NF_CONNTRACK_PROCFS)")
		return
	}
	tracked := f.machine.Run(t, "", "cat", "/proc/self/net/nf_conntrack")
	require.Regexp(t, ` tcp .* dport=5060 `, tracked)
	require.NotRegexp(t, ` udp .* dport=(5060|5070|20000|24999) `, tracked)
}

// TestFirewallRates: a stranger has 50 packets a second at SIP's ports, and 100 at once, from one address of IPv4, or from all of a
// network of IPv6 together; what comes of others is not touched by it, and it is heard again once it is quiet. Carriers and
// phones have no limit.
func TestFirewallRates(t *testing.T) {
	t.Parallel()
	f := startFirewalled(t)
	const flood = 600
	open := func(from string) *net.UDPConn {
		c, err := f.dialUDP(from, 5060)
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() }) // nothing is left to be sent
		return c
	}
	for other, flooder := range map[string][]string{fromStranger: {fromFlooder}, fromStranger6: flooder6()} {
		var from []*net.UDPConn
		for _, a := range flooder {
			from = append(from, open(a))
		}
		c := open(other)
		begun := time.Now()
		for i := range flood {
			_, err := from[i%len(from)].Write([]byte("INVITE"))
			require.NoError(t, err)
		}
		require.True(t, echoes(c, testkit.Patience), "another stranger, behind all of the flood")
		took, heard := time.Since(begun), 0
		for _, a := range flooder {
			heard += f.arrived(a)
		}
		require.GreaterOrEqual(t, heard, 100, flooder)
		require.LessOrEqual(t, heard, 101+int(50*took.Seconds()), "%s in %s", flooder, took)
	}

	for _, known := range []string{fromCarrier, fromPhone, fromPhone6} {
		before := f.arrived(known)
		c := open(known)
		for range flood {
			require.True(t, echoes(c, testkit.Patience), known)
		}
		require.Equal(t, flood, f.arrived(known)-before)
	}
	for _, from := range append(flooder6(), fromFlooder) {
		testkit.Within(t, testkit.Patience, from+" to be heard again", func() bool { return f.passes("udp", from, 5060) })
	}
}
