package web

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"hotline/call"
)

// slowly is a reader's end of an answer, that knows what has been sent by when, and how often it was given more time.
type slowly struct {
	*httptest.ResponseRecorder

	sent      chan string
	deadlines atomic.Int64
}

func (s *slowly) SetReadDeadline(time.Time) error { return nil }

func (s *slowly) SetWriteDeadline(time.Time) error {
	s.deadlines.Add(1)
	return nil
}

func (s *slowly) Flush() { s.sent <- s.Body.String() }

// TestPcapThroughAnotherNode: a capture comes through another node bit by bit, for as long as it lasts: each part is given
// time of its own. How it ended, and what it misses, is audited where the call is.
func TestPcapThroughAnotherNode(t *testing.T) {
	town := newTown(t)
	more := make(chan struct{})
	parts := []string{"one ", "two ", "three"}
	town.nodes["n2"].pcap = func(w io.Writer, began func()) (done call.Capture, err error) {
		began()
		for _, part := range parts {
			if _, err := io.WriteString(w, part); err != nil {
				return done, err
			}
			select {
			case <-more:
			case <-t.Context().Done(): // it has failed
			}
		}
		return call.Capture{Packets: 3, Missed: 2, Unsure: 1, End: call.CaptureFull}, nil
	}
	w := &slowly{ResponseRecorder: httptest.NewRecorder(), sent: make(chan string, 1)}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/calls/c2/pcap?for=10m", nil)
	r.Header.Set("Authorization", "Bearer "+supervisorToken)
	done := make(chan struct{})
	go func() {
		defer close(done)
		town.nodes["n1"].server.Handler().ServeHTTP(w, r)
	}()
	want, before := "", int64(0)
	for _, part := range parts {
		want += part
		select {
		case got := <-w.sent:
			require.Equal(t, want, got)
		case <-time.After(20 * time.Second):
			require.Fail(t, "what has come is not sent on")
		}
		now := w.deadlines.Load()
		require.Greater(t, now, before, "time of its own")
		before = now
		more <- struct{}{}
	}
	<-done
	require.Greater(t, w.deadlines.Load(), before, "and for the end")
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "application/x-pcapng", w.Header().Get("Content-Type"))
	end := town.nodes["n2"].logs.FilterMessage("audit: capture of a call ends").All()
	require.Len(t, end, 1)
	fields := end[0].ContextMap()
	require.Equal(t, []any{int64(3), int64(2), int64(1), "full"}, []any{fields["packets"], fields["missed"], fields["unsure"], fields["end"]})
	require.Equal(t, "ops@n1", fields["by"])
}

// Who may have a capture or watch a peer, of whom, and for how long: what is refused is refused in words, and nowhere is a
// capture or a trace of it in the log; nor is a caller's number by which somebody was to be watched.
func TestObservingIsRefused(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	o := fakeHotline(t)
	o.Logger = zap.New(core)
	h := New(o).Handler()
	for _, path := range []string{"/api/v1/calls/c1/pcap?for=1s", "/api/v1/trace?peer=8001&for=1s"} {
		isProblem(t, get(t, h, path, ""), http.StatusUnauthorized)
		for _, token := range []string{auditorToken, agentToken, ownToken, metricsToken} {
			isProblem(t, get(t, h, path, token), http.StatusForbidden)
		}
	}
	for path, want := range map[string]string{
		"/api/v1/calls/none/pcap": "no such call in progress", "/api/v1/calls/c3/pcap": "no such call in progress",
	} {
		require.Contains(t, isProblem(t, get(t, h, path, supervisorToken), http.StatusNotFound), want)
	}
	for path, want := range map[string]string{
		"/api/v1/calls/c1/pcap?for=11m": "for: a duration", "/api/v1/calls/c1/pcap?for=x": "for: a duration",
		"/api/v1/trace?peer=8001&for=1ms": "for: a duration", "/api/v1/trace?peer=8001&numbers=yes": "numbers: 1",
		"/api/v1/trace": "the id of an agent", "/api/v1/trace?peer=13912345678": "the id of an agent", "/api/v1/trace?peer=8009": "no agent has that one",
	} {
		require.Contains(t, isProblem(t, get(t, h, path, supervisorToken), http.StatusBadRequest), want)
	}
	require.Empty(t, logs.FilterMessageSnippet("audit").All())
	for _, line := range logs.All() {
		require.NotContains(t, fmt.Sprint(line.Message, line.ContextMap()), "13912345678")
	}
	require.Equal(t, http.StatusOK, get(t, h, "/api/v1/calls/c1/pcap", supervisorToken).Code)
	require.Equal(t, http.StatusOK, get(t, h, "/api/v1/trace?peer=8001", supervisorToken).Code)
	all := logs.All()
	require.Len(t, all, 4, "the beginning and the end of each")
	for _, line := range all {
		require.Equal(t, call.AuditName, line.LoggerName)
		require.Equal(t, "ops", line.ContextMap()["by"])
	}
}
