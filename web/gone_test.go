package web

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"hotline/call"
)

// slowRecords take a time to count.
type slowRecords struct {
	brokenRecords
	take time.Duration
}

func (r slowRecords) Summaries(ctx context.Context, _ time.Time, _ time.Duration) (call.Summaries, error) {
	select {
	case <-time.After(r.take):
		return call.Summaries{}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Who goes away while the day is counted is no fault of ours; a count that takes too long is, and is told once.
func TestClientGoneWhileCounting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		o := fakeHotline(t)
		o.Clock, o.Logger = time.Now, zap.New(core)
		ask := func(take, after time.Duration) {
			o.Records = slowRecords{take: take}
			h := New(o).Handler()
			ctx, cancel := context.WithTimeout(t.Context(), after)
			defer cancel()
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/queues", nil)
			r.Header.Set("Authorization", "Bearer "+supervisorToken)
			h.ServeHTTP(httptest.NewRecorder(), r)
		}
		ask(summaryTimeout/2, summaryTimeout/4)
		require.Zero(t, logs.Len())
		ask(2*summaryTimeout, 3*summaryTimeout)
		require.Equal(t, 1, logs.FilterMessageSnippet("not counted").Len())
	})
}

// A desk that cannot be asked any more ends a stream that has begun, and nothing that is no event comes into it.
// Before the first event the answer says what is wrong.
func TestBoardFailsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := fakeHotline(t)
		o.Clock = time.Now
		var fails atomic.Bool
		queues := o.Queues
		o.Queues = func() ([]call.QueueView, error) {
			if fails.Load() {
				return nil, unavailable("the desk cannot be asked now", nil)
			}
			return queues()
		}
		h := New(o).Handler()
		w, ended := httptest.NewRecorder(), make(chan struct{})
		go func() {
			defer close(ended)
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/events", nil))
		}()
		synctest.Wait()
		fails.Store(true)
		<-ended
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, "text/event-stream", w.Header().Get("Content-Type"))
		blocks := strings.Split(w.Body.String(), "\n\n")
		require.Len(t, blocks, 2, "one event, and its end")
		require.Empty(t, blocks[1])
		_, data, found := strings.Cut(blocks[0], "data: ")
		require.True(t, found)
		require.True(t, json.Valid([]byte(data)))

		w = httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/events", nil))
		isProblem(t, w, http.StatusServiceUnavailable)
	})
}

// A body that breaks off is not taken for one that is wrong.
func TestBodyBreaksOff(t *testing.T) {
	o := fakeHotline(t)
	o.Shifts = func() Shifts { return anyShifts{} }
	body := io.MultiReader(strings.NewReader("{}"), iotest.ErrReader(io.ErrUnexpectedEOF))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v1/agents/8002/pause", body)
	r.Header.Set("Authorization", "Bearer "+supervisorToken)
	w := httptest.NewRecorder()
	New(o).Handler().ServeHTTP(w, r)
	require.Contains(t, isProblem(t, w, http.StatusBadRequest), "did not come whole")
}
