package testkit

import (
	"bufio"
	"errors"
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
	holder, said, err := holdRoute(network)
	if err != nil && regexp.MustCompile("not permitted").MatchString(said) {
		tb.Logf("no network of IPv6 of the test's own: forbidden here, to root too: %s", said)
		return network, false
	}
	if err != nil {
		tb.Fatalf("make %s this machine's own: %v: %s", network, err, said)
	}
	tb.Cleanup(func() {
		if err := holder(); err != nil {
			tb.Errorf("give %s up: %v", network, err)
		}
	})
	return network, true
}

// routeHolder makes the network that it is told of local, besides the addresses of interfaces (ip-route(8), type local), and gives
// it up when its input ends: so also when we do, however that is.
const routeHolder = `trap "" INT TERM HUP
exec 2>&1
ip -6 route replace local "$0" dev lo || exit
echo up
cat
ip -6 route del local "$0" dev lo`

// holdRoute starts a routeHolder, and returns what ends it; said is what it said where that fails.
func holdRoute(network netip.Prefix) (end func() error, said string, err error) {
	cmd := exec.Command("sh", "-c", routeHolder, network.String()) //nolint:noctx // ends with us
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}          // who interrupts us does not mean it
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, "", err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	end = func() error {
		return errors.Join(in.Close(), cmd.Wait())
	}
	if said, err = bufio.NewReader(out).ReadString('\n'); err == nil && said == "up\n" {
		return end, "", nil
	}
	return nil, said, errors.Join(err, errNoRoute, end())
}

var errNoRoute = errors.New("no such route was made")

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
