package sip

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// What nobody reads fills the socket's buffer, and is then dropped and counted, once.
func TestBacklog(t *testing.T) {
	t.Parallel()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	b := newBacklogs([]*listener{{packet: conn}, {stream: nil}})
	share, dropped := b.look()
	require.Zero(t, share)
	require.Zero(t, dropped)
	out, err := (&net.Dialer{}).DialContext(t.Context(), "udp4", conn.LocalAddr().String())
	require.NoError(t, err)
	defer func() { require.NoError(t, out.Close()) }()
	const many = 2000
	for range many {
		_, err := out.Write(make([]byte, 1000))
		require.NoError(t, err)
	}
	share, dropped = b.look()
	require.Greater(t, share, backlogMost)
	require.Positive(t, dropped)
	require.Less(t, dropped, many)
	share, dropped = b.look()
	require.Greater(t, share, backlogMost)
	require.Zero(t, dropped)
}

// Beyond half of a socket's buffer requests are late, whatever those have waited that were read; what the kernel drops
// is as bad as the longest lag.
func TestOverloadByBacklog(t *testing.T) {
	t.Parallel()
	c := newOverload(usual)
	pass := func(n int, m measures) {
		for range n {
			m.took, m.cpu = overloadEvery, -1
			c.tick(m)
		}
	}
	pass(20, measures{queue: backlogMost})
	require.Equal(t, levelNormal, c.level)
	pass(lateRow, measures{queue: 0.6})
	require.Equal(t, levelLimited, c.level)
	pass(3*stuckRow, measures{queue: 0.9})
	require.Equal(t, levelLimited, c.level)
	pass(2*stuckRow, measures{dropped: 1})
	require.Equal(t, levelSaturated, c.level)
}
