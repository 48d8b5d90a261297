package web

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/store/memstore"
)

// TestRouting: the decisions of a call that is over, of one in progress as far as it is, and of one that nobody
// was rung for.
func TestRouting(t *testing.T) {
	store := memstore.New()
	over := answered("c1", now.Add(-10*time.Minute))
	over.Decisions = []call.Decision{
		{At: now.Add(-10 * time.Minute), Queue: "repair", Rule: "longest-idle", Excluded: map[string]int{"talking": 2, "level": 1}},
		{
			At: now.Add(-9 * time.Minute).UTC(), Queue: "repair", Rule: "longest-idle", Chosen: []string{"8002"},
			Candidates: []call.Candidate{{Agent: "8002", Level: 5, Key: "idle 31.5 s"}, {Agent: "8003", Level: 3, Key: "idle 60.0 s"}},
			More:       4, Later: 3,
		},
	}
	require.NoError(t, store.Finish(t.Context(), over))
	o := fakeHotline(t)
	o.Records = store
	live := o.Live
	o.Live = func() []call.Live {
		calls := live()
		calls[1].Record.Decisions = []call.Decision{{At: now, Queue: "gas-alarm", Rule: "ring-all", Chosen: []string{"8001", "8003"}}}
		return calls
	}
	h := New(o).Handler()
	w := get(t, h, "/api/v1/calls/c1/routing", auditorToken)
	require.Equal(t, http.StatusOK, w.Code)
	golden(t, "routing.json", w.Body.Bytes())
	w = get(t, h, "/api/v1/calls/c3/routing", supervisorToken)
	require.JSONEq(t, `{"call": "c3", "decisions": [{"at": "2026-03-01T10:30:00.000+08:00", "queue": "gas-alarm",
		"rule": "ring-all", "chosen": ["8001", "8003"], "candidates": [], "more": 0, "excluded": {}}], "later": 0}`, w.Body.String())
	w = get(t, h, "/api/v1/calls/c2/routing", supervisorToken)
	require.JSONEq(t, `{"call": "c2", "decisions": [], "later": 0}`, w.Body.String())
	isProblem(t, get(t, h, "/api/v1/calls/nobody/routing", supervisorToken), http.StatusNotFound)
}
