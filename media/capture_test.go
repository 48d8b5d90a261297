package media

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A capture keeps copies in order, says what it had no room for, and makes nothing for a packet.
func TestCapture(t *testing.T) { //nolint:paralleltest // allocations are counted
	c := NewCapture()
	local, remote := netip.MustParseAddrPort("192.0.2.1:20000"), netip.MustParseAddrPort("192.0.2.9:4000")
	now := time.Now()
	packet := []byte{0x80, 0, 0}
	for i := range captureSlots + 3 {
		packet[2] = byte(i)
		c.put(now, i%2 == 0, local, remote, packet)
	}
	n := 0
	missed := c.Take(func(p Captured) {
		require.Equal(t, Captured{At: now, Received: n%2 == 0, Local: local, Remote: remote, Data: []byte{0x80, 0, byte(n)}}, p)
		n++
		c.put(now, true, local, remote, packet) // packets do not wait for who takes
	})
	require.Equal(t, captureSlots, n)
	require.Equal(t, 3, missed)
	n = 0
	require.Zero(t, c.Take(func(Captured) { n++ }))
	require.Equal(t, captureSlots, n)
	require.Zero(t, c.Take(func(Captured) { t.Error("nothing was put in") }))
	c.put(now, true, local, remote, make([]byte, maxDatagram+1))
	require.Equal(t, 1, c.Take(func(Captured) { t.Error("it has no room") }))
	require.Zero(t, testing.AllocsPerRun(100, func() { c.put(now, true, local, remote, packet) }))
}
