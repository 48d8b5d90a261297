package test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestDirectAgent: a number leads to one agent first, though another of the queue goes before; while that agent talks, the
// other has who dials it.
func TestDirectAgent(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{
		YAML: strings.Replace(city, `"96110": {queue: repair}}`, `"96110": {queue: repair}, "96113": {queue: repair, agent: "8003"}}`, 1),
		Race: true, Ping: "10m",
	})
	agent(t, h, "8002", testkit.BaresipOptions{Auto: true}) // the better one
	agent(t, h, "8003", testkit.BaresipOptions{Auto: true})
	first := caller(t, testkit.BaresipOptions{User: "13900000001"})
	first.Dial(h.Number("96113"))
	r := h.AwaitCall("joined", func(r testkit.Record) bool { return r.Joined != nil })
	require.Equal(t, "8003", r.Agent)
	second := caller(t, testkit.BaresipOptions{User: "13900000002"})
	second.Dial(h.Number("96113"))
	both := h.AwaitCalls(2, "joined", func(r testkit.Record) bool { return r.Joined != nil })
	first.Hangup()
	second.Hangup()
	for _, r := range both {
		require.Len(t, r.Visits, 1)
		require.Equal(t, map[string]string{"13900000001": "8003", "13900000002": "8002"}[r.From], r.Agent)
	}
	h.AwaitCalls(2, "finished", testkit.Finished)
}

// TestSupervisorPicks: of two who wait while the agents are in pause, a supervisor has one agent rung for the second, who
// is talked to before the first.
func TestSupervisorPicks(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, Ping: "10m"})
	phone := agent(t, h, "8002", testkit.BaresipOptions{Auto: true})
	dials(h, phone, "*21")
	h.AwaitAgent("8002", "paused")
	callers := map[string]*testkit.Baresip{}
	for i, user := range []string{"13900000001", "13900000002"} {
		callers[user] = caller(t, testkit.BaresipOptions{User: user})
		callers[user].Dial(h.Number("96110"))
		h.AwaitWaiting("repair", i+1)
	}
	second := h.AwaitCall("of the second", func(r testkit.Record) bool { return r.From == "13900000002" })
	status, said := h.Post("/api/v1/calls/"+second.ID+"/pick", `{"agent": "8002"}`)
	require.Equal(t, http.StatusAccepted, status, said)
	r := h.AwaitCall("joined", func(r testkit.Record) bool { return r.Joined != nil })
	require.Equal(t, second.ID, r.ID)
	require.Equal(t, "8002", r.Agent)
	require.Len(t, r.Visits, 1)
	h.AwaitWaiting("repair", 1)
	for _, c := range callers {
		c.Hangup()
	}
	h.AwaitCalls(2, "finished", testkit.Finished)
}
