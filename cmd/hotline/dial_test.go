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
	"pgregory.net/rapid"

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
	cfg.Trunks[0].From, cfg.Trunks[0].Shows = "96777", config.ShowCaller
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
			_, err := a.ua.Dial(context.Background(), call.DialRequest{Number: number, Agent: "8003", Caller: "13800001111"})
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
	require.Contains(t, invite, "\r\nFrom: <sip:13800001111@")
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

// TestFileAndDoorAgree: a number that a file may name is one that may be called, and the other way round.
func TestFileAndDoorAgree(t *testing.T) {
	t.Parallel()
	cfg, err := loadConfig(premises{}.file(t))
	require.NoError(t, err)
	cfg.Trunks[0].Address = config.TrunkAddress{Network: "udp", Host: "127.0.0.1", Port: 9}
	cfg.Trunks[0].Doubted = true
	for _, d := range []config.Dial{
		{Prefix: "0", Digits: config.NumberDigits{From: 1, To: 15}},
		{Prefix: "1", Digits: config.NumberDigits{From: 11, To: 11}},
		{Prefix: "17", Digits: config.NumberDigits{From: 3, To: 5}},
		{Prefix: "+86", Digits: config.NumberDigits{From: 1, To: 15}},
		{Prefix: "+8610", Digits: config.NumberDigits{From: 12, To: 12}},
		{Prefix: "0085", Digits: config.NumberDigits{From: 1, To: 17}},
	} {
		d.Through, d.PerMinute, d.AtOnce = "city", 1, 1
		cfg.Dial = append(cfg.Dial, d)
	}
	a, err := newApp(cfg, zap.NewNop())
	require.NoError(t, err)
	defer func() { require.NoError(t, a.shutdown(nil, false)) }()
	require.True(t, a.doorSettings().Trunks[0].Doubted)
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.SampledFrom([]string{"", "0", "00", "0085", "1", "17", "17909", "139", "+", "+86", "+8600", "+8610", "008600", "9"}).Draw(t, "prefix") +
			rapid.StringMatching(`[0-9*+]{0,1}[0-9]{0,16}`).Draw(t, "rest")
		ever, now := a.ua.MayDial(number)
		require.Equal(t, cfg.MayDial(number), ever, number)
		require.Equal(t, ever, now)
	})
}
