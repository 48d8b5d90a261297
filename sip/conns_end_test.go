package sip

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
)

// streams are the transports over connections.
var streams = []string{transportTCP, transportTLS, transportWS, transportWSS}

// shownBy is a certificate of a listener.
func shownBy(t *testing.T) *certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(pemOf(t, "listener", time.Hour))
	require.NoError(t, err)
	c := &certificate{}
	c.now.Store(&shown{Certificate: pair})
	return c
}

// deafOver is a connection in a bubble of synctest whose far end does not read once hands are shaken: it has no buffer, as
// one whose window is closed.
func deafOver(t *testing.T, transport string, peer netip.AddrPort, c *conns) *trackedConn {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { _ = theirs.Close() })
	one := &trackedConn{
		Conn: ours, raw: ours, transport: transport, peer: peer, conns: c, accepted: time.Now(), gone: make(chan struct{}),
	}
	if transport == transportTCP {
		return one
	}
	secured, o := wrapTLS(shownBy(t)), Listener{Path: "/ws"}
	one.Conn, one.shake = map[string]wrapper{
		transportTLS: secured, transportWS: wrapWS(o, nil), transportWSS: wrapWS(o, secured),
	}[transport](ours)
	shaken := make(chan error, 1)
	go func() {
		client, err := theirs, error(nil)
		if carrierOf(transport) == transportTLS {
			// In TLS 1.3 the server has the last word, which nobody would read.
			over := tls.Client(theirs, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12})
			client, err = over, over.HandshakeContext(t.Context())
		}
		if isWebSocket(transport) && err == nil {
			_, _, err = ws.Dialer{Protocols: []string{subprotocol}}.Upgrade(client, &url.URL{Scheme: "ws", Host: "h", Path: o.Path})
		}
		shaken <- err
	}()
	require.NoError(t, errors.Join(one.shake(t.Context()), <-shaken))
	return one
}

// TestWriteSoon: a phone that does not read what other nodes send it costs them a quarter of a second once, and then it has no
// connection; also where a message of our own waits already for it to read. Nobody waits for it to hear a good-bye.
func TestWriteSoon(t *testing.T) {
	for _, transport := range streams {
		for name, busy := range map[string]bool{"idle": false, "while another message waits": true} {
			t.Run(transport+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := deafOver(t, transport, netip.AddrPort{}, &conns{guards: newGuards()})
					other := make(chan error, 1)
					if busy {
						go func() {
							_, err := c.Write([]byte("ours"))
							other <- err
						}()
						synctest.Wait()
					}
					began := time.Now()
					err := c.writeSoon([]byte("another node's"))
					require.ErrorIs(t, err, os.ErrDeadlineExceeded)
					require.Equal(t, writeSoonIn, time.Since(began))
					err = c.writeSoon([]byte("the next"))
					require.ErrorIs(t, err, io.ErrClosedPipe)
					if busy {
						require.Error(t, <-other)
					}
					require.LessOrEqual(t, time.Since(began), writeSoonIn+time.Millisecond, "once")
				})
			})
		}
	}
}

// TestWriteAfterPong: once a peer has not read the answer to its own ping, of which a part may be gone, nobody waits for it to
// read anything else.
func TestWriteAfterPong(t *testing.T) {
	for _, transport := range []string{transportWS, transportWSS} {
		t.Run(transport, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := deafOver(t, transport, netip.AddrPort{}, &conns{guards: newGuards()})
				err := c.Conn.(*wsConn).write(ws.OpPong, nil)
				require.ErrorIs(t, err, os.ErrDeadlineExceeded)
				began := time.Now()
				require.ErrorIs(t, c.writeSoon([]byte("another node's")), net.ErrClosed)
				require.Zero(t, time.Since(began))
			})
		})
	}
}

// TestEndHost: the connections of a banned host end at once, though none of them reads, and nobody else waits for it: whoever
// connects, sends or is sent anything over a connection needs the table of them.
func TestEndHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &conns{guards: newGuards(), open: make(map[flowKey]*trackedConn), onClose: func(connEnd) {}}
		banned, other := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddrPort("192.0.2.8:1")
		for i, transport := range streams {
			one := deafOver(t, transport, netip.AddrPortFrom(banned, uint16(1+i)), c)
			c.open[one.key()] = one
		}
		kept := deafOver(t, transportTLS, other, c)
		c.open[kept.key()] = kept
		began := time.Now()
		c.endHost(banned)
		require.True(t, c.alive(transportTLS, other))
		require.Zero(t, time.Since(began))
		for _, one := range c.all() {
			err := one.SetReadDeadline(time.Now().Add(time.Second))
			require.Equal(t, one != kept, err != nil, "%s ended", one.transport)
		}
		require.NoError(t, kept.Close())
	})
}

// TestIdleAndDeaf: a peer that has said nothing for too long, and does not read, is told so for a quarter of a second by its
// own reader. What sipgo does then with its connections locked takes no time.
func TestIdleAndDeaf(t *testing.T) {
	for _, transport := range streams {
		t.Run(transport, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var dropped []string
				ended := 0
				c := deafOver(t, transport, netip.MustParseAddrPort("192.0.2.7:1"), &conns{
					guards: newGuards(), open: make(map[flowKey]*trackedConn), kept: func(string, netip.AddrPort) bool { return false },
					dropped: func(why string) { dropped = append(dropped, why) },
					onClose: func(connEnd) { ended++ },
				})
				c.conns.open[c.key()] = c
				c.endures(time.Minute)
				began := time.Now()
				_, err := c.Read(make([]byte, maxDatagram))
				require.ErrorIs(t, err, net.ErrClosed)
				require.Equal(t, []string{dropIdle}, dropped)
				late := time.Duration(0)
				if transport != transportTCP {
					late = writeSoonIn
				}
				require.Equal(t, time.Minute+late, time.Since(began))
				require.NoError(t, c.Close())
				require.Equal(t, time.Minute+late, time.Since(began))
				require.Equal(t, 1, ended)
				require.False(t, c.conns.alive(transport, c.peer))
			})
		})
	}
}

// TestCloseWaitsForNobody: sipgo closes with its connections locked, whatever for.
func TestCloseWaitsForNobody(t *testing.T) {
	for _, transport := range streams {
		t.Run(transport, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := deafOver(t, transport, netip.AddrPort{}, &conns{guards: newGuards()})
				began := time.Now()
				require.NoError(t, c.Close())
				require.NoError(t, c.Close(), "twice")
				require.Zero(t, time.Since(began))
			})
		})
	}
}
