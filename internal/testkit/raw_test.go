package testkit

import (
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRawAsksUntilAnswered: the first datagram is lost, and what is provisional or somebody else's is no
// answer.
func TestRawAsksUntilAnswered(t *testing.T) {
	server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	raw := DialRaw(t, server.LocalAddr().String())
	request := raw.Request("OPTIONS", Edit{"Max-Forwards": "", "Contact": "<sip:odd@127.0.0.1>"})
	require.True(t, strings.HasPrefix(request, "OPTIONS sip:96777@"+server.LocalAddr().String()+" SIP/2.0\r\nVia: "))
	require.NotContains(t, request, "Max-Forwards")
	require.Contains(t, request, "\r\nContact: <sip:odd@127.0.0.1>\r\n")
	id := RawReply{Text: request}.Header("call-id")
	require.NotEmpty(t, id)
	require.NotEqual(t, id, RawReply{Text: raw.Request("OPTIONS", nil)}.Header("Call-ID"))

	got := make(chan string, 2)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 1<<16)
		for range cap(got) {
			n, from, err := server.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return // closed; the test has failed
			}
			if got <- string(buffer[:n]); len(got) < cap(got) {
				continue
			}
			for _, answer := range []string{
				"OPTIONS sip:us SIP/2.0\r\nCall-ID: " + id, "SIP/2.0 100 Trying\r\nCall-ID: " + id,
				"SIP/2.0 500 No\r\nCall-ID: other", "SIP/2.0 404 No\r\nCall-ID: " + id + "\r\nX-Why: because\r\n",
			} {
				_, _ = server.WriteToUDPAddrPort([]byte(answer), from) // a failure is the test's, which waits
			}
		}
	}()
	reply := raw.Ask(request)
	require.NoError(t, server.Close())
	<-done
	require.Equal(t, 404, reply.Status)
	require.Equal(t, "because", reply.Header("x-why"))
	require.Empty(t, reply.Header("Retry-After"))
	require.Equal(t, request, <-got)
	require.Equal(t, request, <-got)
}
