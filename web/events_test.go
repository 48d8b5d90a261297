package web

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"hotline/call"
)

func (brokenRecords) List(context.Context, call.Query) ([]call.Record, string, error) {
	return nil, "", errDisk
}

func (brokenRecords) Get(context.Context, string) (call.Record, error) {
	return call.Record{}, errDisk
}

func (brokenRecords) Summaries(context.Context, time.Time, time.Duration) (call.Summaries, error) {
	return nil, errDisk
}

// serve runs a server on loopback; stop ends it and returns what Run returned.
func serve(t *testing.T, o Options, change func(*Server)) (url string, stop func() error) {
	t.Helper()
	var err error
	o.Listener, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := New(o)
	if change != nil {
		change(s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { assert.NoError(t, stop()) })
	return "http://" + o.Listener.Addr().String(), stop
}

// watcher is a connection to /events.
type watcher struct {
	status int
	kind   string // Content-Type
	lines  *bufio.Scanner
	leave  func() error
}

// watch opens /events.
func watch(t *testing.T, url string) watcher {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/events", nil)
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, res.Body.Close()) })
	return watcher{res.StatusCode, res.Header.Get("Content-Type"), bufio.NewScanner(res.Body), res.Body.Close}
}

// nextEvent reads one event; ok is false at the end of the stream.
func nextEvent(t *testing.T, lines *bufio.Scanner) (b map[string]any, raw string, ok bool) {
	t.Helper()
	for lines.Scan() {
		if data, found := strings.CutPrefix(lines.Text(), "data: "); found {
			require.NoError(t, json.Unmarshal([]byte(data), &b))
			return b, data, true
		}
	}
	return nil, "", false
}

func TestEventGolden(t *testing.T) {
	url, _ := serve(t, fakeHotline(t), nil)
	w := watch(t, url)
	require.Equal(t, "text/event-stream", w.kind)
	_, raw, ok := nextEvent(t, w.lines)
	require.True(t, ok)
	golden(t, "event.json", []byte(raw))
}

// What is shown without a token holds no number, no name and no call's id.
func TestEventsHoldNoPersonalData(t *testing.T) {
	url, _ := serve(t, fakeHotline(t), nil)
	lines := watch(t, url).lines
	_, raw, ok := nextEvent(t, lines)
	require.True(t, ok)
	for _, secret := range []string{"13912345678", "13700001111", "李强", "张敏", `"c2"`} {
		assert.NotContains(t, raw, secret)
	}
	assert.Contains(t, raw, "139******78")
}

// The stream goes on past the server's time limits for requests, and ends at once with the server.
func TestEventsGoOnAndEnd(t *testing.T) {
	o := fakeHotline(t)
	o.Clock = nil
	url, stop := serve(t, o, func(s *Server) { s.timeout = 100 * time.Millisecond })
	lines := watch(t, url).lines
	seen := make(map[any]bool)
	for len(seen) < 3 { // one that was made late may be sent twice
		b, _, ok := nextEvent(t, lines)
		require.True(t, ok)
		seen[b["now"]] = true
	}
	require.NoError(t, stop())
	for ok := true; ok; { // but for what was under way
		_, _, ok = nextEvent(t, lines)
	}
}

// Watchers are bounded; one that leaves makes room.
func TestWatchersAreBounded(t *testing.T) {
	o := fakeHotline(t)
	o.MaxWatchers = 1
	var server *Server
	url, _ := serve(t, o, func(s *Server) { server = s })
	first := watch(t, url)
	_, _, ok := nextEvent(t, first.lines)
	require.True(t, ok)
	second := watch(t, url)
	require.Equal(t, http.StatusServiceUnavailable, second.status)
	require.Equal(t, "application/problem+json", second.kind)
	require.NoError(t, first.leave())
	require.Eventually(t, func() bool { return server.watchers.held() == 0 }, time.Minute, 5*time.Millisecond)
	third := watch(t, url)
	require.Equal(t, http.StatusOK, third.status)
}

// Nothing is asked of the hotline while nobody watches, and many watchers cost what one does.
func TestWatchersShareOneSnapshot(t *testing.T) {
	o := fakeHotline(t)
	var asked atomic.Int64
	queues := o.Queues
	o.Queues = func() ([]call.QueueView, error) {
		asked.Add(1)
		return queues()
	}
	url, _ := serve(t, o, nil)
	require.Zero(t, asked.Load())
	for range 10 {
		lines := watch(t, url).lines
		_, _, ok := nextEvent(t, lines)
		require.True(t, ok)
	}
	require.EqualValues(t, 1, asked.Load(), "the clock of this test stands still")
}

// Without the store the page goes on, and says that today is unknown.
func TestEventsWithoutStore(t *testing.T) {
	o := fakeHotline(t)
	o.Records = brokenRecords{}
	url, _ := serve(t, o, nil)
	lines := watch(t, url).lines
	b, _, ok := nextEvent(t, lines)
	require.True(t, ok)
	require.Nil(t, b["today"])
	require.NotEmpty(t, b["queues"])
}

// A hotline with nothing in it has empty lists, not nulls that would break the page.
func TestEmptyBoard(t *testing.T) {
	url, _ := serve(t, Options{}, nil)
	lines := watch(t, url).lines
	b, _, ok := nextEvent(t, lines)
	require.True(t, ok)
	for _, list := range []string{"queues", "agents", "calls"} {
		require.NotNil(t, b[list], list)
		require.Empty(t, b[list], list)
	}
}

func TestRunNamesAFailedListener(t *testing.T) {
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, ln.Close())
	require.ErrorContains(t, New(Options{Listener: ln}).Run(t.Context()), ln.Addr().String())
}
