package testkit

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// peersVariable, set to peersRequired, turns a missing program from a skipped test into a failed one.
const (
	peersVariable = "HOTLINE_PEERS"
	peersRequired = "required"
)

// Patience is how long helpers wait for an event that should come at once. It is long because a busy
// machine running everything under the race detector is slow, and costs nothing when all is well.
const Patience = 20 * time.Second

// Require makes sure that programs are on the PATH. If any is missing the test is skipped, naming
// them all, or fails if HOTLINE_PEERS=required.
func Require(tb testing.TB, programs ...string) {
	tb.Helper()
	var missing []string
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			missing = append(missing, p)
		}
	}
	if len(missing) > 0 {
		skip(tb, "needs "+strings.Join(missing, ", "))
	}
}

// RequireIPv6 is Require for a machine that has ::1, which a container may not.
func RequireIPv6(tb testing.TB) {
	tb.Helper()
	c, err := new(net.ListenConfig).ListenPacket(tb.Context(), "udp6", hostPort(localhost6, 0))
	if err != nil {
		skip(tb, "needs IPv6: "+err.Error())
	}
	if err := c.Close(); err != nil {
		tb.Fatalf("close a UDP socket: %v", err)
	}
}

// skip skips, or fails where the peers are required.
func skip(tb testing.TB, why string) {
	tb.Helper()
	if os.Getenv(peersVariable) == peersRequired {
		tb.Fatalf("%s (%s=%s)", why, peersVariable, peersRequired)
	}
	tb.Skip(why)
}

// Within calls f until it is true, each time something may have changed, and fails the test after
// limit. f must be cheap: for what has no event of its own (a file, another process's HTTP). Asking a hotline with the race
// detector more often than that costs more than its calls do.
func Within(tb testing.TB, limit time.Duration, what string, f func() bool) {
	tb.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-deadline.C:
			tb.Fatalf("not within %s: %s", limit, what)
		case <-tick.C:
		}
	}
}
