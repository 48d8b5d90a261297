package sip

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// elapses waits until so long has passed.
func elapses(t *testing.T, d time.Duration) {
	t.Helper()
	begun := time.Now()
	require.Eventually(t, func() bool { return time.Since(begun) >= d }, testWait, time.Millisecond)
}

// stamped is a UDP socket whose datagrams have times. The kernel begins to give them a while after it was first asked to.
func stamped(t *testing.T) (in *net.UDPConn, out net.Conn) {
	t.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp4", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	require.NoError(t, (&listener{packet: conn}).prepare())
	out, err = (&net.Dialer{}).DialContext(t.Context(), "udp4", conn.LocalAddr().String())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, out.Close()) })
	in, ok := conn.(*net.UDPConn)
	require.True(t, ok)
	const waits = 5 * time.Millisecond
	require.Eventually(t, func() bool {
		_, err := out.Write([]byte("hello"))
		require.NoError(t, err)
		elapses(t, waits)
		_, _, queued, err := readDatagram(in, make([]byte, 100), make([]byte, queuedRoom))
		return err == nil && queued >= waits
	}, testWait, time.Millisecond)
	return in, out
}

// A datagram's wait in the socket is told, from its arrival to its being read; and nothing else is taken for it.
func TestQueuedFor(t *testing.T) {
	t.Parallel()
	udp, out := stamped(t)
	p, oob := make([]byte, 100), make([]byte, queuedRoom)

	const waits = 20 * time.Millisecond
	sent := time.Now()
	_, err := out.Write([]byte("hello"))
	require.NoError(t, err)
	elapses(t, waits)
	n, src, queued, err := readDatagram(udp, p, oob)
	require.NoError(t, err)
	require.Equal(t, "hello", string(p[:n]))
	require.Equal(t, out.LocalAddr().String(), src.String())
	require.GreaterOrEqual(t, queued, waits)
	require.LessOrEqual(t, queued, time.Since(sent))

	_, err = out.Write([]byte("hello"))
	require.NoError(t, err)
	_, told, _, _, err := udp.ReadMsgUDPAddrPort(p, oob)
	require.NoError(t, err)
	now := time.Now()
	require.GreaterOrEqual(t, queuedFor(oob[:told], now.Add(time.Second)), time.Second)
	require.Zero(t, queuedFor(oob[:told], now.Add(time.Minute)), "the clock was set forward")
	require.Zero(t, queuedFor(oob[:told], now.Add(-time.Minute)), "and back")
	require.Zero(t, queuedFor(nil, now))
	require.Zero(t, queuedFor(oob[:told-1], now.Add(time.Second)))
	oob[8]++ // another level
	require.Zero(t, queuedFor(oob[:told], now.Add(time.Second)))
}

// What a request has waited in its socket, before it was read, is among what it has waited for its handler: it is a standing
// queue like any other, though none who is in has seen it.
func TestLagInSocket(t *testing.T) {
	t.Parallel()
	const waits = 30 * time.Millisecond
	stamped(t)
	var k *talk
	r := newRigWith(t, nil, func(u *UA) {
		k = newPeer(t, "udp", u.Addrs()[0]).dialog(testNumber)
		k.request("OPTIONS", "")
		elapses(t, waits)
	})
	k.p.status("OPTIONS", 200)
	families, err := r.registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == "hotline_overload_wait_seconds" {
			require.GreaterOrEqual(t, f.GetMetric()[0].GetHistogram().GetSampleSum(), waits.Seconds())
			return
		}
	}
	require.Fail(t, "no wait is told")
}
