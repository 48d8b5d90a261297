package sip

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

// dropped is how often something was, for a reason.
func (r *rig) dropped(why string) int {
	return int(testutil.ToFloat64(r.metrics.dropped.WithLabelValues(why)))
}

// failing are sockets that fail some times before they work.
type failing struct {
	net.Listener
	net.PacketConn
	left atomic.Int32
}

var errFailing = &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}

func (f *failing) Accept() (net.Conn, error) {
	if f.left.Add(-1) >= 0 {
		return nil, errFailing
	}
	return f.Listener.Accept()
}

func (f *failing) ReadFrom(p []byte) (int, net.Addr, error) {
	if f.left.Add(-1) >= 0 {
		return 0, nil, errFailing
	}
	return f.PacketConn.ReadFrom(p)
}

func (f *failing) Close() error {
	if f.Listener != nil {
		return f.Listener.Close()
	}
	return f.PacketConn.Close()
}

func (f *failing) LocalAddr() net.Addr { return f.PacketConn.LocalAddr() }
func (f *failing) Addr() net.Addr      { return f.Listener.Addr() }

// A system that is out of file descriptors for a moment does not end the hotline, and one that is for good
// does not hold up its end.
func TestSocketFailuresPass(t *testing.T) {
	t.Parallel()
	for name, failures := range map[string]int32{"some": 3, "for ever": 1 << 30} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRigWith(t, nil, func(u *UA) {
				udp, tcp := &failing{PacketConn: u.listeners[0].packet}, u.listeners[1].stream.(*trackedListener)
				under := &failing{Listener: tcp.Listener}
				udp.left.Store(failures)
				under.left.Store(failures)
				u.listeners[0].packet, tcp.Listener = udp, under
			})
			for _, why := range []string{dropAccept, dropRead} {
				require.Eventually(t, func() bool { return r.dropped(why) >= 3 }, testWait, time.Millisecond)
			}
			if name != "some" {
				return
			}
			for _, p := range []*peer{newPeer(t, "udp", r.udp()), newPeer(t, "tcp", r.tcp())} {
				k := p.dialog(testNumber)
				k.request("OPTIONS", "")
				p.status("OPTIONS", 200)
			}
		})
	}
}

// strangersOnly lets nobody in without registering, but from 127.0.1.1.
func strangersOnly(o *Options) {
	o.Trunks[0].Allow = []netip.Prefix{netip.MustParsePrefix("127.0.1.1/32")}
}

// shortConns has TCP connections end soon.
func shortConns(o *Options) { endingConns(200*time.Millisecond, 300*time.Millisecond)(o) }

// endingConns has TCP connections end without a first message, and without another.
func endingConns(first, idle time.Duration) func(o *Options) {
	return func(o *Options) {
		strangersOnly(o)
		o.limits = defaultLimits()
		o.limits.first, o.limits.idle = first, idle
	}
}

// closed waits until the far end closes.
func (p *peer) closed() {
	p.t.Helper()
	require.NoError(p.t, p.conn.SetReadDeadline(time.Now().Add(testWait)))
	_, err := io.Copy(io.Discard, p.conn)
	require.False(p.t, isTimeout(err), "not closed")
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestIdleConnections(t *testing.T) {
	t.Parallel()
	t.Run("silent", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, shortConns)
		newPeer(t, "tcp", r.tcp()).closed()
		require.Equal(t, 1, r.dropped(dropIdle))
	})
	t.Run("a message that never ends", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, shortConns)
		p := newPeer(t, "tcp", r.tcp())
		p.write("OPTIONS sip:x SIP/2.0\r\n")
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		require.Eventually(t, func() bool {
			<-tick.C
			_, err := io.WriteString(p.conn, "X-A: b\r\n")
			return err != nil
		}, testWait, time.Millisecond)
		require.Equal(t, 1, r.dropped(dropIdle))
	})
	t.Run("after its last message", func(t *testing.T) {
		t.Parallel()
		const idle = 300 * time.Millisecond
		r := newRig(t, endingConns(testWait, idle))
		k := newPeer(t, "tcp", r.tcp()).dialog(testNumber)
		began := time.Now()
		k.request("OPTIONS", "")
		k.p.status("OPTIONS", 200)
		k.p.closed()
		require.GreaterOrEqual(t, time.Since(began), idle)
	})
	t.Run("not a trunk's, an agent's or a call's", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, endingConns(2*time.Second, 2*time.Second)) // within which the agent registers
		trunk := newPeerAt(t, &net.TCPAddr{IP: net.IPv4(127, 0, 1, 1)}, "tcp", r.tcp())
		agent := newPeer(t, "tcp", r.tcp())
		agent.register(r)
		newPeer(t, "tcp", r.tcp()).closed() // the clock
		newPeer(t, "tcp", r.tcp()).closed()
		for _, p := range []*peer{trunk, agent} {
			k := p.dialog(testNumber)
			k.request("OPTIONS", "")
			p.status("OPTIONS", 200)
		}
		require.Empty(t, r.flows, "the agent's flow was up all the time")
		require.Equal(t, 2, r.dropped(dropIdle))
	})
}

// Strangers cannot take every connection: one has its share, and all together leave some to those we know. Those of whom we
// know, or who have proved who they are, take nothing of what strangers may have: else no phone could come from a new address
// once so many agents are there.
func TestConnectionShares(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *Options) {
		strangersOnly(o)
		o.limits = defaultLimits()
		o.limits.conns, o.limits.reserved, o.limits.perHost, o.limits.strange = 10, 5, 3, time.Hour
	})
	served := func(last byte) *peer {
		k := newPeerAt(t, &net.TCPAddr{IP: net.IPv4(127, 0, 1, last)}, "tcp", r.tcp()).dialog(testNumber)
		k.request("OPTIONS", "")
		k.p.status("OPTIONS", 200)
		return k.p
	}
	refused := func(last byte) {
		newPeerAt(t, &net.TCPAddr{IP: net.IPv4(127, 0, 1, last)}, "tcp", r.tcp()).closed()
	}
	first := served(2)
	served(2)
	served(2)
	refused(2)
	proves := served(3)
	served(4)
	refused(5) // the 5 of strangers taken
	served(1)
	require.NoError(t, first.conn.Close())
	require.Eventually(t, func() bool { return r.conns.of(transportTCP, netip.MustParseAddrPort(first.addr())) == nil }, testWait, time.Millisecond)
	served(5)
	refused(6)
	require.Equal(t, 3, r.dropped(dropConn))
	proves.register(r)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for began, in := time.Now(), false; !in; <-tick.C { // who has been proved is found once a second at most
		require.Less(t, time.Since(began), testWait)
		p := newPeerAt(t, &net.TCPAddr{IP: net.IPv4(127, 0, 1, 6)}, "tcp", r.tcp())
		_, _ = io.WriteString(p.conn, p.dialog(testNumber).message("OPTIONS", 1, newBranch(), "")) // it may be closed
		_, err := p.read(testWait)
		in = err == nil
	}
	for range 3 {
		served(1)
	}
	refused(1) // all taken: 5 of strangers, the agent's, 4 of the trunk
}
