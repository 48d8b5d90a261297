//go:build linux

package flood

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// attackerTLS asks nobody who he is, and takes the cheapest key exchange: it is the hotline that is to have the work.
func attackerTLS() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519}} //nolint:gosec // an attacker's
}

// securely connects to the listener of WSS, and has done with the handshake of TLS.
func securely(ctx context.Context, w *town, n int) (net.Conn, error) {
	plain, err := dialAs(ctx, mobHost(n%manyHosts), w.h.WSS)
	if err != nil {
		return nil, err
	}
	c := tls.Client(plain, attackerTLS())
	if err := c.HandshakeContext(ctx); err != nil {
		_ = plain.Close() // the hotline may have closed it
		return nil, err
	}
	return c, nil
}

// upgraded is securely, and done with the handshake of the WebSocket too.
func upgraded(ctx context.Context, w *town, n int) (net.Conn, error) {
	c, err := securely(ctx, w, n)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := upgrade(c, w.h.WSS); err != nil {
		_ = c.Close() // as above
		return nil, err
	}
	return c, nil
}

// upgrade makes a connection a WebSocket of SIP (RFC 6455 section 4.1, RFC 7118 section 4.1), of a page that may.
func upgrade(c net.Conn, host string) error {
	if _, err := io.WriteString(c, "GET /ws HTTP/1.1\r\nHost: "+host+"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: "+pageOrigin+
		"\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n\r\n"); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close() //nolint:errcheck // there is none
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("upgrade to a WebSocket: %s", answer.Status)
	}
	return nil
}

// opens requires that a host with business here is let in by TCP, TLS, WebSocket and both, and answered, whoever else is at the door.
func (w *town) opens() {
	w.t.Helper()
	dial := func(to string) net.Conn {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(trunkHost)}, Timeout: testkit.Patience}
		c, err := d.DialContext(w.t.Context(), "tcp4", to)
		require.NoError(w.t, err)
		require.NoError(w.t, c.SetDeadline(time.Now().Add(testkit.Patience)))
		return c
	}
	options := func(c net.Conn, transport string) {
		source := c.LocalAddr().(*net.TCPAddr).AddrPort()
		said := textOf("OPTIONS sip:"+menuNumber+"@{H} SIP/2.0", "Via: SIP/2.0/"+transport+" {S};branch=z9hG4bKopen;rport", "Max-Forwards: 70",
			"From: <sip:city@{S}>;tag=open", "To: <sip:{H}>", "Call-ID: open", "CSeq: 1 OPTIONS", "Contact: <sip:city@{S}>",
			"Content-Length: 0", "", "")
		_, err := c.Write(said.fill(nil, w.h.SIP, 0, source))
		require.NoError(w.t, err)
		line, err := bufio.NewReader(c).ReadString('\n')
		require.NoError(w.t, err)
		require.Equal(w.t, "SIP/2.0 200 OK\r\n", line)
		require.NoError(w.t, c.Close())
	}
	options(dial(w.h.SIP), "TCP")
	options(tls.Client(dial(w.h.TLS), attackerTLS()), "TLS")
	for _, c := range []net.Conn{
		dial(w.h.WS), tls.Client(dial(w.h.WSS), attackerTLS()),
	} {
		require.NoError(w.t, upgrade(c, w.h.WS))
		require.NoError(w.t, c.Close())
	}
}
