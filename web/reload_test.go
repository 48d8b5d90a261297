package web

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// A reload is a supervisor's, and by POST; its problems are all answered.
func TestReload(t *testing.T) {
	o := fakeHotline(t)
	done := Reloaded{Restart: []string{"sip.listen"}}
	o.Reload = func() Reloaded { return done }
	s := New(o)
	ask := func(method, token string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, "/api/v1/reload", http.NoBody)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		return w
	}
	w := ask(http.MethodPost, supervisorToken)
	require.Equal(t, http.StatusOK, w.Code)
	require.JSONEq(t, `{"restart":["sip.listen"]}`, w.Body.String())
	require.Equal(t, http.StatusForbidden, ask(http.MethodPost, auditorToken).Code)
	require.Equal(t, http.StatusMethodNotAllowed, ask(http.MethodGet, supervisorToken).Code)

	done = Reloaded{Problems: []string{"hotline.yaml:3:1: sip: one", "hotline.yaml:4:1: media: two"}}
	w = ask(http.MethodPost, supervisorToken)
	require.Equal(t, http.StatusUnprocessableEntity, w.Code)
	require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
	require.Contains(t, w.Body.String(), `"problems":["hotline.yaml:3:1: sip: one","hotline.yaml:4:1: media: two"]`)

	set := o.Settings
	set.Tokens = []Token{{Name: "new", Role: Supervisor, Token: "new"}}
	s.Apply(set)
	require.Equal(t, http.StatusUnauthorized, ask(http.MethodPost, supervisorToken).Code)
	require.Equal(t, http.StatusUnprocessableEntity, ask(http.MethodPost, "new").Code)
	s.o.Reload = nil
	require.Equal(t, http.StatusNotFound, ask(http.MethodPost, "new").Code)
}
