package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"hotline/call"
	"hotline/store/memstore"
)

// put sends a body to the API.
func put(t *testing.T, h http.Handler, path, token, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const outageBody = `{"areas":["12"],"from":"2026-03-01T10:00:00+08:00","to":"2026-03-01T11:00:00+08:00","prompt":"west","note":"主管网检修"}`

// An outage is put, read, changed and deleted; each change is logged with who did it.
func TestOutages(t *testing.T) {
	o := fakeHotline(t)
	core, logs := observer.New(zap.InfoLevel)
	o.Logger = zap.New(core)
	o.Outages, o.HasPrompt = memstore.New(), func(name string) bool { return name == "west" }
	h := New(o).Handler()
	require.JSONEq(t, `{"outages":[]}`, get(t, h, "/api/v1/outages", agentToken).Body.String())

	w := put(t, h, "/api/v1/outages/west-1", supervisorToken, outageBody)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	want := `{"id":"west-1","areas":["12"],"from":"2026-03-01T10:00:00.000+08:00","to":"2026-03-01T11:00:00.000+08:00",` +
		`"prompt":"west","note":"主管网检修","by":"ops","changed":"2026-03-01T10:30:00.000+08:00","told":true}`
	require.JSONEq(t, want, w.Body.String())
	for _, token := range []string{supervisorToken, auditorToken, agentToken} {
		require.JSONEq(t, `{"outages":[`+want+`]}`, get(t, h, "/api/v1/outages", token).Body.String())
	}
	w = put(t, h, "/api/v1/outages/west-1", supervisorToken, `{"from":"2026-03-02T10:00:00Z","to":"2026-03-03T11:00:00Z"}`)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.Contains(t, w.Body.String(), `"areas":[]`)
	require.Contains(t, w.Body.String(), `"told":false`)

	require.Equal(t, http.StatusNoContent, ask(t, h, http.MethodDelete, "/api/v1/outages/west-1", supervisorToken).Code)
	require.Equal(t, http.StatusNotFound, ask(t, h, http.MethodDelete, "/api/v1/outages/west-1", supervisorToken).Code)
	require.Equal(t, 3, logs.Len())
	for i, want := range []string{"outage put", "outage put", "outage deleted"} {
		require.Equal(t, want, logs.All()[i].Message)
		require.Equal(t, "ops", logs.All()[i].ContextMap()["by"])
	}
}

// Nobody but a supervisor changes what callers hear, and nothing that is wrong is kept.
func TestOutagesRefused(t *testing.T) {
	o := fakeHotline(t)
	store := memstore.New()
	o.Outages = store
	h := New(o).Handler()
	for token, want := range map[string]int{auditorToken: 403, agentToken: 403, metricsToken: 403, "wrong": 401} {
		require.Equal(t, want, put(t, h, "/api/v1/outages/a", token, outageBody).Code)
		require.Equal(t, want, ask(t, h, http.MethodDelete, "/api/v1/outages/a", token).Code)
	}
	const span = `"from":"2026-03-01T10:00:00Z","to":"2026-03-01T11:00:00Z"`
	for body, want := range map[string]string{
		"":     "the body",
		"[]":   "the body",
		"null": "from and to",
		"{}":   "from and to",
		`{"from":"2026-03-01T10:00:00Z","to":"2026-03-01T10:00:00Z"}`: "from and to",
		`{"from":"tomorrow"}`:                                                  "the body",
		`{` + span + `,"id":"b"}`:                                              "the body",
		`{` + span + `,"prompt":"gone"}`:                                       "prompt",
		`{` + span + `,"areas":["a\u0000"]}`:                                   "areas",
		`{` + span + `,"areas":[""]}`:                                          "areas",
		`{` + span + `,"areas":["` + strings.Repeat(`a","`, maxAreas) + `a"]}`: "areas",
		`{` + span + `,"note":"` + strings.Repeat("字", maxNote+1) + `"}`:       "note",
	} {
		w := put(t, h, "/api/v1/outages/a", supervisorToken, body)
		require.Equal(t, http.StatusBadRequest, w.Code, body)
		require.Contains(t, w.Body.String(), `"detail":"`+want, body)
	}
	for _, id := range []string{"-a", "a%20b", strings.Repeat("a", 65), "%00"} {
		require.Equal(t, http.StatusNotFound, put(t, h, "/api/v1/outages/"+id, supervisorToken, outageBody).Code, id)
	}
	w := ask(t, h, http.MethodPost, "/api/v1/outages/a", supervisorToken)
	require.Equal(t, http.StatusMethodNotAllowed, w.Code)
	require.Equal(t, "PUT, DELETE", w.Header().Get("Allow"))
	for i := range call.MaxOutages {
		require.NoError(t, store.PutOutage(t.Context(), call.Outage{ID: fmt.Sprint(i)}))
	}
	require.Equal(t, http.StatusConflict, put(t, h, "/api/v1/outages/a", supervisorToken, `{`+span+`}`).Code)

	o.Outages = nil
	h = New(o).Handler()
	require.JSONEq(t, `{"outages":[]}`, get(t, h, "/api/v1/outages", agentToken).Body.String())
	require.Equal(t, http.StatusNotFound, put(t, h, "/api/v1/outages/a", supervisorToken, outageBody).Code)
}
