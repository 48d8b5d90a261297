package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// askedFrom is what the API answers somebody at an address, and how long that takes.
func askedFrom(t *testing.T, h http.Handler, address, token string) (status int, took time.Duration) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/queues", nil)
	r.RemoteAddr, r.Header = address, http.Header{"Authorization": {"Bearer " + token}}
	w, began := httptest.NewRecorder(), time.Now()
	h.ServeHTTP(w, r)
	return w.Code, time.Since(began)
}

// Who guesses tokens waits for each answer, and with some who wait none is looked at from there, also a right one: a quick
// refusal would tell as much as an answer. Others are not kept out, nor who was there with a right token before.
func TestWrongTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := fakeHotline(t)
		core, lines := observer.New(zap.WarnLevel)
		o.Logger, o.Clock = zap.New(core), time.Now
		s := New(o)
		h := s.Handler()
		ask := func(address, token string, status int, took time.Duration) {
			t.Helper()
			is, took1 := askedFrom(t, h, address, token)
			require.Equal(t, status, is)
			require.Equal(t, took, took1)
		}
		ask("198.51.100.7:1", supervisorToken, http.StatusOK, 0)
		ask("[2001:db8:0:1::1]:1", "guess", http.StatusUnauthorized, wrongWait)
		over := make(chan int)
		flood := func(n int, address func(i int) string) {
			for i := range n {
				go func() {
					status, _ := askedFrom(t, h, address(i), "guess")
					over <- status
				}()
			}
			synctest.Wait()
		}
		drain := func(n int) {
			for range n {
				require.Equal(t, http.StatusUnauthorized, <-over)
			}
		}
		flood(waitEach, func(i int) string { return fmt.Sprintf("[2001:db8:0:1::%x]:1", i+1) })
		ask("[2001:db8:0:1::ffff]:1", "guess", http.StatusTooManyRequests, 0)
		ask("[2001:db8:0:1::ffff]:1", supervisorToken, http.StatusTooManyRequests, 0)
		ask("192.0.2.1:1", supervisorToken, http.StatusOK, 0)
		drain(waitEach)

		flood(2*waitEach, func(i int) string { return fmt.Sprintf("[2001:db8:0:%x::1]:1", i+1) })
		ask("[2001:db8:0:ffff::1]:1", "guess", http.StatusTooManyRequests, 0) // 65,536 hosts of one site
		drain(2 * waitEach)

		strangers := waitMost - waitMost/shareOfNear
		flood(strangers, func(i int) string { return fmt.Sprintf("203.0.%d.1:1", i) })
		ask("198.51.100.8:1", supervisorToken, http.StatusTooManyRequests, 0)
		ask("198.51.100.7:1", supervisorToken, http.StatusOK, 0)
		ask("198.51.100.7:1", "mistyped", http.StatusUnauthorized, wrongWait)
		ask("10.0.0.1:1", supervisorToken, http.StatusOK, 0)
		drain(strangers)

		flood(waitMost, func(i int) string { return fmt.Sprintf("10.0.%d.1:1", i) })
		ask("10.0.0.2:1", "mistyped", http.StatusTooManyRequests, 0)
		ask("10.0.0.2:1", supervisorToken, http.StatusOK, 0)
		drain(waitMost)

		count := func(outcome string) int { return int(testutil.ToFloat64(s.metrics.tokens.WithLabelValues(outcome))) }
		require.Equal(t, 5, count(tokenRight))
		require.Equal(t, 4, count(tokenRefused))
		require.Equal(t, 3+3*waitEach+strangers+waitMost, count(tokenWrong))
		require.Equal(t, 1, lines.Len(), "no more than one in 10 s")
		line := lines.All()[0].ContextMap()
		require.Equal(t, map[string]any{"network": "2001:db8::/48", "since the last line": int64(1)}, line)
	})
}

// A stranger has a share of the live events, and some are left to who is near.
func TestWatchersOfStrangers(t *testing.T) {
	t.Parallel()
	o := fakeHotline(t)
	o.MaxWatchers = 16
	s := New(o)
	at := func(address string) bool {
		_, ok := s.watchers.take(netip.MustParseAddr(address))
		return ok
	}
	for i := range 4 {
		require.True(t, at("192.0.2.7"), i)
	}
	require.False(t, at("192.0.2.7"))
	for i := range 8 {
		require.True(t, at(fmt.Sprintf("2001:db8:0:%x::1", i)), i)
	}
	require.False(t, at("198.51.100.1"), "12 of 16")
	for range 4 {
		require.True(t, at("192.168.1.7"), "the wall in the next room")
	}
	require.False(t, at("192.168.1.7"), "all taken")
}

// comers are connections from wherever a test likes.
type comers struct {
	come chan net.Conn
	over chan struct{}
}

func (c *comers) Accept() (net.Conn, error) {
	select {
	case one := <-c.come:
		return one, nil
	case <-c.over:
		return nil, net.ErrClosed
	}
}
func (c *comers) Addr() net.Addr { return &net.TCPAddr{} }
func (c *comers) Close() error {
	close(c.over)
	return nil
}

// from has somebody connect, and returns his end.
func (c *comers) from(address string) net.Conn {
	ours, theirs := net.Pipe()
	c.come <- at{ours, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address))}
	return theirs
}

type at struct {
	net.Conn
	address net.Addr
}

func (a at) RemoteAddr() net.Addr { return a.address }

// A flood of connections of one site, each from a network of its own and each with a header that never ends, holds its share
// for as long as a header may take, and keeps nobody else out.
func TestSlowHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, c := fakeHotline(t), &comers{make(chan net.Conn), make(chan struct{})}
		o.Listener = c
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- New(o).Run(ctx) }()
		began, over := time.Now(), make(chan time.Duration)
		const many = 2000
		for i := range many {
			one := c.from(fmt.Sprintf("[2001:db8:0:%x::1]:9", i))
			go func() {
				defer func() { _ = one.Close() }()
				go func() { _, _ = io.Copy(io.Discard, one) }() // what is answered
				_, err := io.WriteString(one, "GET / HTTP/1.1\r\n")
				for i := 0; err == nil; i++ {
					time.Sleep(time.Second)
					_, err = fmt.Fprintf(one, "X-%d: x\r\n", i)
				}
				over <- time.Since(began)
			}()
		}
		synctest.Wait()
		wall := c.from("198.51.100.7:9")
		_, err := io.WriteString(wall, "GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		require.NoError(t, err)
		answer, err := io.ReadAll(wall)
		require.NoError(t, err)
		require.Contains(t, string(answer), "HTTP/1.1 200 OK")
		require.NoError(t, wall.Close())
		soon := 0
		for range many {
			took := <-over
			require.LessOrEqual(t, took, headerTimeout+time.Second)
			if took < headerTimeout {
				soon++
			}
		}
		require.Equal(t, many-2*connsEach, soon)
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			require.NoError(t, err)
		}
	})
}
