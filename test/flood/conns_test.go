//go:build linux

package flood

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"hotline/internal/testkit"
)

// dripEvery is how often an unfinished connection sends an octet.
const dripEvery = 500 * time.Millisecond

// dialAs connects from one of the hosts of mobs.
func dialAs(ctx context.Context, n int, to string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: mobHost(n).AsSlice()}, Timeout: testkit.Patience}
	return d.DialContext(ctx, "tcp4", to)
}

// pause waits for d, or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// apart is how long after one goroutine of an attack the next begins: this machine also has the attacker to run, and is not to be
// kept busy by thousands of connections that it makes in one instant.
const apart = 2 * time.Millisecond

// each has so many goroutines do something again and again until ctx is done: it tells whether it was let.
func each(ctx context.Context, many int, do func(ctx context.Context, n int) (let bool)) (tally, error) {
	g, ctx := errgroup.WithContext(ctx)
	var tried, let atomic.Int64
	for i := range many {
		g.Go(func() error {
			pause(ctx, time.Duration(i)*apart)
			for n := i; ctx.Err() == nil; n += many {
				tried.Add(1)
				if do(ctx, n) {
					let.Add(1)
				}
			}
			return nil
		})
	}
	err := g.Wait()
	return tally{sent: int(tried.Load()), answered: int(let.Load())}, err
}

// unfinished keeps connections open on which a beginning comes an octet at a time; on every second one nothing comes. One
// that the hotline has ended is begun anew, from another host.
func unfinished(address func(w *town) string, beginning string) func(ctx context.Context, w *town) (tally, error) {
	return func(ctx context.Context, w *town) (tally, error) {
		return each(ctx, w.slots, func(ctx context.Context, n int) bool {
			c, err := dialAs(ctx, n%manyHosts, address(w))
			if err != nil {
				pause(ctx, dripEvery)
				return false
			}
			defer c.Close() //nolint:errcheck // the far end may have closed it
			ended := make(chan struct{})
			defer func() { _ = c.SetReadDeadline(time.Unix(1, 0)); <-ended }()
			drip, stop := context.WithCancel(ctx)
			defer stop()
			go func() {
				defer close(ended)
				defer stop()
				_, _ = io.Copy(io.Discard, c) // until either end closes it
			}()
			for at := 0; drip.Err() == nil; at++ {
				pause(drip, dripEvery)
				if n%2 == 0 && drip.Err() == nil {
					_, err = io.WriteString(c, beginning[at%len(beginning):][:1])
				}
				if err != nil {
					break
				}
			}
			pause(ctx, dripEvery) // one that was refused at once, too
			return true
		})
	}
}

// The beginnings: of a SIP request, of a TLS record that holds a ClientHello (RFC 8446 section 5.1) of 16 KiB, and of a
// WebSocket's handshake.
var (
	sipBeginning = "OPTIONS sip:96777@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.2;branch=z9hG4bKslow\r\nSubject: " + strings.Repeat("x", 200)
	tlsBeginning = "\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03" + strings.Repeat("x", 200)
	wsBeginning  = "GET /ws HTTP/1.1\r\nHost: 192.0.2.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Padding: " + strings.Repeat("x", 200)
)

// maxMessage is the largest that a hotline reads, in octets: beyond, what is no message has to end.
const maxMessage = 16 << 10

// noisyConns sends octets by chance over TCP.
func noisyConns(ctx context.Context, w *town) (tally, error) {
	const many = 20
	return each(ctx, many, func(ctx context.Context, n int) bool {
		c, err := dialAs(ctx, n%manyHosts, w.h.SIP)
		if err != nil {
			pause(ctx, mobTick)
			return false
		}
		defer c.Close() //nolint:errcheck // the far end may have closed it
		stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
		defer stop()
		random := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)})
		b := make([]byte, 4096)
		for range 2 * maxMessage / len(b) {
			_, _ = random.Read(b) // never fails
			if _, err := c.Write(b); err != nil {
				break
			}
		}
		pause(ctx, 2*mobTick)
		return true
	})
}

// scanners say over TCP, where nobody else can have said it, that they are scanners, each from a host of its own: each is banned.
func scanners(ctx context.Context, w *town) (tally, error) {
	const many = 20
	said := textOf("OPTIONS sip:{H} SIP/2.0", "Via: SIP/2.0/TCP {S};branch=z9hG4bKs{N};rport", "Max-Forwards: 70",
		"From: <sip:100@{S}>;tag=f{N}", "To: <sip:100@{H}>", "Call-ID: s{N}", "CSeq: 1 OPTIONS", "Contact: <sip:100@{S}>",
		"User-Agent: friendly-scanner", "Content-Length: 0", "", "")
	return each(ctx, many, func(ctx context.Context, n int) bool {
		c, err := dialAs(ctx, scannerHosts+n, w.h.SIP)
		if err != nil {
			pause(ctx, mobTick)
			return false
		}
		defer c.Close() //nolint:errcheck // the far end may have closed it
		stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
		defer stop()
		source := c.LocalAddr().(*net.TCPAddr).AddrPort()
		if _, err := c.Write(said.fill(nil, w.h.SIP, n, source)); err != nil {
			return false
		}
		_, _ = c.Read(make([]byte, 1)) // the ban ends the connection
		pause(ctx, 2*mobTick)
		return true
	})
}

// opens requires that a host with business here is let in by TCP, TLS and WebSocket, and answered, whoever else is at the door.
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
	options(tls.Client(dial(w.h.TLS), &tls.Config{InsecureSkipVerify: true}), "TLS") //nolint:gosec // who it is was not asked
	c := dial(w.h.WS)
	_, err := io.WriteString(c, "GET /ws HTTP/1.1\r\nHost: "+w.h.WS+"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: "+pageOrigin+
		"\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n\r\n")
	require.NoError(w.t, err)
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(w.t, err)
	require.Equal(w.t, http.StatusSwitchingProtocols, answer.StatusCode)
	require.NoError(w.t, answer.Body.Close())
	require.NoError(w.t, c.Close())
}

// TestPause: it ends with the context.
func TestPause(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	pause(ctx, time.Hour)
}
