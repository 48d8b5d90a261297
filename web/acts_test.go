package web

import (
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

// shifts write down what is asked of them.
type shifts struct {
	asked []string
	err   error
}

func (s *shifts) note(format string, args ...any) error {
	s.asked = append(s.asked, fmt.Sprintf(format, args...))
	return s.err
}

func (s *shifts) Pause(a, reason string) error { return s.note("pause %s %s", a, reason) }
func (s *shifts) Ready(a string) error         { return s.note("ready %s", a) }
func (s *shifts) Login(a, queue string) error  { return s.note("login %s %s", a, queue) }
func (s *shifts) Logout(a, queue string) error { return s.note("logout %s %s", a, queue) }
func (s *shifts) WrapUp(a, code string) error  { return s.note("code %s %s", a, code) }
func (s *shifts) ExtendWrapUp(a string) error  { return s.note("extend %s", a) }
func (s *shifts) EndWrapUp(a string) error     { return s.note("end %s", a) }

// post asks for something to be done to an agent.
func post(t *testing.T, h http.Handler, path, token, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v1/agents/"+path, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestActs: what may be done to an agent is done, answered with the agent as it is then, and audited with who asked.
func TestActs(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	s := &shifts{}
	o := fakeHotline(t)
	o.Shifts, o.Logger = func() Shifts { return s }, zap.New(core)
	h := New(o).Handler()
	for _, c := range []struct{ path, body, asked string }{
		{"8002/pause", `{"reason": "用餐"}`, "pause 8002 用餐"},
		{"8002/pause", ``, "pause 8002 "},
		{"8002/ready", `{}`, "ready 8002"},
		{"8002/login", `{"queue": "repair"}`, "login 8002 repair"},
		{"8002/login", ``, "login 8002 "},
		{"8002/logout", `{"queue": "repair"}`, "logout 8002 repair"},
		{"8002/wrap-up", `{"code": "1"}`, "code 8002 1"},
		{"8002/wrap-up", `{"extend": true}`, "extend 8002"},
		{"8002/wrap-up", `{"end": true}`, "end 8002"},
	} {
		for token, by := range map[string]string{supervisorToken: "ops", ownToken: "8002"} {
			s.asked = nil
			w := post(t, h, c.path, token, c.body)
			require.Equal(t, http.StatusOK, w.Code, "%s %s", c.path, c.body)
			require.Contains(t, w.Body.String(), `"id":"8002"`)
			require.Equal(t, []string{c.asked}, s.asked)
			lines := logs.TakeAll()
			require.Len(t, lines, 1)
			require.Equal(t, "audit: agent", lines[0].Message)
			require.Equal(t, by, lines[0].ContextMap()["by"])
			require.Equal(t, "8002", lines[0].ContextMap()["agent"])
		}
	}
}

// TestActsRefused: bodies that make no sense ask nobody for anything.
func TestActsRefused(t *testing.T) {
	s := &shifts{}
	o := fakeHotline(t)
	o.Shifts = func() Shifts { return s }
	h := New(o).Handler()
	for _, c := range []struct{ path, body string }{
		{"8002/pause", `{"reason": "` + strings.Repeat("餐", 65) + `"}`},
		{"8002/pause", `{"reason": "a\nb"}`},
		{"8002/pause", `{"queue": "repair"}`},
		{"8002/pause", `{"reason": 1}`},
		{"8002/pause", `{"why": "x"}`},
		{"8002/pause", `{} {}`},
		{"8002/pause", `[]`},
		{"8002/ready", `{"reason": "x"}`},
		{"8002/login", `{"code": "1"}`},
		{"8002/logout", `{"end": true}`},
		{"8002/wrap-up", ``},
		{"8002/wrap-up", `{"code": "1", "end": true}`},
		{"8002/wrap-up", `{"extend": true, "end": true}`},
	} {
		isProblem(t, post(t, h, c.path, supervisorToken, c.body), http.StatusBadRequest)
	}
	require.Empty(t, s.asked)
}

// TestActsByWhom: a supervisor acts for anybody, an agent's token for that agent alone, and nobody else at all; it
// is done by POST.
func TestActsByWhom(t *testing.T) {
	s := &shifts{}
	o := fakeHotline(t)
	o.Shifts = func() Shifts { return s }
	h := New(o).Handler()
	for _, act := range []string{"pause", "ready", "login", "logout", "wrap-up"} {
		for token, want := range map[string]int{
			"": http.StatusUnauthorized, "wrong": http.StatusUnauthorized, auditorToken: http.StatusForbidden,
			metricsToken: http.StatusForbidden, agentToken: http.StatusForbidden,
		} {
			isProblem(t, post(t, h, "8002/"+act, token, ""), want)
		}
		isProblem(t, post(t, h, "8001/"+act, ownToken, ""), http.StatusForbidden)
		w := get(t, h, "/api/v1/agents/8002/"+act, supervisorToken)
		isProblem(t, w, http.StatusMethodNotAllowed)
		require.Equal(t, http.MethodPost, w.Header().Get("Allow"))
	}
	require.Empty(t, s.asked)
	o.Shifts = nil
	isProblem(t, post(t, New(o).Handler(), "8002/ready", supervisorToken, ""), http.StatusNotFound)
}

// TestActsErrors: what the desk refuses is answered with what that means.
func TestActsErrors(t *testing.T) {
	s := &shifts{}
	o := fakeHotline(t)
	o.Shifts = func() Shifts { return s }
	h := New(o).Handler()
	for err, want := range map[error]int{
		call.ErrNoAgent: http.StatusNotFound, call.ErrNotServed: http.StatusUnprocessableEntity,
		call.ErrBadCode: http.StatusUnprocessableEntity, call.ErrLoggedOut: http.StatusConflict,
		call.ErrNoWrapUp: http.StatusConflict, call.ErrWrapUpMax: http.StatusConflict, call.ErrNoTalk: http.StatusConflict,
		errors.New("stopped"): http.StatusServiceUnavailable,
	} {
		s.err = fmt.Errorf("pause 8002: %w", err)
		detail := isProblem(t, post(t, h, "8002/pause", supervisorToken, ""), want)
		require.NotContains(t, detail, "8002")
	}
	s.err = nil
	isProblem(t, post(t, h, "8009/pause", supervisorToken, ""), http.StatusNotFound)
}
