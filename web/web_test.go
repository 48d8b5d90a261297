package web

import (
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"hotline/call"
	"hotline/store/memstore"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// apiRoutes are the routes that need a token, and which roles may see them.
var apiRoutes = map[string][]string{
	"/api/v1/calls":            {supervisorToken, auditorToken},
	"/api/v1/calls/c1":         {supervisorToken, auditorToken},
	"/api/v1/calls/c1/trace":   {supervisorToken, auditorToken},
	"/api/v1/calls/c1/routing": {supervisorToken, auditorToken},
	"/api/v1/calls/c1/pcap":    {supervisorToken},
	"/api/v1/trace?peer=8001":  {supervisorToken},
	"/api/v1/recordings/c1":    {supervisorToken, auditorToken},
	"/api/v1/events":           {supervisorToken, auditorToken},
	"/api/v1/queues":           {supervisorToken, agentToken},
	"/api/v1/agents":           {supervisorToken, agentToken},
	"/api/v1/outages":          {supervisorToken, auditorToken, agentToken},
}

var openRoutes = []string{"/", "/supervise", "/assets/board.js", "/assets/supervise.js", "/assets/board.css", "/assets/icon.svg", "/healthz", "/readyz", "/metrics"}

// isProblem asserts an answer by RFC 9457 with this status, and returns its detail.
func isProblem(t *testing.T, w interface {
	Result() *http.Response
}, status int,
) string {
	t.Helper()
	res := w.Result()
	defer func() { require.NoError(t, res.Body.Close()) }()
	require.Equal(t, status, res.StatusCode)
	require.Equal(t, "application/problem+json", res.Header.Get("Content-Type"))
	var p struct {
		Type, Title, Detail, Instance string
		Status                        int
	}
	require.NoError(t, json.NewDecoder(res.Body).Decode(&p))
	assert.Equal(t, "about:blank", p.Type)
	assert.Equal(t, http.StatusText(status), p.Title)
	assert.Equal(t, status, p.Status)
	assert.NotEmpty(t, p.Instance)
	return p.Detail
}

// hasty answers wrong tokens at once.
func hasty(o Options) http.Handler {
	s := New(o)
	s.doubts.wait = 0
	return s.Handler()
}

func TestTokenNeeded(t *testing.T) {
	h := hasty(fakeHotline(t))
	for path := range apiRoutes {
		for name, authorization := range map[string]string{
			"none": "", "wrong": "Bearer wrong", "empty": "Bearer ", "basic": "Basic " + supervisorToken,
			"bare": supervisorToken, "prefix": "Bearer " + supervisorToken[:4], "longer": "Bearer " + supervisorToken + "x",
		} {
			w := get(t, h, path, "", "Authorization", authorization)
			isProblem(t, w, http.StatusUnauthorized)
			assert.Contains(t, w.Header().Get("WWW-Authenticate"), "Bearer", "%s %s", path, name)
			assert.NotContains(t, w.Body.String(), "139", path)
		}
	}
	isProblem(t, get(t, h, "/api/v1/nothing", ""), http.StatusUnauthorized)
}

func TestRoles(t *testing.T) {
	h := New(fakeHotline(t)).Handler()
	for path, may := range apiRoutes {
		for _, token := range []string{supervisorToken, auditorToken, agentToken, metricsToken} {
			w := get(t, h, path, token)
			if strings.Contains(strings.Join(may, " "), token) {
				assert.Equal(t, http.StatusOK, w.Code, "%s %s", path, token)
			} else {
				isProblem(t, w, http.StatusForbidden)
			}
		}
	}
}

func TestOpenRoutes(t *testing.T) {
	h := New(fakeHotline(t)).Handler()
	for _, path := range openRoutes {
		w := get(t, h, path, "")
		require.Equal(t, http.StatusOK, w.Code, path)
		assert.Contains(t, w.Header().Get("Content-Security-Policy"), "default-src 'none'", path)
		assert.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"), path)
		assert.Equal(t, "no-referrer", w.Header().Get("Referrer-Policy"), path)
	}
}

// A scraper that must send a token has one: it is known, and opens /metrics, as for everybody, and nothing of
// the API, not even what does not exist.
func TestMetricsToken(t *testing.T) {
	h := hasty(fakeHotline(t))
	require.Equal(t, http.StatusOK, get(t, h, "/metrics", metricsToken).Code)
	for path := range apiRoutes {
		isProblem(t, get(t, h, path, metricsToken), http.StatusForbidden)
		isProblem(t, get(t, h, path, metricsToken+"x"), http.StatusUnauthorized)
	}
	for _, path := range []string{"/api/v1/nothing", "/api/v2", "/api/"} {
		isProblem(t, get(t, h, path, metricsToken), http.StatusForbidden)
		isProblem(t, get(t, h, path, agentToken), http.StatusNotFound)
	}
}

func TestMethods(t *testing.T) {
	h := New(fakeHotline(t)).Handler()
	paths := append([]string{"/events"}, openRoutes...)
	for path := range apiRoutes {
		paths = append(paths, path)
	}
	for _, path := range paths {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions, "ODD"} {
			w := ask(t, h, method, path, supervisorToken)
			isProblem(t, w, http.StatusMethodNotAllowed)
			assert.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
		}
		assert.Equal(t, http.StatusOK, ask(t, h, http.MethodHead, path, supervisorToken).Code, path)
	}
}

func TestUnknown(t *testing.T) {
	h := New(fakeHotline(t)).Handler()
	for _, path := range []string{
		"/nothing", "/api/v1/nothing", "/api/v1/calls/nobody", "/api/v1/recordings/nobody", "/assets/none.js",
		"/assets/board", "/api/v1/recordings/c2", "/api/v1/recordings/c3",
	} {
		isProblem(t, get(t, h, path, supervisorToken), http.StatusNotFound)
	}
	o := fakeHotline(t)
	gone := answered("c9", now)
	gone.Recording = "gone.wav"
	require.NoError(t, o.Records.(call.Records).Finish(t.Context(), gone))
	isProblem(t, get(t, New(o).Handler(), "/api/v1/recordings/c9", supervisorToken), http.StatusNotFound)
}

// The shape of the API is a contract: a change of it shows as a change of these files.
func TestGolden(t *testing.T) {
	h := New(fakeHotline(t)).Handler()
	for name, path := range map[string]string{
		"calls.json": "/api/v1/calls", "call.json": "/api/v1/calls/c1",
		"queues.json": "/api/v1/queues", "agents.json": "/api/v1/agents",
	} {
		w := get(t, h, path, supervisorToken)
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, "application/json", w.Header().Get("Content-Type"))
		golden(t, name, w.Body.Bytes())
	}
}

func golden(t *testing.T, name string, body []byte) {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal(body, &v))
	pretty, err := json.MarshalIndent(v, "", "  ")
	require.NoError(t, err)
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(file, append(pretty, '\n'), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(body), name)
}

// Every time of the API is RFC 3339 with exactly three decimals, in the service's zone.
func TestTimes(t *testing.T) {
	w := get(t, New(fakeHotline(t)).Handler(), "/api/v1/calls", supervisorToken)
	times := regexp.MustCompile(`"\d{4}-[^"]*"`).FindAllString(w.Body.String(), -1)
	require.NotEmpty(t, times)
	for _, text := range times {
		assert.Regexp(t, `^"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+08:00"$`, text)
	}
}

// calls asks for a page and returns its ids and its cursor.
func calls(t *testing.T, h http.Handler, query string) (ids []string, next string) {
	t.Helper()
	w := get(t, h, "/api/v1/calls?"+query, supervisorToken)
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	var page struct {
		Calls []struct{ ID string }
		Next  string
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &page))
	for _, c := range page.Calls {
		ids = append(ids, c.ID)
	}
	return ids, page.Next
}

// Calls in progress are listed where their start puts them, on whatever page that is, once.
func TestPagesWithLiveCalls(t *testing.T) {
	o := fakeHotline(t)
	for _, id := range []string{"d1", "d2"} { // newer than c1, older than the calls in progress
		require.NoError(t, o.Records.(call.Records).Finish(t.Context(), answered(id, now.Add(-5*time.Minute))))
	}
	h := New(o).Handler()
	want := []string{"c3", "c2", "d2", "d1", "c1"}
	for _, limit := range []string{"1", "2", "3", "4", "5", "50"} {
		var got []string
		for query := "limit=" + limit; ; {
			ids, next := calls(t, h, query)
			got = append(got, ids...)
			if next == "" {
				break
			}
			query = "limit=" + limit + "&before=" + next
		}
		require.Equal(t, want, got, "limit %s", limit)
	}
	ids, _ := calls(t, h, "queue=gas-alarm")
	require.Equal(t, []string{"c3"}, ids)
	ids, _ = calls(t, h, "result=answered&agent=8002&from=2026-03-01T10:20:00%2B08:00&to=2026-03-01T02:25:00Z")
	require.Equal(t, []string{"c1"}, ids)
}

func TestBadQuery(t *testing.T) {
	h := New(fakeHotline(t)).Handler()
	for query, name := range map[string]string{
		"limit=0": "limit", "limit=1001": "limit", "limit=x": "limit", "before=!": "before",
		"lmit=5": "lmit", "limit=5&Queue=repair": "Queue", "from=yesterday": "from", "to=2026-01-01": "to",
	} {
		detail := isProblem(t, get(t, h, "/api/v1/calls?"+query, supervisorToken), http.StatusBadRequest)
		assert.True(t, strings.HasPrefix(detail, name+":"), detail)
	}
}

func TestRecording(t *testing.T) {
	h := New(fakeHotline(t)).Handler()
	w := get(t, h, "/api/v1/recordings/c1", auditorToken)
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "audio/wav", w.Header().Get("Content-Type"))
	require.Equal(t, "RIFF----WAVEfmt 0123456789", w.Body.String())

	w = get(t, h, "/api/v1/recordings/c1", auditorToken, "Range", "bytes=4-7")
	require.Equal(t, http.StatusPartialContent, w.Code)
	require.Equal(t, "bytes 4-7/26", w.Header().Get("Content-Range"))
	require.Equal(t, "----", w.Body.String())

	w = get(t, h, "/api/v1/recordings/c1", auditorToken, "Range", "bytes=100-")
	require.Equal(t, http.StatusRequestedRangeNotSatisfiable, w.Code)
}

func TestReady(t *testing.T) {
	o := fakeHotline(t)
	o.Ready = func() error { return errDown }
	h := New(o).Handler()
	require.Contains(t, isProblem(t, get(t, h, "/readyz", ""), http.StatusServiceUnavailable), errDown.Error())
	require.Empty(t, get(t, h, "/readyz", "").Header().Get("Retry-After"))
	require.Equal(t, http.StatusOK, get(t, h, "/healthz", "").Code, "alive all the same")
}

func TestMetrics(t *testing.T) {
	o := fakeHotline(t)
	reg := prometheus.NewPedanticRegistry()
	o.Gatherer = reg
	s := New(o)
	require.NoError(t, s.metrics.register(reg, func() int { return 0 }))
	get(t, s.Handler(), "/api/v1/calls/a-number-13912345678", supervisorToken)
	body := get(t, s.Handler(), "/metrics", "").Body.String()
	require.Contains(t, body, `hotline_http_requests_total{code="404",route="/api/v1/calls/{id}"} 1`)
	require.NotContains(t, body, "13912345678")
}

// A panic costs one request; the client learns nothing of it.
func TestPanic(t *testing.T) {
	o := fakeHotline(t)
	panics := 0
	o.Panicked = func() { panics++ }
	o.Queues = func() ([]call.QueueView, error) { panic("secret detail") }
	h := New(o).Handler()
	w := get(t, h, "/api/v1/queues", supervisorToken)
	require.NotContains(t, isProblem(t, w, http.StatusInternalServerError), "secret")
	require.Equal(t, 1, panics)
	require.Equal(t, http.StatusOK, get(t, h, "/api/v1/agents", supervisorToken).Code)
}

// A fault of the desk is a 500 on each path that asks it, and tells the client nothing.
func TestDeskFails(t *testing.T) {
	o := fakeHotline(t)
	fault := errors.New("secret detail")
	o.Queues = func() ([]call.QueueView, error) { return nil, fault }
	o.Agents = func() ([]call.AgentView, error) { return nil, fault }
	s := New(o)
	for _, path := range []string{"/api/v1/queues", "/api/v1/agents"} {
		require.NotContains(t, isProblem(t, get(t, s.Handler(), path, supervisorToken), http.StatusInternalServerError), "secret")
	}
	_, err := s.board(o.Clock(), nil, farther{})
	require.ErrorIs(t, err, fault)
	_, err = s.open(call.Record{})
	require.ErrorIs(t, err, fault)
}

// A fault of the store is a 500 that tells the client nothing.
func TestStoreFails(t *testing.T) {
	o := fakeHotline(t)
	o.Records = brokenRecords{Records: o.Records}
	h := New(o).Handler()
	for _, path := range []string{"/api/v1/calls", "/api/v1/calls/c1", "/api/v1/recordings/c1"} {
		require.NotContains(t, isProblem(t, get(t, h, path, supervisorToken), http.StatusInternalServerError), "disk")
	}
}

var errDisk = errors.New("disk on fire")

type brokenRecords struct{ Records }

// TestLeftOut: what a record has no room for is told in the entry after it, and nothing is said where nothing was left
// out.
func TestLeftOut(t *testing.T) {
	o := fakeHotline(t)
	store, ok := o.Records.(*memstore.Store)
	require.True(t, ok)
	r := answered("long", now.Add(-time.Hour))
	r.Visits = append([]call.Visit{{Queue: "repair", Entered: now, Left: new(now), How: "moved"}}, r.Visits...)
	r.Visits[1].LeftOut = call.VisitsLeftOut{Count: 7, Waited: 90500 * time.Millisecond, FirstWaited: time.Second}
	r.Offers = append([]call.Offer{{Agent: "8001"}}, r.Offers...)
	r.Offers[1].LeftOut = 3
	require.NoError(t, store.Finish(t.Context(), r))
	w := get(t, New(o).Handler(), "/api/v1/calls/long", supervisorToken)
	require.Equal(t, http.StatusOK, w.Code)
	var got struct {
		Visits, Offers []map[string]any
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
	require.NotContains(t, got.Visits[0], "left_out")
	require.Equal(t, map[string]any{"count": 7., "wait_seconds": 90.5}, got.Visits[1]["left_out"])
	require.NotContains(t, got.Offers[0], "left_out")
	require.InDelta(t, 3, got.Offers[1]["left_out"], 0)
}
