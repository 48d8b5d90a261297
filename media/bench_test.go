package media_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
	"hotline/media"
	"hotline/media/mediatest"
)

// BenchmarkForward measures a packet's way through the bridge, on and off the wire, and prints it as a
// ratio to the least that a program could do, measured beside it in the same run: receive a datagram
// and send it on.
func BenchmarkForward(b *testing.B) {
	loopback := netip.MustParseAddr("127.0.0.1")
	packet := make([]byte, 172)
	packet[0], packet[1] = 0x80, 8

	near, far := socket(b), socket(b)
	bare := socket(b)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 2048)
		for {
			n, _, err := bare.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			_, _ = bare.WriteToUDPAddrPort(buf[:n], address(far))
		}
	}()
	defer func() {
		_ = bare.Close()
		<-done
	}()

	lo := uint16(testkit.FreePorts(b, 100))
	e, err := media.New(media.Options{Address: loopback, Ports: media.PortRange{Lo: lo, Hi: lo + 99}})
	require.NoError(b, err)
	defer func() { require.NoError(b, e.Close()) }()
	var streams [2]media.Stream
	for i, conn := range []*net.UDPConn{near, far} {
		streams[i], err = e.Open(media.StreamOptions{})
		require.NoError(b, err)
		_, err = streams[i].Answer(mediatest.Describe(address(conn)))
		require.NoError(b, err)
	}
	unbridge, err := e.Bridge(streams[0], streams[1], nil)
	require.NoError(b, err)
	defer unbridge()

	buf := make([]byte, 2048)
	n, start := uint32(0), time.Now()
	pass := func(to netip.AddrPort) time.Duration {
		n++
		packet[2], packet[3] = byte(n>>8), byte(n)
		stamp := uint32(time.Since(start) / (time.Second / media.SampleRate)) // as a sender's clock goes
		packet[4], packet[5], packet[6], packet[7] = byte(stamp>>24), byte(stamp>>16), byte(stamp>>8), byte(stamp)
		began := time.Now()
		_, err := near.WriteToUDPAddrPort(packet, to)
		require.NoError(b, err)
		require.NoError(b, far.SetReadDeadline(began.Add(5*time.Second)))
		_, _, err = far.ReadFromUDPAddrPort(buf)
		require.NoError(b, err)
		return time.Since(began)
	}
	var through, beside time.Duration
	b.ReportAllocs()
	for b.Loop() { // by turns, so that both meet the same machine
		through += pass(streams[0].Local())
		beside += pass(address(bare))
	}
	b.ReportMetric(float64(through)/float64(beside), "bridge/bare")
	b.ReportMetric(0, "ns/op") // a bare time says more of the machine than of us
}

func socket(b *testing.B) *net.UDPConn {
	b.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(b, err)
	b.Cleanup(func() { _ = conn.Close() })
	return conn
}

func address(c *net.UDPConn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }
