package sip

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"hotline/call"
)

// torture returns the messages of RFC 4475 that sipgo's module ships, by name.
func torture(tb testing.TB) map[string][]byte {
	tb.Helper()
	dir, err := exec.CommandContext(tb.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/emiago/sipgo").Output()
	require.NoError(tb, err, "the go command finds the messages")
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "sip", "testdata", "torture", "*", "*.dat"))
	require.NoError(tb, err)
	require.Len(tb, files, 50)
	out := make(map[string][]byte)
	for _, file := range files {
		msg, err := os.ReadFile(file) //nolint:gosec // of the module cache
		require.NoError(tb, err)
		out[strings.TrimSuffix(filepath.Base(file), ".dat")] = msg
	}
	return out
}

// tortured is one line of testdata/torture.txt: what a message gets.
type tortured struct {
	name, answer, at, why string
}

func tortureTable(t *testing.T) []tortured {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", "torture.txt"))
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	var table []tortured
	for lines := bufio.NewScanner(file); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		require.Greater(t, len(f), 3, lines.Text())
		table = append(table, tortured{f[0], f[1], f[2], strings.Join(f[3:], " ")})
	}
	return table
}

// postman is a socket that delivers what is meant for any port of a host to one peer there, and notes which port
// was meant: a response goes to the port in its Via, which is 5060 of a host in example.com for most of these.
type postman struct {
	net.PacketConn
	peer  atomic.Pointer[net.UDPAddr]
	meant chan int
}

func (p *postman) WriteTo(b []byte, to net.Addr) (int, error) {
	udp, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, errors.New("not an address of UDP")
	}
	peer := p.peer.Load()
	if !udp.IP.Equal(peer.IP) {
		return 0, fmt.Errorf("an answer for %s: %w", udp, net.ErrClosed)
	}
	select {
	case p.meant <- udp.Port:
	default: // repeated
	}
	return p.PacketConn.WriteTo(b, peer)
}

// dropsOf sums what was dropped, for any reason.
func (r *rig) dropsOf(tb testing.TB) (sum int) {
	tb.Helper()
	families, err := r.registry.Gather()
	require.NoError(tb, err)
	for _, f := range families {
		if f.GetName() == "hotline_sip_dropped_total" {
			for _, m := range f.GetMetric() {
				sum += int(m.GetCounter().GetValue())
			}
		}
	}
	return sum
}

// Each message of RFC 4475, over a real socket, gets what testdata/torture.txt says, and an OPTIONS behind it is
// answered. Sipgo.md rows 7 and 8: what its parser rejects without an answer, and what it believes wrongly.
func TestTorture(t *testing.T) {
	t.Parallel()
	messages, table := torture(t), tortureTable(t)
	require.Len(t, table, len(messages))
	for _, c := range table {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, messages, c.name)
			post := &postman{meant: make(chan int, 1)}
			dialled := make(chan string, 1)
			r := newRigWith(t, func(o *Options) {
				for _, n := range []string{"user", "joe", "UserB"} {
					o.Trunks[0].Numbers[n] = call.Next{Kind: call.Menu, Menu: "main"}
				}
				o.OnIncoming = func(_ context.Context, in call.Incoming) {
					dialled <- in.To
					in.Leg.Hangup(call.CauseBusy)
				}
			}, func(u *UA) {
				post.PacketConn = u.listeners[0].packet
				u.listeners[0].packet = post
			})
			p := newPeer(t, "udp", r.udp())
			post.peer.Store(p.conn.LocalAddr().(*net.UDPAddr))
			_, err := p.conn.Write(messages[c.name])
			require.NoError(t, err)
			p.tortured(r, post, c, dialled)
			k := p.dialog(testNumber)
			k.request("OPTIONS", "")
			for {
				w := p.status("OPTIONS", 200)
				if w.header("call-id") == k.callID {
					break
				}
			}
			require.Zero(t, r.panics.Load())
		})
	}
}

// tortured requires one answer, or the count of one drop.
func (p *peer) tortured(r *rig, post *postman, c tortured, dialled <-chan string) {
	p.t.Helper()
	answered := func() bool { return testutil.CollectAndCount(r.metrics.responses) > 0 }
	if c.answer == "silence" {
		require.Eventually(p.t, func() bool { return r.dropped(c.at) == 1 }, testWait, time.Millisecond, "%s: %s", c.name, c.why)
		require.Equal(p.t, 1, r.dropsOf(p.t))
		require.False(p.t, answered())
		return
	}
	var w wire
	for {
		var err error
		w, err = p.read(testWait)
		require.NoError(p.t, err, "%s: %s", c.name, c.why)
		if !strings.HasPrefix(w.start, "SIP/2.0 1") {
			break
		}
	}
	code, number, reached := strings.Cut(c.answer, "=")
	require.True(p.t, strings.HasPrefix(w.start, "SIP/2.0 "+code+" "), "%s: want %s, got %s", c.why, code, w.start)
	require.Equal(p.t, c.at, fmt.Sprint(portOr(next(p.t, post.meant), p)))
	if reached {
		require.Equal(p.t, number, next(p.t, dialled))
	}
	require.Zero(p.t, r.dropsOf(p.t))
	require.Eventually(p.t, answered, testWait, time.Millisecond)
}

// portOr writes the peer's own port as "source".
func portOr(port int, p *peer) string {
	if own := netip.MustParseAddrPort(p.addr()); int(own.Port()) == port {
		return "source"
	}
	return fmt.Sprint(port)
}
