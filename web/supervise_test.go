package web

import (
	"context"
	"encoding/json"
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

// hearing answers wishes to hear a call.
type hearing struct {
	asked []string
	rung  bool
	err   error
}

func (h *hearing) Supervise(_ context.Context, id, phone string, mode call.Mode) (bool, error) {
	h.asked = append(h.asked, fmt.Sprint(id, " ", phone, " ", mode))
	return h.rung, h.err
}

func (h *hearing) Unsupervise(id string) error {
	h.asked = append(h.asked, id+" no more")
	return h.err
}

func supervise(t *testing.T, h http.Handler, token, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v1/calls/c1/supervise", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// A supervisor's phone is rung to hear a call, the mode changed, and it is ended; each is a line in the log.
func TestSupervise(t *testing.T) {
	o := fakeHotline(t)
	core, logs := observer.New(zap.InfoLevel)
	o.Logger = zap.New(core)
	port := &hearing{rung: true}
	o.Supervision = func() Supervision { return port }
	h := New(o).Handler()
	w := supervise(t, h, supervisorToken, `{"phone": "9001", "mode": "listen"}`)
	require.Equal(t, http.StatusAccepted, w.Code)
	require.JSONEq(t, `{"phone":"9001","mode":"listen"}`, w.Body.String())
	port.rung = false
	require.Equal(t, http.StatusOK, supervise(t, h, supervisorToken, `{"phone": "9001", "mode": "join"}`).Code)
	require.Equal(t, http.StatusNoContent, ask(t, h, http.MethodDelete, "/api/v1/calls/c1/supervise", supervisorToken).Code)
	require.Equal(t, []string{"c1 9001 listen", "c1 9001 join", "c1 no more"}, port.asked)
	lines := logs.FilterMessage("audit: supervise").All()
	require.Len(t, lines, 3)
	require.Equal(t, map[string]any{"by": "ops", "call": "c1", "phone": "9001", "mode": "listen"}, lines[0].ContextMap())
	for _, token := range []string{agentToken, auditorToken, metricsToken} {
		require.Equal(t, http.StatusForbidden, supervise(t, h, token, `{}`).Code)
		require.Equal(t, http.StatusForbidden, ask(t, h, http.MethodDelete, "/api/v1/calls/c1/supervise", token).Code)
	}
	for _, body := range []string{``, `{"phone": 1}`, `{"who": "9001"}`} {
		require.Equal(t, http.StatusBadRequest, supervise(t, h, supervisorToken, body).Code, body)
	}
	require.Len(t, port.asked, 3)
	require.Equal(t, http.StatusNotFound, supervise(t, New(fakeHotline(t)).Handler(), supervisorToken, `{}`).Code)
}

// What a wish is refused for has its status.
func TestSuperviseRefused(t *testing.T) {
	o := fakeHotline(t)
	port := &hearing{}
	o.Supervision = func() Supervision { return port }
	h := New(o).Handler()
	for _, c := range []struct {
		err    error
		status int
		reason string
	}{
		{call.ErrNotFound, http.StatusNotFound, ""},
		{call.ErrNoSupervisor, http.StatusUnprocessableEntity, "no-supervisor"},
		{call.ErrBadMode, http.StatusUnprocessableEntity, "bad-mode"},
		{call.ErrNotTalking, http.StatusConflict, "not-talking"},
		{call.ErrEngaged, http.StatusConflict, "engaged"},
		{call.ErrSupervised, http.StatusConflict, "supervised"},
		{call.ErrSupervisedOften, http.StatusConflict, "too-often"},
		{errors.New("odd"), http.StatusInternalServerError, ""},
	} {
		port.err = fmt.Errorf("hear: %w", c.err)
		for _, w := range []*httptest.ResponseRecorder{
			supervise(t, h, supervisorToken, `{"phone":"9001","mode":"listen"}`),
			ask(t, h, http.MethodDelete, "/api/v1/calls/c1/supervise", supervisorToken),
		} {
			require.Equal(t, c.status, w.Code, c.err)
			var said problem
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &said))
			require.Equal(t, c.reason, said.Reason, c.err)
		}
	}
}

// The wall, which callers' agents see as everybody does, shows neither supervisors nor that they hear somebody; the API says
// who is one.
func TestSupervisorsAreNotOnTheWall(t *testing.T) {
	o := fakeHotline(t)
	o.Agents = func() ([]call.AgentView, error) {
		return []call.AgentView{{ID: "8001", State: call.AgentReady}, {ID: "9001", State: call.AgentTalking, Supervisor: true}}, nil
	}
	o.Live = func() []call.Live {
		return []call.Live{
			{At: call.Talk, Record: call.Record{ID: "c1", From: "13912345678", Talks: []call.TalkRecord{{Agent: "8001"}}}},
			{At: call.Supervising, Record: call.Record{ID: "c2", From: "9001", Kind: call.KindSupervision, Origin: "c1"}},
		}
	}
	s := New(o)
	b, err := s.board(o.Clock(), nil, farther{})
	require.NoError(t, err)
	require.Equal(t, map[string]int{"ready": 1}, b.States)
	require.Len(t, b.Agents, 1)
	require.Len(t, b.Calls, 1)
	require.Equal(t, 1, b.Total)
	w := ask(t, s.Handler(), http.MethodGet, "/api/v1/agents", supervisorToken)
	var got struct{ Agents []struct{ Role Role } }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
	require.Equal(t, []struct{ Role Role }{{AgentRole}, {Supervisor}}, got.Agents)
}
