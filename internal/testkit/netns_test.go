package testkit

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNetworkIsApart: what is opened in a network is there and nowhere else, the test itself stays where it was, and nothing is
// left when the test that made it is over.
func TestNetworkIsApart(t *testing.T) {
	RequireNetworks(t)
	home, err := os.Readlink("/proc/self/ns/net")
	require.NoError(t, err)
	var made *Network
	var name string
	t.Run("a test", func(t *testing.T) {
		made = StartNetwork(t)
		Connect(t, End{made, "there0", []string{"198.51.100.1/30"}}, End{nil, "", []string{"198.51.100.2/30"}})
		ours := slices.IndexFunc(interfaces(t), func(i string) bool { return strings.HasPrefix(i, fmt.Sprintf("ht%dn", os.Getpid())) })
		require.NotEqual(t, -1, ours)
		name = interfaces(t)[ours]
		var listener net.Listener
		require.NoError(t, made.Do(func() (err error) {
			listener, err = net.Listen("tcp", "198.51.100.1:5060") //nolint:noctx // on an address that is only there
			return err
		}))
		t.Cleanup(func() { require.NoError(t, listener.Close()) })
		now, err := os.Readlink("/proc/self/ns/net")
		require.NoError(t, err)
		require.Equal(t, home, now)
		_, err = net.Listen("tcp", "198.51.100.1:5061") //nolint:noctx // nor here
		require.Error(t, err)
		conn, err := net.DialTimeout("tcp", "198.51.100.1:5060", Patience) //nolint:noctx // over the cable
		require.NoError(t, err)
		require.NoError(t, conn.Close())
	})
	require.True(t, made.stopped(), "who holds the network has ended")
	require.NotContains(t, interfaces(t), name)
}

func interfaces(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("/sys/class/net")
	require.NoError(t, err)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}
