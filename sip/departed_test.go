package sip

import (
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestKeptIsNotHeard: a connection that is kept though nothing comes over it has not been heard, or a carrier behind a dead
// connection were waited for.
func TestKeptIsNotHeard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer func() { _ = far.Close() }()
		peer := netip.MustParseAddrPort("192.0.2.7:5060")
		c := &trackedConn{
			Conn: near, raw: near, transport: transportTCP, peer: peer, accepted: time.Now(), gone: make(chan struct{}), made: true,
			conns: &conns{
				l: limits{idle: time.Minute}, guards: newGuards(), open: make(map[flowKey]*trackedConn),
				kept: func(string, netip.AddrPort) bool { return true }, onClose: func(connEnd) {},
			},
		}
		c.conns.open[c.key()] = c
		c.endures(time.Minute)
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = c.receive(make([]byte, 1))
		}()
		time.Sleep(10 * time.Second)
		sent := time.Now()
		time.Sleep(5 * time.Minute)
		require.False(t, c.heardSince(sent))
		require.Same(t, c, c.conns.heard(transportTCP, peer))
		require.True(t, c.heardSince(sent))
		require.NoError(t, near.Close())
		<-done
	})
}
