package sip

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// stalled is a call over TCP whose caller does not read: what is to be written to it waits for what is being written, and
// holds the leg meanwhile. It is at an address, and goes on when the test says so.
func stalled(t *testing.T, r *rig, legs <-chan call.Leg) (at netip.AddrPort, on func()) {
	t.Helper()
	k := newPeer(t, networkTCP, r.tcp()).dialog(testNumber)
	k.invite()
	l, ok := next(t, legs).(*leg)
	require.True(t, ok)
	at = parsePeer(k.p.addr())
	c := r.conns.of(transportTCP, at)
	require.NotNil(t, c)
	c.writing.Lock()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_, _ = l.Answer()
	}()
	require.Eventually(t, func() bool {
		free := l.mu.TryLock()
		if free {
			l.mu.Unlock()
		}
		return !free && c.unsent.Load() > 0
	}, testWait, time.Millisecond)
	on = sync.OnceFunc(func() {
		c.writing.Unlock()
		<-answered
	})
	t.Cleanup(on)
	return at, on
}

// A far end that does not read holds up nobody but its own call: neither the reading of other connections, of which it is asked
// whether a call needs them, nor the goodbyes to others when the hotline stops.
func TestStalledFarEnd(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 16)
	r := newRig(t, func(o *Options) { o.OnIncoming = unanswered(legs) })
	others := make([]*talk, 8)
	for i := range others {
		others[i] = newPeer(t, networkUDP, r.udp()).dialog(testNumber)
		others[i].invite()
		l := next(t, legs)
		_, err := l.Answer()
		require.NoError(t, err)
		others[i].ack(others[i].p.status("INVITE", 200), "")
	}
	at, on := stalled(t, r, legs)

	asked := make(chan bool, 1)
	go func() { asked <- r.legs.reach(transportTCP, parsePeer("127.0.0.1:9")) }()
	require.False(t, next(t, asked), "no call's way, whatever is being written to another")
	go func() { asked <- r.legs.reach(transportTCP, at) }()
	require.True(t, next(t, asked), "the way of the call that something is being written to")

	closed := make(chan error, 1)
	go func() { closed <- r.Close() }()
	for _, k := range others {
		k.p.respond(k.p.expect("BYE", "BYE"), 200, "OK", "", "")
	}
	on()
	require.NoError(t, next(t, closed))
	require.False(t, r.legs.reach(transportTCP, parsePeer("127.0.0.1:9")))
}
