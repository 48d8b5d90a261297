package testkit

import (
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// localNetworks counts those that were made.
var localNetworks atomic.Uint32

// LocalNetwork makes a network of IPv6 of 32 bits (unique local, RFC 4193), which nobody else has, this machine's own until the
// test is over, as 127.0.0.0/8 is: what is sent to any address of it arrives here, and a socket that Claim was called with may
// have any. ok is false, and the log says why, where that is not permitted: only root may, and in some containers nobody. Where
// it is permitted and does not work the test fails.
func LocalNetwork(tb testing.TB) (network netip.Prefix, ok bool) {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Log("no network of IPv6 of the test's own: that takes root")
		return network, false
	}
	RequireIPv6(tb)
	Require(tb, "ip")
	const atOnce = 4                                               // tests of one process that have a network
	id := uint32(os.Getpid())*atOnce + localNetworks.Add(1)%atOnce // a process's is below 2²², see proc_sys_kernel(5)
	network = netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, byte(id >> 16), byte(id >> 8), byte(id)}), 32)
	said, err := localRoute("replace", network)
	if err != nil && regexp.MustCompile("not permitted").MatchString(said) {
		tb.Logf("no network of IPv6 of the test's own: forbidden here, to root too: %s", said)
		return network, false
	}
	if err != nil {
		tb.Fatalf("make %s this machine's own: %v: %s", network, err, said)
	}
	tb.Cleanup(func() {
		if said, err := localRoute("del", network); err != nil {
			tb.Errorf("give %s up: %v: %s", network, err, said)
		}
	})
	return network, true
}

// localRoute changes what is local besides addresses of interfaces (ip-route(8), type local).
func localRoute(does string, network netip.Prefix) (said string, err error) {
	out, err := exec.Command("ip", "-6", "route", does, "local", network.String(), "dev", "lo").CombinedOutput() //nolint:noctx // at once
	return string(out), err
}

// Claim lets a socket of IPv6 have addresses that no interface has (IPV6_FREEBIND, see ip(7)), by its file descriptor as package
// syscall hands it out.
func Claim(c syscall.RawConn) (err error) {
	if failed := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1)
	}); failed != nil {
		return failed
	}
	return err
}
