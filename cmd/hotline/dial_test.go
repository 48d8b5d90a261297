package main

import (
	"context"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"hotline/call"
	"hotline/config"
)

// TestDialIsWired: what the configuration says of calling out is what the user agent does.
func TestDialIsWired(t *testing.T) {
	t.Parallel()
	cfg, err := loadConfig(premises{}.file(t))
	require.NoError(t, err)
	var lc net.ListenConfig
	carrier, err := lc.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, carrier.Close()) }()
	at := netip.MustParseAddrPort(carrier.LocalAddr().String())
	cfg.Trunks[0].Address = config.TrunkAddress{Network: "udp", Host: at.Addr().String(), Port: at.Port()}
	cfg.Trunks[0].From = "96777"
	now := time.Now().In(cfg.Service.Timezone)
	hour := time.Duration(now.Hour()) * time.Hour
	cfg.Dial = []config.Dial{
		{Prefix: "139", Through: "city", PerMinute: 10, AtOnce: 1},
		{Prefix: "138", Through: "city", PerMinute: 10, AtOnce: 1, Hours: config.Hours{From: hour + 2*time.Hour, To: hour + 3*time.Hour}},
	}
	a, err := newApp(cfg, zap.NewNop())
	require.NoError(t, err)
	defer func() { require.NoError(t, a.shutdown(nil, false)) }()
	require.NotNil(t, a.ua)
	dial := func(number string) <-chan error {
		out := make(chan error, 1)
		go func() {
			_, err := a.ua.Dial(context.Background(), call.DialRequest{Number: number, Agent: "8003"})
			out <- err
		}()
		return out
	}
	for _, number := range []string{"137", "138"} {
		var refused *call.RingError
		require.ErrorAs(t, <-dial(number), &refused)
		require.Equal(t, call.CauseForbidden, refused.Why, number)
	}
	// A socket is called from once it is read, which an answer shows.
	require.NoError(t, carrier.SetReadDeadline(time.Now().Add(patience)))
	buf := make([]byte, 1<<16)
	_, err = carrier.WriteTo([]byte("OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP "+at.String()+";branch=z9hG4bK1\r\n"+
		"From: <sip:x>;tag=1\r\nTo: <sip:x>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"),
		net.UDPAddrFromAddrPort(a.ua.Addrs()[0]))
	require.NoError(t, err)
	_, _, err = carrier.ReadFrom(buf)
	require.NoError(t, err)
	out := dial("13912345678")
	n, peer, err := carrier.ReadFrom(buf)
	require.NoError(t, err)
	invite := string(buf[:n])
	require.True(t, strings.HasPrefix(invite, "INVITE sip:13912345678@"+at.String()+" SIP/2.0\r\n"), invite)
	require.Contains(t, invite, "\r\nP-Asserted-Identity: <sip:96777@")
	answer := []string{"SIP/2.0 486 Busy Here"}
	for _, name := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
		answer = append(answer, strings.TrimSpace(regexp.MustCompile(`(?m)^`+name+`:.*$`).FindString(invite)))
	}
	_, err = carrier.WriteTo([]byte(strings.Join(answer, "\r\n")+"\r\nContent-Length: 0\r\n\r\n"), peer)
	require.NoError(t, err)
	var busy *call.RingError
	require.ErrorAs(t, <-out, &busy)
	require.Equal(t, call.CauseBusy, busy.Why)
}
