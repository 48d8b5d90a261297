package testkit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Network is a network of a test's own, with interfaces, routes, and a firewall like another machine's (a namespace, see
// network_namespaces(7)). nil is this machine's. Its methods may be called from any goroutine.
//
// A process holds it, and ends when we do, however that is: then, once nothing else runs in it, the kernel takes the network away
// with its interfaces, and with the other ends of their cables.
type Network struct {
	tb  testing.TB
	pid int // of the holder
}

// networkTools are the programs that it takes.
var networkTools = []string{"unshare", "nsenter", "ip", "nft", "sysctl"}

// RequireNetworks skips a test where networks of its own are not permitted, and says so: only root may make them, and in some
// containers nobody. Where they are permitted and do not work the test fails.
func RequireNetworks(tb testing.TB) {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("networks of a test's own take root")
	}
	Require(tb, networkTools...)
	said, err := exec.CommandContext(tb.Context(), "unshare", "--net", "true").CombinedOutput()
	if err != nil && regexp.MustCompile("not permitted|Invalid argument").Match(said) { // EPERM; EINVAL: the kernel has none
		tb.Skipf("networks of a test's own are forbidden here, to root too: %s", said)
	}
	if err != nil {
		tb.Fatalf("make a network: %v: %s", err, said)
	}
}

// StartNetwork makes a network with a loopback interface, which goes with the test.
func StartNetwork(tb testing.TB) *Network {
	tb.Helper()
	RequireNetworks(tb)
	cmd := exec.Command("unshare", "--net", "sh", "-ec", "ip link set lo up; echo up; exec cat") //nolint:noctx // ends with us
	hold, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatalf("hold a network: %v", err)
	}
	p := startProcess(tb, "the holder of a network", cmd)
	tb.Cleanup(func() { _ = hold.Close() }) // upon which cat ends, if it has not
	p.await(tb, "up")
	return &Network{tb: tb, pid: cmd.Process.Pid}
}

// file is a file of the network's, in proc(5).
func (n *Network) file(name string) string {
	if n == nil {
		return filepath.Join("/proc/self", name)
	}
	return filepath.Join(fmt.Sprintf("/proc/%d", n.pid), name)
}

// Command is a program to be run in the network.
func (n *Network) Command(name string, args ...string) *exec.Cmd {
	if n == nil {
		return exec.Command(name, args...) //nolint:noctx // the caller's
	}
	return exec.Command("nsenter", append([]string{"--net=" + n.file("ns/net"), "--", name}, args...)...) //nolint:noctx // the caller's
}

// Run runs a program in the network, with something to read, and returns what it said. One that fails fails the test.
func (n *Network) Run(tb testing.TB, input string, name string, args ...string) string {
	tb.Helper()
	cmd := n.Command(name, args...)
	cmd.Stdin = strings.NewReader(input)
	said, err := cmd.CombinedOutput()
	if err != nil {
		tb.Fatalf("%s: %v: %s", strings.Join(cmd.Args, " "), err, said)
	}
	return string(said)
}

// Do runs f in the network: the sockets that it opens are there, and stay there. f must open them itself, not by another
// goroutine.
func (n *Network) Do(f func() error) error {
	if n == nil {
		return f()
	}
	done := make(chan error)
	go func() { done <- n.enter(f) }()
	return <-done
}

// dial connects in the network to HOST:PORT, which is an address.
func (n *Network) dial(ctx context.Context, network, addr string) (conn net.Conn, err error) {
	err = n.Do(func() (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, network, addr)
		return err
	})
	return conn, err
}

// enter is Do on a thread of its own, which is thrown away if it cannot go back.
func (n *Network) enter(f func() error) (err error) {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer home.Close() //nolint:errcheck // nothing is written
	there, err := os.Open(n.file("ns/net"))
	if err != nil {
		return err
	}
	defer there.Close() //nolint:errcheck // nothing is written
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter a network: %w", err)
	}
	defer func() {
		if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
			err = errors.Join(err, fmt.Errorf("leave a network: %w", back))
			return // still locked: the thread ends with the goroutine
		}
		runtime.UnlockOSThread()
	}()
	return f()
}

// links counts the interfaces that were put on this machine.
var links atomic.Uint32

// End is one end of a cable: an interface in a network with addresses ("192.168.7.2/24"). On this machine its name is chosen.
type End struct {
	In        *Network
	Name      string
	Addresses []string
}

// Connect lays a cable between two networks (veth(4)). What of it is on this machine is gone with the test.
func Connect(tb testing.TB, a, b End) {
	tb.Helper()
	for _, e := range []*End{&a, &b} {
		if e.In == nil {
			e.Name = fmt.Sprintf("ht%dn%d", os.Getpid(), links.Add(1)) // at most 15 letters
			tb.Cleanup(func() { removeLink(tb, e.Name) })
		}
	}
	args := append([]string{"link", "add"}, a.place()...)
	args = append(append(args, "type", "veth", "peer"), b.place()...)
	(*Network)(nil).Run(tb, "", "ip", args...)
	for _, e := range []End{a, b} {
		for _, address := range e.Addresses {
			put := []string{"addr", "replace", address, "dev", e.Name}
			if strings.Contains(address, ":") {
				put = append(put, "nodad") // nobody else can have it
			}
			e.In.Run(tb, "", "ip", put...)
		}
		e.In.Run(tb, "", "ip", "link", "set", e.Name, "up")
	}
}

// place is an end as ip wants it.
func (e End) place() []string {
	if e.In == nil {
		return []string{"name", e.Name}
	}
	return []string{"name", e.Name, "netns", fmt.Sprint(e.In.pid)}
}

// removeLink takes an interface away from this machine, unless it has gone with the network at its other end.
func removeLink(tb testing.TB, name string) {
	tb.Helper()
	said, err := exec.Command("ip", "link", "del", name).CombinedOutput() //nolint:noctx // of a cleanup
	if _, there := os.Stat(filepath.Join("/sys/class/net", name)); there == nil {
		tb.Errorf("remove %s: %v: %s", name, err, said)
	}
}

// stopped reports whether the process that holds a network has ended.
func (n *Network) stopped() bool { return errors.Is(syscall.Kill(n.pid, 0), syscall.ESRCH) }
