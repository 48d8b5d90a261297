package sip

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A stranger's connection ends, whatever he says over it and however he waits for his turn: else some dozen addresses could
// hold for ever what all strangers may have. An agent's, proved meanwhile, does not.
func TestStrangersConnectionsEnd(t *testing.T) {
	t.Parallel()
	const strange = 2 * time.Second // within which the agent registers
	rigOf := func(t *testing.T, each int) *rig {
		t.Helper()
		return newRig(t, func(o *Options) {
			strangersOnly(o)
			o.limits = defaultLimits()
			o.limits.strange, o.limits.first, o.limits.idle = strange, time.Hour, time.Hour
			o.limits.each, o.limits.eachBurst = each, each
		})
	}
	at := func(t *testing.T, r *rig, last byte) *peer {
		t.Helper()
		return newPeerAt(t, &net.TCPAddr{IP: net.IPv4(127, 0, 1, last)}, "tcp", r.tcp())
	}
	t.Run("who talks", func(t *testing.T) {
		t.Parallel()
		r := rigOf(t, 50)
		agent, stranger := at(t, r, 2), at(t, r, 3)
		agent.register(r)
		began := time.Now()
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for over := false; !over; <-tick.C {
			require.Less(t, time.Since(began), 2*testWait, "still open")
			_, _ = io.WriteString(stranger.conn, stranger.dialog(testNumber).message("OPTIONS", 1, newBranch(), "")) // it may be closed
			_, err := stranger.read(testWait)
			over = err != nil
		}
		require.Equal(t, 1, r.dropped(dropIdle))
		agent.allAnswered(1)
		require.Empty(t, r.flows, "the agent's flow was up all the time")
	})
	t.Run("who waits", func(t *testing.T) {
		t.Parallel()
		r := rigOf(t, 1)
		stranger := at(t, r, 3)
		stranger.options(100) // for 100 s
		stranger.closed()
		require.Equal(t, 1, r.dropped(dropIdle))
	})
}

// A network of IPv6 that one site may have has a share of strangers' connections.
func TestConnectionNetworks(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *Options) {
		strangersOnly(o)
		o.limits = defaultLimits()
		o.limits.conns, o.limits.reserved, o.limits.perHost = 200, 100, 3
	})
	add := func(site, host int) (*trackedConn, string) {
		one := &trackedConn{
			transport: transportTCP, conns: r.conns, accepted: time.Now(), gone: make(chan struct{}),
			peer: netip.MustParseAddrPort(fmt.Sprintf("[2001:db8:%x:%x::1]:5060", site, host)),
		}
		return one, r.conns.add(one)
	}
	var last *trackedConn
	for i := range 10 {
		var why string
		last, why = add(1, i)
		require.Empty(t, why)
	}
	_, why := add(1, 10)
	require.Equal(t, dropConn, why)
	_, why = add(2, 1)
	require.Empty(t, why, "another site's")
	r.conns.remove(last)
	_, why = add(1, 10)
	require.Empty(t, why, "there is room again")
	for _, one := range r.conns.all() {
		r.conns.remove(one)
	}
	require.Zero(t, r.conns.strangers.open)
	require.Empty(t, r.conns.strangers.networks)
}

// Who waits for his turn costs nothing meanwhile: 3,072 connections that ask every few milliseconds whether they may are a load
// of their own.
func TestTurnIsAwaitedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		c := &conns{
			l: defaultLimits(), gate: newGateOf(rate{1000, 1000, 1, 1}),
			known: func(netip.Addr) bool { asked.Add(1); return false },
		}
		const waiting = 5
		began, done := time.Now(), make(chan time.Duration)
		for i := range waiting {
			one := &trackedConn{
				conns: c, accepted: began, gone: make(chan struct{}),
				peer: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 5060),
			}
			go func() {
				_ = one.awaitsTurn() // it never fails so early
				done <- time.Since(began)
			}()
		}
		for i := range waiting {
			require.InDelta(t, i, (<-done).Seconds(), 0.1)
		}
		require.EqualValues(t, waiting, asked.Load())
	})
}

// What strangers send over connections is counted as theirs, as their datagrams are; what others send, as others'.
func TestStrangersCost(t *testing.T) {
	t.Parallel()
	m, err := newMetrics(nil)
	require.NoError(t, err)
	known := false
	c := &conns{
		known: func(netip.Addr) bool { return known }, sentry: newSentry(defaultLimits(), AbuseOptions{}, m), dropped: m.drop,
	}
	one := &trackedConn{conns: c, peer: netip.MustParseAddrPort("192.0.2.1:5060"), gone: make(chan struct{})}
	say := func() {
		one.unwanted(&frame{message: []byte("OPTIONS sip:h SIP/2.0\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n")})
	}
	say()
	require.EqualValues(t, 1, c.sentry.load.came.Load())
	require.EqualValues(t, strangeStreamed, c.sentry.load.spent.Load())
	require.Zero(t, c.sentry.load.known.Load())
	known = true
	say()
	require.EqualValues(t, 1, c.sentry.load.came.Load())
	require.EqualValues(t, 1, c.sentry.load.known.Load())
}
