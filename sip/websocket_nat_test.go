package sip

import (
	"bufio"
	"errors"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Two that come from one address and port, to different listeners, are never taken for each other: the second is refused.
func TestOnePortOfANAT(t *testing.T) {
	t.Parallel()
	r := newRig(t, listensWS(t, nil))
	reuse := func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
		}), err)
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, Control: reuse}
	c, err := d.DialContext(t.Context(), "tcp", r.tcp().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	first := &peer{t: t, conn: c, in: bufio.NewReader(c), to: r.tcp()}
	first.served()
	d.LocalAddr = c.LocalAddr()
	other, err := d.DialContext(t.Context(), "tcp", r.ws("ws").String())
	require.NoError(t, err)
	(&peer{t: t, conn: other}).closed()
	require.NoError(t, other.Close())
	require.Equal(t, 1, r.dropped(dropConn))
	first.served()
}
