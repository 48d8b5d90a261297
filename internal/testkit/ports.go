package testkit

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// Ports are handed out in blocks below the range from which the kernel picks ports by itself (32768
// upwards on Linux), so that no passing client takes one between our look and the phone's bind.
const (
	firstPort  = 4000
	blockPorts = 200
	blocks     = 143
)

// ownPorts are those that the program takes where nobody says which, for audio: by default, and for the people of its
// demo. It passes over one that is taken, but may take one that was handed out and is not bound yet.
var ownPorts = [...]PortRange{{20000, 24999}, {26000, 29999}}

// own reports whether a block has ports that the program takes by itself.
func own(first int) bool {
	return slices.ContainsFunc(ownPorts[:], func(r PortRange) bool { return first <= r.Last && first+blockPorts > r.First })
}

// Transports of SIP, as URIs and the kernel name them.
const (
	overUDP = "udp"
	overTCP = "tcp"
)

// PortRange is a range of ports, both ends in it.
type PortRange struct{ First, Last int }

// Has reports whether a port is in the range.
func (r PortRange) Has(port uint16) bool { return r.First <= int(port) && int(port) <= r.Last }

// FreePorts returns the first of n ports (at most 200) in a row that are free for UDP and TCP on
// 127.0.0.1. They stay the test's until its end, also against tests of other processes.
func FreePorts(tb testing.TB, n int) int {
	tb.Helper()
	if n < 1 || n > blockPorts {
		tb.Fatalf("%d ports wanted; a block has %d", n, blockPorts)
	}
	if err := os.MkdirAll(filepath.Dir(lockPath(firstPort)), 0o777); err != nil {
		tb.Fatalf("make a folder for port locks: %v", err)
	}
	for _, block := range rand.Perm(blocks) {
		first := firstPort + block*blockPorts
		if own(first) {
			continue
		}
		lock, err := lockFile(lockPath(first))
		if errors.Is(err, syscall.EWOULDBLOCK) {
			continue
		}
		if err != nil {
			tb.Fatalf("lock ports: %v", err)
		}
		if !allFree(first, n) {
			unlock(tb, lock)
			continue
		}
		tb.Cleanup(func() { unlock(tb, lock) })
		return first
	}
	tb.Fatalf("no %d free ports in a row", n)
	return 0
}

// lockPath is the file that stands for a block of ports.
func lockPath(first int) string {
	return filepath.Join(os.TempDir(), "hotline-test-ports", fmt.Sprint(first))
}

// lockFile takes the lock that a file stands for; the kernel frees it when the process ends, however
// it ends. Error: syscall.EWOULDBLOCK when another has it.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func unlock(tb testing.TB, f *os.File) {
	tb.Helper()
	if err := f.Close(); err != nil {
		tb.Errorf("unlock ports: %v", err)
	}
}

// allFree reports whether nothing listens on any of n ports from first on.
func allFree(first, n int) bool {
	for port := first; port < first+n; port++ {
		if !free(port) {
			return false
		}
	}
	return true
}

func free(port int) bool {
	ip := net.IPv4(127, 0, 0, 1)
	u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: ip, Port: port})
	if err != nil {
		return false
	}
	t, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: ip, Port: port})
	if err != nil {
		_ = u.Close() // the port is taken all the same
		return false
	}
	return errors.Join(u.Close(), t.Close()) == nil
}

// bound reports whether a process listens on an IPv4 port, by the kernel's own list (Linux's proc(5)).
// Trying to bind it would be in the way of the one that is about to.
func bound(tb testing.TB, network string, port int) bool {
	tb.Helper()
	table, err := os.ReadFile("/proc/net/" + network)
	if err != nil {
		tb.Fatalf("read the kernel's list of ports: %v", err)
	}
	const listening, unconnected = "0A", "07" // of TCP, and of UDP
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) > 3 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) &&
			(f[3] == listening || f[3] == unconnected) {
			return true
		}
	}
	return false
}
