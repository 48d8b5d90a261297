package sip

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// Who sends to several sockets of ours is answered by each, whichever he has sent to before (RFC 3261 section 18.2.2, RFC 3581
// section 4), and is told his port as it is.
func TestAnsweredByTheSocketOfTheRequest(t *testing.T) {
	t.Parallel()
	port := testkit.FreePorts(t, 1)
	r := newRig(t, onSides(t, port))
	a, b := r.Addrs()[0], r.Addrs()[1]
	conn, err := new(net.ListenConfig).ListenPacket(context.Background(), "udp4", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	from := conn.LocalAddr().String()
	_, own, err := net.SplitHostPort(from)
	require.NoError(t, err)
	sentTo := make(map[string]netip.AddrPort)
	send := func(method, id string, to netip.AddrPort, rport string) {
		t.Helper()
		lines := []string{
			fmt.Sprintf("%s sip:%s SIP/2.0", method, to), fmt.Sprintf("Via: SIP/2.0/UDP %s;branch=%s%s", from, newBranch(), rport),
			"Max-Forwards: 70", "From: <sip:x@192.0.2.9>;tag=" + id, "To: <sip:" + to.String() + ">", "Call-ID: " + id,
			"CSeq: 1 " + method, "Content-Length: 0",
		}
		sentTo[id] = to
		_, err := conn.WriteTo([]byte(strings.Join(lines, "\r\n")+"\r\n\r\n"), net.UDPAddrFromAddrPort(to))
		require.NoError(t, err)
	}
	heard := func(rport string) {
		t.Helper()
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(testWait)))
		buf := make([]byte, maxDatagram)
		n, by, err := conn.ReadFrom(buf)
		require.NoError(t, err)
		w := parseWire(string(buf[:n]), time.Now())
		require.Equal(t, sentTo[w.header("call-id")].String(), by.String(), w.raw)
		require.Contains(t, w.header("via")+";", rport+";")
	}
	for i, to := range []netip.AddrPort{a, b, a, a, b, b, a} { // one after the other
		send("OPTIONS", fmt.Sprint("o", i), to, ";rport")
		heard(";rport=" + own)
		send("NOTHING", fmt.Sprint("n", i), to, "")
		heard("")
	}
	const many = 40 // and at once
	for i := range many {
		send("OPTIONS", fmt.Sprint("m", i), []netip.AddrPort{a, b}[i%2], ";rport")
	}
	for range many {
		heard(";rport=" + own + ";received=127.0.0.1")
	}
}
