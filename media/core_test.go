package media

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// serving is a transport whose serve is a test's.
type serving struct {
	transport
	take func(serve func() error, l *line) error
}

func (s *serving) serve(l *line) error {
	return s.take(func() error { return s.transport.serve(l) }, l)
}

// freePorts are n ports that no test has but this one, nor of another package.
func freePorts(t *testing.T, n int) PortRange {
	t.Helper()
	lo := uint16(testkit.FreePorts(t, n)) //nolint:gosec // a port
	return PortRange{lo, lo + uint16(n) - 1}
}

// servedBy is an engine whose streams are served so.
func servedBy(t *testing.T, take func(serve func() error, l *line) error) *core {
	t.Helper()
	e, err := NewPortable(Options{
		Address: netip.MustParseAddr("127.0.0.1"), Ports: freePorts(t, 10), Rest: time.Hour,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	c := e.(*core)
	c.transport = &serving{transport: c.transport, take: take}
	return c
}

// A shard that is slow to take a stream delays neither those that other shards take nor the end of any; and the engine's
// own end waits for it.
func TestOpenApart(t *testing.T) {
	var calls atomic.Int32
	held, over := make(chan struct{}), make(chan struct{})
	c := servedBy(t, func(serve func() error, _ *line) error {
		if calls.Add(1) == 1 {
			close(held)
			<-over
		}
		return serve()
	})
	release := sync.OnceFunc(func() { close(over) })
	t.Cleanup(release) // before the engine is closed, which waits for it
	opened, closed, ended := make(chan error, 1), make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := c.Open(StreamOptions{})
		opened <- err
	}()
	<-held
	go func() {
		s, err := c.Open(StreamOptions{})
		closed <- errors.Join(err, s.Close())
	}()
	select {
	case err := <-closed:
		require.NoError(t, err)
	case <-time.After(testWait):
		require.FailNow(t, "another stream waits for it")
	}
	go func() { ended <- c.Close() }()
	require.Eventually(t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.closed
	}, testWait, time.Millisecond)
	_, err := c.Open(StreamOptions{})
	require.ErrorIs(t, err, ErrClosed, "none is opened any more")
	release()
	require.NoError(t, <-opened)
	require.NoError(t, <-ended)
	require.Empty(t, c.streams, "it was closed with the engine")
}

// closing are sockets that tell a test when they are closed.
type closing struct {
	sockets
	told func()
}

func (c closing) close() error {
	c.told()
	return c.sockets.close()
}

// The port of a stream that could not be served goes back when its sockets are closed, and no sooner: till then a bind
// to it fails.
func TestOpenFails(t *testing.T) {
	fault, closed := errors.New("no room"), 0
	var c *core
	c = servedBy(t, func(_ func() error, l *line) error {
		l.sockets = closing{l.sockets, func() {
			closed++
			require.Contains(t, c.ports.out, true, "it is not anybody else's yet")
		}}
		return fault
	})
	_, err := c.Open(StreamOptions{})
	require.ErrorIs(t, err, fault)
	require.Equal(t, 1, closed)
	require.NotContains(t, c.ports.out, true)
	require.Empty(t, c.streams)
}

// Of an engine that could not be started no metrics are left, nor of one whose metrics there are already.
func TestMetricsOfNoEngine(t *testing.T) {
	registry := prometheus.NewRegistry()
	o := Options{Address: netip.MustParseAddr("127.0.0.1"), Ports: freePorts(t, 10), Registry: registry}
	fault := errors.New("no shards")
	_, err := newCore(o, func(*core) (transport, error) { return nil, fault })
	require.ErrorIs(t, err, fault)

	other := newMetrics().lost
	require.NoError(t, registry.Register(other), "the last but none of those that there are")
	_, err = NewPortable(o)
	var already prometheus.AlreadyRegisteredError
	require.ErrorAs(t, err, &already)
	require.True(t, registry.Unregister(other))
	e, err := NewPortable(o)
	require.NoError(t, err)
	require.NoError(t, e.Close())
}
