package sip

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
)

// unlimited lets strangers send as much as they like.
func unlimited(o *Options) {
	strangersOnly(o)
	o.limits = defaultLimits()
	o.limits.each, o.limits.eachBurst, o.limits.all, o.limits.allBurst = 1<<20, 1<<20, 1<<20, 1<<20
}

// Who sends requests and is gone before they are served has us connect to nobody, whatever host his Via names.
func TestViaOpensNoConnection(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *Options) {
		unlimited(o)
		o.limits.grace = 5 * time.Second // by when all that was read is being served
	})
	victim, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	hit := make(chan string, 1)
	go func() {
		defer close(hit)
		c, err := victim.Accept()
		if err != nil {
			return
		}
		start := make([]byte, 64)
		n, _ := c.Read(start)
		hit <- string(start[:n])
		_ = c.Close()
	}()
	for range 10 {
		k := newPeer(t, "tcp", r.tcp()).dialog(testNumber)
		var all strings.Builder
		for range 50 {
			m := k.message("OPTIONS", 1, newBranch(), "")
			all.WriteString(strings.Replace(m, k.p.addr()+";rport", victim.Addr().String(), 1))
		}
		k.p.write(all.String())
		require.NoError(t, k.p.conn.Close())
	}
	require.Eventually(t, func() bool { // all are gone, and so is what they sent
		r.conns.mu.Lock()
		defer r.conns.mu.Unlock()
		return len(r.conns.open) == 0
	}, 3*testWait, time.Millisecond)
	require.NoError(t, victim.Close())
	require.Empty(t, <-hit)
}

// A peer that sends and never reads is not read from any more, and cut off when it has not read for writeTimeout: what it
// is owed does not pile up. Each message that waited would otherwise put off that end as well.
func TestPeerThatNeverReads(t *testing.T) { //nolint:paralleltest // others' goroutines would be counted
	r := newRig(t, unlimited)
	p := newPeer(t, "tcp", r.tcp())
	k := p.dialog(testNumber)
	before, most := runtime.NumGoroutine(), 0
	begun := time.Now()
	// A write here succeeds as long as what is on the way grows, and each puts off that end.
	require.NoError(t, p.conn.SetWriteDeadline(begun.Add(4*testWait)))
	for {
		_, err := io.WriteString(p.conn, k.message("OPTIONS", 1, newBranch(), ""))
		most = max(most, runtime.NumGoroutine()-before)
		if err != nil {
			require.False(t, isTimeout(err), "not closed")
			break
		}
	}
	t.Log(fmt.Sprint(most, " goroutines, closed after ", time.Since(begun)))
	// Those that have not come to their write yet are as many as the machine is slow; without a bound on those that
	// wait there, all that is read until the end would stay.
	require.Less(t, most, 60_000)
}

// What a stranger sends over TCP is as much as over UDP; over that it waits, and nothing is lost.
func TestStrangersWaitOverTCP(t *testing.T) {
	t.Parallel()
	ask := func(each, burst, n int, last byte) time.Duration {
		r := newRig(t, func(o *Options) {
			unlimited(o)
			o.limits.each, o.limits.eachBurst = each, burst
		})
		k := newPeerAt(t, &net.TCPAddr{IP: net.IPv4(127, 0, 1, last)}, "tcp", r.tcp()).dialog(testNumber)
		begun := time.Now()
		for range n {
			k.request("OPTIONS", "")
		}
		for range n {
			k.p.status("OPTIONS", 200)
		}
		require.Zero(t, r.dropsOf(t))
		return time.Since(begun)
	}
	require.GreaterOrEqual(t, ask(20, 5, 15, 2), 500*time.Millisecond)
	ask(1, 1, 100, 1) // a trunk, which would have to wait beyond the test's patience
}

// Every frame that a stranger sends counts as a message, as each costs us as much: also one that is empty, or has line ends
// only, and each fragment of one.
func TestWebSocketStrangersWait(t *testing.T) {
	t.Parallel()
	const each, burst, sent = 20, 5, 15
	for name, empty := range map[string]ws.Frame{
		"pings": ws.NewPingFrame(nil), "pongs": ws.NewPongFrame(nil), "nothing": ws.NewTextFrame(nil),
		"line ends": ws.NewTextFrame([]byte("\r\n")), "fragments": ws.NewFrame(ws.OpContinuation, false, nil),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, listensWS(t, func(o *Options) {
				unlimited(o)
				o.limits.each, o.limits.eachBurst = each, burst
			}))
			p := newWSPeer(t, r, "ws")
			b := p.conn.(*browser)
			last := ws.OpText
			if !empty.Header.OpCode.IsControl() && !empty.Header.Fin {
				b.frame(t, ws.MaskFrame(ws.NewFrame(ws.OpText, false, nil)))
				last = ws.OpContinuation
			}
			begun := time.Now()
			for range sent {
				b.frame(t, ws.MaskFrame(empty))
			}
			options := p.dialog(testNumber).message("OPTIONS", 1, newBranch(), "")
			b.frame(t, ws.MaskFrame(ws.NewFrame(last, true, []byte(options))))
			p.status("OPTIONS", 200)
			require.GreaterOrEqual(t, time.Since(begun), (sent-burst)*time.Second/each)
			require.Zero(t, r.dropsOf(t))
		})
	}
}
