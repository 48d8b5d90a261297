package testkit

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFreePorts: what was handed out is nobody else's, and is given back at the test's end.
func TestFreePorts(t *testing.T) {
	taken := make(map[int]bool)
	for range 5 {
		first := FreePorts(t, 50)
		for port := first; port < first+50; port++ {
			require.False(t, taken[port], "%d twice", port)
			taken[port] = true
			for _, r := range ownPorts {
				require.False(t, r.Has(uint16(port)), "the program takes %d by itself", port)
			}
		}
	}
	var again int
	t.Run("inner", func(t *testing.T) { again = FreePorts(t, 1) })
	lock, err := lockFile(lockPath(again))
	require.NoError(t, err, "not given back")
	require.NoError(t, lock.Close())
}

func TestBound(t *testing.T) {
	port := FreePorts(t, 1)
	require.False(t, bound(t, overUDP, port))
	require.False(t, bound(t, overTCP, port))
	u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	require.NoError(t, err)
	require.True(t, bound(t, overUDP, port))
	require.False(t, bound(t, overTCP, port))
	require.False(t, free(port))
	require.NoError(t, u.Close())
	require.False(t, bound(t, overUDP, port))
}
