package web

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestFoundFromAnyNode: a call's record as it stands now, its SIP messages and its recording are found from a node that
// never saw it, and asked of the one that did once.
func TestFoundFromAnyNode(t *testing.T) {
	w := newTown(t)
	h, far := w.nodes["n1"].server.Handler(), w.nodes["n2"]
	rec := get(t, h, "/api/v1/calls/c2", auditorToken)
	require.Equal(t, http.StatusOK, rec.Code)
	require.Equal(t, "application/json", rec.Header().Get("Content-Type"))
	var c struct {
		Node  string
		Talks []any
	}
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &c))
	require.Equal(t, "n2", c.Node)
	require.Len(t, c.Talks, 1, "as it stands now, not as it began")
	require.Contains(t, get(t, h, "/api/v1/calls/c2/trace", auditorToken).Body.String(), "INVITE")
	require.Contains(t, get(t, h, "/api/v1/calls/c1", auditorToken).Body.String(), `"c1.wav"`)

	wav := get(t, h, "/api/v1/recordings/c1", auditorToken)
	require.Equal(t, http.StatusOK, wav.Code)
	require.Equal(t, "audio/wav", wav.Header().Get("Content-Type"))
	require.Equal(t, "RIFF----WAVEfmt 0123456789", wav.Body.String())
	part := get(t, h, "/api/v1/recordings/c1", auditorToken, "Range", "bytes=4-7")
	require.Equal(t, http.StatusPartialContent, part.Code)
	require.Equal(t, "bytes 4-7/26", part.Header().Get("Content-Range"))
	require.Equal(t, "----", part.Body.String())
	head := ask(t, h, http.MethodHead, "/api/v1/recordings/c1", auditorToken)
	require.Equal(t, "26", head.Header().Get("Content-Length"))
	require.Equal(t, http.StatusNotFound, get(t, h, "/api/v1/calls/c7", auditorToken).Code, "nobody's")

	before := far.hits.Load()
	require.Equal(t, http.StatusOK, get(t, h, "/api/v1/calls/c3", auditorToken).Code)
	require.Equal(t, before, far.hits.Load(), "an own call is nobody else's")
	require.Equal(t, http.StatusForbidden, get(t, h, "/api/v1/recordings/c1", agentToken).Code)
	require.Equal(t, before, far.hits.Load(), "what may not be asked is not passed on")
}

// TestListedFromAnyNode: a listing, and the wall, show the calls in progress at all nodes.
func TestListedFromAnyNode(t *testing.T) {
	w := newTown(t)
	n := w.nodes["n1"]
	ids, _ := calls(t, n.server.Handler(), "")
	require.Equal(t, []string{"c3", "c2", "c1"}, ids)
	event, err := n.server.snapshot.get(t.Context(), n.server)
	require.NoError(t, err)
	var b struct {
		Total  int
		State  call.SiteState
		Nodes  []boardNodeCard
		Agents []struct{ ID, Node string }
	}
	body := strings.TrimPrefix(string(event), "retry: 2000\ndata: ")
	require.NoError(t, json.Unmarshal([]byte(body), &b))
	require.Equal(t, 2, b.Total)
	require.Equal(t, []boardNodeCard{{Name: "n1", Ready: new(true), Calls: 1}, {Name: "n2", Ready: new(true), Calls: 1}}, b.Nodes)
	require.Equal(t, call.SiteJoined, b.State)
	require.Equal(t, []string{"n2", "n1"}, []string{b.Agents[0].Node, b.Agents[1].Node})
	agents := get(t, n.server.Handler(), "/api/v1/agents", supervisorToken).Body.String()
	require.Contains(t, agents, `"node":"n2","orphan":true`)
	require.Contains(t, agents, `"node":"n1","orphan":false`)
	require.NotContains(t, body, "13912345678", "numbers are masked between nodes too")
	w.dies("n2")
	ids, _ = calls(t, n.server.Handler(), "")
	require.Equal(t, []string{"c3", "c2", "c1"}, ids, "as the database has it")
}

// TestDeedsAtTheCallsNode: what is done to a call is done by its node, for the bearer who asked, and is in the log there.
func TestDeedsAtTheCallsNode(t *testing.T) {
	w := newTown(t)
	h, far := w.nodes["n1"].server.Handler(), w.nodes["n2"]
	far.hearing.rung = true
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v1/calls/c2/supervise", strings.NewReader(`{"phone": "9001", "mode": "join"}`))
	r.Header.Set("Authorization", "Bearer "+supervisorToken)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	require.Equal(t, http.StatusAccepted, rec.Code, rec.Body.String())
	require.Equal(t, http.StatusNoContent, ask(t, h, http.MethodDelete, "/api/v1/calls/c2/supervise", supervisorToken).Code)
	require.Equal(t, []string{"c2 9001 join", "c2 no more"}, far.hearing.asked)
	require.Empty(t, w.nodes["n1"].hearing.asked)
	line := far.logs.FilterMessage("audit: supervise").All()[0].ContextMap()
	require.Equal(t, "ops@n1", line["by"])

	r = httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v1/calls/c2/pick", strings.NewReader(`{"agent": "8001"}`))
	r.Header.Set("Authorization", "Bearer "+supervisorToken)
	rec = httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	require.Equal(t, http.StatusAccepted, rec.Code, rec.Body.String())
	require.Equal(t, []string{"c2 8001"}, far.picking.asked)

	far.hearing.err = call.ErrEngaged
	r = httptest.NewRequestWithContext(t.Context(), http.MethodDelete, "/api/v1/calls/c2/supervise", nil)
	r.Header.Set("Authorization", "Bearer "+supervisorToken)
	rec = httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	require.Equal(t, http.StatusConflict, rec.Code, "its node's word")
	require.Contains(t, rec.Body.String(), "engaged")
	require.Equal(t, "application/problem+json", rec.Header().Get("Content-Type"))
}

// TestNotWrittenYet: a call that the database does not have yet, or that cannot be asked now, is found at its node.
func TestNotWrittenYet(t *testing.T) {
	w := newTown(t)
	fresh := w.nodes["n2"].live[0]
	fresh.Record.ID = "c8"
	w.nodes["n2"].live = append(w.nodes["n2"].live, fresh)
	rec := get(t, w.nodes["n1"].server.Handler(), "/api/v1/calls/c8", auditorToken)
	require.Equal(t, http.StatusOK, rec.Code)
	require.Contains(t, rec.Body.String(), `"id":"c8"`)
}

// TestNodeDead: what lies at a node that is gone is said to lie there; what all have is told by who is left.
func TestNodeDead(t *testing.T) {
	w := newTown(t)
	h := w.nodes["n1"].server.Handler()
	told := func(silent bool) {
		rec := get(t, h, "/api/v1/recordings/c1", auditorToken)
		require.Equal(t, http.StatusNotFound, rec.Code)
		require.Contains(t, rec.Body.String(), "lies at node n2", silent)
		require.Equal(t, http.StatusOK, get(t, h, "/api/v1/calls/c2", auditorToken).Code)
		rec = ask(t, h, http.MethodDelete, "/api/v1/calls/c2/supervise", supervisorToken)
		require.Equal(t, http.StatusServiceUnavailable, rec.Code)
		require.Contains(t, rec.Body.String(), "at node n2")
	}
	for i, n := range w.living { // it lives by the book, and nobody is at its address
		if n.Name == "n2" {
			l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			require.NoError(t, l.Close())
			w.living[i].HTTP = l.Addr().String()
		}
	}
	told(true)
	w.dies("n2")
	told(false)
}

// TestOneHop: two nodes that each take a call for the other's do not pass it to and fro.
func TestOneHop(t *testing.T) {
	w := newTown(t)
	lost := call.Record{ID: "c6", Node: "n2", Started: now}
	w.records.Begin(lost) // n2 does not know it
	rec := get(t, w.nodes["n1"].server.Handler(), "/api/v1/calls/c6", auditorToken)
	require.Equal(t, http.StatusOK, rec.Code, "as the database has it")
	require.Equal(t, int64(2), w.nodes["n2"].hits.Load(), "once, and once before that to learn what to sign for")
	require.Zero(t, w.nodes["n1"].hits.Load())
}
