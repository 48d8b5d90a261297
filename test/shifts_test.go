package test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// shiftCity is city whose repair queue has codes and remembers its callers' agents.
var shiftCity = strings.Replace(city, "repair:    {priority: 20,",
	`repair:    {priority: 20, digits: "2", codes: {"1": 已解决}, last_agent: {within: 1h},`, 1) +
	"codes: {reasons: {\"1\": 培训}}\n"

// dials a code and hears it out.
func dials(h *testkit.Hotline, phone *testkit.Baresip, code string) {
	phone.Dial(h.Number(code))
	phone.Await(testkit.CallEstablished)
	phone.Await(testkit.CallClosed)
}

// TestShiftOutlivesTheProcess: an agent pauses with a reason, and another logs out, by their phones; both are as they were after
// the process was killed and the phones have registered anew, and go back to work by their phones.
func TestShiftOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: shiftCity, Race: true})
	first := agent(t, h, "8002", testkit.BaresipOptions{})
	second := agent(t, h, "8003", testkit.BaresipOptions{})
	dials(h, first, "*211")
	dials(h, second, "*12")
	h.AwaitAgent("8002", "paused")
	h.AwaitAgent("8003", "logged-out")
	for _, r := range h.AwaitCalls(2, "finished", testkit.Finished) {
		require.Equal(t, "informed", r.Result)
		require.Equal(t, "code", r.Reason)
		require.Empty(t, r.Visits)
		require.Empty(t, r.Recording)
	}
	h.AwaitStored()
	h.Kill()
	first.Quit()
	second.Quit()
	h.Start()
	again := func(id string) *testkit.Baresip {
		return testkit.StartBaresip(t, testkit.BaresipOptions{
			User: id, Password: passwords[id], Registrar: h.SIP, Register: true, Tone: agentTone,
		})
	}
	first, second = again("8002"), again("8003")
	h.AwaitAgent("8002", "paused")
	h.AwaitAgent("8003", "logged-out")
	require.Contains(t, string(h.Get("/api/v1/agents")), `"reason":"培训"`, "what the code's digit stands for")
	dials(h, first, "*22")
	dials(h, second, "*112")
	h.AwaitAgent("8002", "ready")
	h.AwaitAgent("8003", "ready")
}

// TestLastAgent: who calls again gets the agent of last time, though another goes before; that agent's hanging up
// first is seen and counted, and the code dialled after the talk is in its record.
func TestLastAgent(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: shiftCity, Race: true})
	agent(t, h, "8002", testkit.BaresipOptions{})
	second := agent(t, h, "8003", testkit.BaresipOptions{})
	status, said := h.Post("/api/v1/agents/8002/pause", `{"reason": "用餐"}`)
	require.Equal(t, http.StatusOK, status, said)
	require.Contains(t, said, `"reason":"用餐"`)
	h.AwaitAgent("8002", "paused")

	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	second.Await(testkit.CallIncoming)
	second.Accept()
	c.Await(testkit.CallEstablished)
	h.AwaitCall("joined", func(r testkit.Record) bool { return r.Joined != nil })
	second.Hangup()
	c.Await(testkit.CallClosed)
	r := over(t, h)
	require.Equal(t, "agent", r.Release)
	require.Equal(t, "agent", r.Talks[0].Release)
	require.InDelta(t, 1, h.Metric("hotline_agent_hangups_total"), 0)

	second.Await(testkit.CallClosed)
	dials(h, second, "*311")
	r = h.AwaitCall("given a code", func(r testkit.Record) bool { return len(r.Talks) > 0 && r.Talks[0].Code != nil })
	require.Equal(t, "1", r.Talks[0].Code.Code)
	require.Equal(t, "已解决", r.Talks[0].Code.Text)

	status, said = h.Post("/api/v1/agents/8002/ready", "")
	require.Equal(t, http.StatusOK, status, said)
	h.AwaitAgent("8002", "ready")
	c.Dial(h.Number("96110"))
	second.Await(testkit.CallIncoming)
	c.Hangup()
	calls := h.AwaitCalls(3, "finished", testkit.Finished)
	require.Len(t, calls[0].Offers, 1)
	require.Equal(t, "8003", calls[0].Offers[0].Agent)
	require.Contains(t, string(h.Get("/api/v1/agents")), `"today":{"calls":1,"hangups":1,"own":0}`)
}
