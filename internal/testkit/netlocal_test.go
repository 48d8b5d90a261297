package testkit

import (
	"net"
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLocalNetwork: any address of the network is this machine's, also to come from; and none is any more when the test is over
// that it was made for.
func TestLocalNetwork(t *testing.T) {
	var some, other netip.Addr
	claimed := func(_, _ string, c syscall.RawConn) error { return Claim(c) }
	t.Run("a test", func(t *testing.T) {
		network, ok := LocalNetwork(t)
		if !ok {
			t.Skip("as it says")
		}
		require.Equal(t, 32, network.Bits())
		a := network.Addr().As16()
		a[5] = 7
		some = netip.AddrFrom16(a)
		other = some.Next()
		listener, err := (&net.ListenConfig{Control: claimed}).Listen(t.Context(), "tcp6", netip.AddrPortFrom(some, 0).String())
		require.NoError(t, err)
		defer func() { require.NoError(t, listener.Close()) }()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: other.AsSlice()}, Control: claimed, Timeout: Patience}
		out, err := d.DialContext(t.Context(), "tcp6", listener.Addr().String())
		require.NoError(t, err)
		in, err := listener.Accept()
		require.NoError(t, err)
		require.Equal(t, other, in.RemoteAddr().(*net.TCPAddr).AddrPort().Addr())
		require.NoError(t, out.Close())
		require.NoError(t, in.Close())
	})
	if !some.IsValid() {
		t.Skip("networks of a test's own are not permitted")
	}
	said, err := (*Network)(nil).Command("ip", "-6", "route", "get", some.String()).CombinedOutput()
	require.False(t, err == nil && string(said[:6]) == "local ", "%s", said)
}
