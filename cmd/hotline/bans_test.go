package main

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
	"hotline/web"
)

// TestBansByCommand: a scanner by TCP is banned, listed, and let in again by the commands, which tell what there is not.
// The first is no trunk only after a reload, by which the bounds of strangers change too.
func TestBansByCommand(t *testing.T) {
	t.Parallel()
	a, s, change := reloadable(t)
	code, out, complaints := command(t, "bans", "--config", s.data)
	require.Zero(t, code, complaints)
	require.Equal(t, "nobody is banned\n", out)

	change("allow: [127.0.0.0/8]", "allow: [127.0.0.1]")
	change("sip: {", "sip: {abuse: {ban: {first: 7m}, scanners: [own-mark]}, ")
	done := a.reload("test")
	require.Empty(t, done.Problems)
	require.Empty(t, done.Restart)
	at := a.ua.Addrs()[0]
	for _, l := range a.cfg.SIP.Listen {
		if l.Network == "tcp" {
			at = l.Address
		}
	}
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}).DialContext(t.Context(), "tcp", at.String())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprintf(conn, "OPTIONS sip:1@h SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.9:5060;branch=z9hG4bK1\r\nFrom: <sip:1@h>;tag=1\r\n"+
		"To: <sip:1@h>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nUser-Agent: Own-Mark 1\r\nContent-Length: 0\r\n\r\n")
	require.NoError(t, err)
	testkit.Within(t, patience, "the ban", func() bool { return len(a.ua.Bans()) == 1 })
	bans := a.bans()
	require.Equal(t, []web.Ban{{
		Source: netip.MustParsePrefix("127.0.0.9/32"), Why: "scanner", Since: bans[0].Since, Until: bans[0].Since.Add(7 * time.Minute), Times: 1,
	}}, bans)
	status, body := s.get("/api/v1/bans", supervisorToken)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `"source":"127.0.0.9"`)
	code, out, complaints = command(t, "bans", "--config", s.data)
	require.Zero(t, code, complaints)
	require.Regexp(t, `(?m)^SOURCE +WHY +SINCE +UNTIL +TIMES\n127\.0\.0\.9 +scanner +.* 1\n$`, out)

	for address, says := range map[string]string{"127.0.0.8": "is not banned", "office": "is no IP address"} {
		code, _, complaints = command(t, "unban", address, "--config", s.data)
		require.Equal(t, exitFault, code)
		require.Contains(t, complaints, says)
	}
	code, out, complaints = command(t, "unban", "127.0.0.9", "--config", s.data)
	require.Zero(t, code, complaints)
	require.Contains(t, out, "not banned any more")
	require.Empty(t, a.ua.Bans())
}
