package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/store/memstore"
)

// anyShifts lets everybody do everything.
type anyShifts struct{ Shifts }

func (anyShifts) Pause(string, string) error { return nil }

// send asks with a body, as a supervisor.
func send(t *testing.T, h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+supervisorToken)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// Whoever writes a body wrong is told what is wrong with it; and one too long is refused as such.
func TestBodies(t *testing.T) {
	o := fakeHotline(t)
	o.Shifts = func() Shifts { return anyShifts{} }
	o.Outages = memstore.New()
	h := New(o).Handler()
	for _, path := range []struct{ method, path, right string }{
		{http.MethodPost, "/api/v1/agents/8002/pause", `{"reason":"用餐"}`},
		{http.MethodPut, "/api/v1/outages/o1", `{"from":"2026-03-01T10:00:00+08:00","to":"2026-03-01T12:00:00+08:00"}`},
	} {
		require.Equal(t, http.StatusOK, send(t, h, path.method, path.path, path.right+"\n ").Code)
		for body, want := range map[string]string{
			"nonsense": "invalid character", `{"resaon":"x"}`: `unknown field "resaon"`, path.right + "{}": "after the object",
			path.right + "x": "after the object", `[]`: "cannot unmarshal array",
			`{`: "unexpected",
		} {
			detail := isProblem(t, send(t, h, path.method, path.path, body), http.StatusBadRequest)
			require.Contains(t, detail, want, body)
			require.True(t, strings.HasPrefix(detail, "the body: "), detail)
		}
		room := strings.Repeat(" ", maxBody)
		for _, long := range []string{
			path.right[:len(path.right)-1] + room + "}", path.right + room, path.right + "{" + room, "nonsense" + room,
		} {
			detail := isProblem(t, send(t, h, path.method, path.path, long), http.StatusRequestEntityTooLarge)
			require.Contains(t, detail, "65536 octets")
		}
	}
	require.Equal(t, http.StatusOK, send(t, h, http.MethodPost, "/api/v1/agents/8002/pause", "").Code, "without a reason")
	require.Contains(t, isProblem(t, send(t, h, http.MethodPut, "/api/v1/outages/o1", ""), http.StatusBadRequest), "empty")
	require.Contains(t, isProblem(t, send(t, h, http.MethodPut, "/api/v1/outages/-", "{}"), http.StatusNotFound), "1 to 64")
}

// A refusal says what would be accepted.
func TestRefusalsSayWhatToDo(t *testing.T) {
	o := fakeHotline(t)
	o.Agents = func() ([]call.AgentView, error) { return nil, nil }
	h := New(o).Handler()
	for _, c := range []struct {
		token, method, path, want string
		status                    int
	}{
		{"", http.MethodGet, "/api/v1/calls", "Authorization: Bearer TOKEN", http.StatusUnauthorized},
		{"wrong", http.MethodGet, "/api/v1/calls", "http.tokens", http.StatusUnauthorized},
		{agentToken, http.MethodGet, "/api/v1/calls", "the token's role is agent; this needs supervisor or auditor", http.StatusForbidden},
		{auditorToken, http.MethodPost, "/api/v1/reload", "this needs supervisor", http.StatusForbidden},
		{supervisorToken, http.MethodGet, "/api/v1/call", "/api/v1/: calls, recordings", http.StatusNotFound},
		{supervisorToken, http.MethodGet, "/api/v1/calls/", "/api/v1/: calls, recordings", http.StatusNotFound},
		{supervisorToken, http.MethodGet, "/api/v1/reload", "POST", http.StatusMethodNotAllowed},
		{supervisorToken, http.MethodGet, "/api/v1/calls?page=2", "there are limit, before", http.StatusBadRequest},
	} {
		require.Contains(t, isProblem(t, ask(t, h, c.method, c.path, c.token), c.status), c.want, c.path)
	}
}
