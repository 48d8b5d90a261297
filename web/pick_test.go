package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"hotline/call"
)

// picking answers wishes to have an agent rung.
type picking struct {
	asked []string
	err   error
}

func (p *picking) Pick(_ context.Context, id, agent string) error {
	p.asked = append(p.asked, id+" "+agent)
	return p.err
}

func pickFor(t *testing.T, h http.Handler, token, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v1/calls/c1/pick", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// A supervisor has one agent rung for a caller, who can be rung now; whether that is so, and who may ask, is a line in the
// log.
func TestPick(t *testing.T) {
	o := fakeHotline(t)
	core, logs := observer.New(zap.InfoLevel)
	o.Logger = zap.New(core)
	port := &picking{}
	o.Picker = func() Picker { return port }
	h := New(o).Handler()
	w := pickFor(t, h, supervisorToken, `{"agent": "8001"}`)
	require.Equal(t, http.StatusAccepted, w.Code)
	require.JSONEq(t, `{"agent":"8001"}`, w.Body.String())
	require.Equal(t, []string{"c1 8001"}, port.asked)
	w = pickFor(t, h, supervisorToken, `{"agent": "8002"}`)
	require.Equal(t, http.StatusConflict, w.Code)
	require.Contains(t, w.Body.String(), "the agent is talking")
	require.Equal(t, http.StatusUnprocessableEntity, pickFor(t, h, supervisorToken, `{"agent": "8009"}`).Code)
	lines := logs.FilterMessage("audit: pick").All()
	require.Len(t, lines, 3)
	require.Equal(t, map[string]any{"by": "ops", "call": "c1", "agent": "8001"}, lines[0].ContextMap())
	for _, token := range []string{agentToken, auditorToken, metricsToken} {
		require.Equal(t, http.StatusForbidden, pickFor(t, h, token, `{"agent": "8001"}`).Code)
	}
	for _, body := range []string{``, `{"agent": 1}`, `{"who": "8001"}`} {
		require.Equal(t, http.StatusBadRequest, pickFor(t, h, supervisorToken, body).Code, body)
	}
	require.Equal(t, http.StatusMethodNotAllowed, ask(t, h, http.MethodGet, "/api/v1/calls/c1/pick", supervisorToken).Code)
	require.Len(t, port.asked, 1)
	require.Equal(t, http.StatusNotFound, pickFor(t, New(fakeHotline(t)).Handler(), supervisorToken, `{}`).Code)
}

// What such a wish is refused for has its status.
func TestPickRefused(t *testing.T) {
	o := fakeHotline(t)
	port := &picking{}
	o.Picker = func() Picker { return port }
	h := New(o).Handler()
	for err, want := range map[error]int{
		call.ErrNotFound: http.StatusNotFound, call.ErrNotWaiting: http.StatusConflict, call.ErrPicked: http.StatusConflict,
		call.ErrAlarm: http.StatusConflict, errors.New("odd"): http.StatusInternalServerError,
	} {
		port.err = fmt.Errorf("pick: %w", err)
		require.Equal(t, want, pickFor(t, h, supervisorToken, `{"agent":"8001"}`).Code, err)
	}
}
