package media

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What comes to the RTCP port is received by a socket of ours, and does not stay in it.
func TestRTCPIsDrained(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		address := netip.MustParseAddr(host)
		e, err := NewPortable(Options{Address: address, Ports: PortRange{Lo: 18980, Hi: 18989}})
		require.NoError(t, err)
		s := newStream(e) // that the wheel does not know of
		port, err := e.ports.take(s.bind)
		require.NoError(t, err)
		s.begin(StreamOptions{Signalling: address}, port)
		phone, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(address, port+1)))
		require.NoError(t, err)
		say := func(reports int) {
			for range reports {
				_, err := phone.Write(make([]byte, 60))
				require.NoError(t, err, "a port with nobody there refuses what comes after the first")
			}
		}
		require.Zero(t, s.rtcp.drain(rtcpMost), "it does not wait")
		say(5)
		require.Equal(t, 2, s.rtcp.drain(2), "not more at once than was asked for")
		require.Equal(t, 3, s.rtcp.drain(rtcpMost))

		say(3)
		s.untilReport = 1
		s.turn(time.Now(), make([]byte, frameSamples))
		require.Zero(t, s.rtcp.drain(rtcpMost), "the wheel drains")

		s.rtcp.send([]byte("report"), phone.LocalAddr().(*net.UDPAddr).AddrPort())
		buf := make([]byte, maxDatagram)
		n, err := phone.Read(buf)
		require.NoError(t, err)
		require.Equal(t, "report", string(buf[:n]))

		require.NoError(t, s.Close())
		require.Zero(t, s.rtcp.drain(rtcpMost), "closed")
		s.rtcp.send([]byte("report"), phone.LocalAddr().(*net.UDPAddr).AddrPort())
		require.NoError(t, s.rtcp.close())
		require.NoError(t, phone.Close())
		require.NoError(t, e.Close())
	}
}
