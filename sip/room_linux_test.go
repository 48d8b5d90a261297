package sip

import (
	"net"
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// bufferOf is the size of a socket's buffer, in octets as the kernel counts them.
func bufferOf(t *testing.T, c syscall.RawConn) (size int) {
	t.Helper()
	var failed error
	require.NoError(t, c.Control(func(fd uintptr) {
		size, failed = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
	}))
	require.NoError(t, failed)
	return size
}

// TestRoom: a UDP listener has the largest buffer that it may; one that is larger is left alone.
func TestRoom(t *testing.T) {
	t.Parallel()
	most, err := roomGiven()
	require.NoError(t, err)
	require.LessOrEqual(t, most, 2*roomWanted)
	l, err := bind(Listener{Network: "udp", Address: netip.MustParseAddrPort("127.0.0.1:0")}, nil, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, l.close()) }()
	conn, ok := l.packet.(syscall.Conn)
	require.True(t, ok)
	raw, err := conn.SyscallConn()
	require.NoError(t, err)
	plain, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer func() { require.NoError(t, plain.Close()) }()
	other, err := plain.SyscallConn()
	require.NoError(t, err)
	usual := bufferOf(t, other)
	require.Equal(t, max(usual, most), bufferOf(t, raw))

	require.NoError(t, plain.SetReadBuffer(4*roomWanted)) // of which the system may give less
	larger := bufferOf(t, other)
	require.NoError(t, enlarge(other))
	require.Equal(t, max(larger, most), bufferOf(t, other))
}
