package test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestRingAllOfThree: three telephones ring for one caller, one of them is answered, and the two others are told by their
// CANCEL that the call was taken elsewhere (RFC 3326 section 3.1), so that they show none as missed.
func TestRingAllOfThree(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{
		YAML: strings.Replace(slowRings, "skills: {repair: 5}", "skills: {repair: 5, gas-alarm: 5}", 1), Race: true, Ping: "10m",
	})
	phones := make(map[string]*testkit.Baresip)
	for _, id := range []string{"8002", "8003", "8004"} {
		phones[id] = agent(t, h, id, testkit.BaresipOptions{})
	}
	wire := h.Capture()
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96119"))
	for _, p := range phones {
		p.Await(testkit.CallIncoming)
	}
	phones["8003"].Accept()
	for _, id := range []string{"8002", "8004"} {
		phones[id].Await(testkit.CallClosed)
	}
	h.AwaitCall("answered", func(r testkit.Record) bool { return len(r.Talks) == 1 })
	c.Await(testkit.CallEstablished) // else it hangs up by CANCEL
	c.Hangup()
	r := over(t, h)
	require.Equal(t, "8003", r.Agent)
	require.Len(t, r.Talks, 1)
	how := make(map[string]string)
	for _, o := range r.Offers {
		how[o.Agent] = o.How
	}
	require.Equal(t, map[string]string{"8002": "withdrawn", "8003": "answered", "8004": "withdrawn"}, how)

	messages := wire.SIP()
	for id, phone := range phones {
		require.Equal(t, 1, count(messages, "INVITE", phone.Port), id)
		if id == "8003" {
			require.Zero(t, count(messages, "CANCEL", phone.Port), id)
			continue
		}
		require.Equal(t, 1, count(messages, "CANCEL", phone.Port), id)
		require.Zero(t, count(messages, "ACK", phone.Port)-refusedBy(messages, phone.Port), id)
	}
	for _, m := range messages {
		if m.Method == "CANCEL" {
			require.Equal(t, `SIP ;cause=200 ;text="Call completed elsewhere"`, m.Reason, "%s", m)
		}
	}
}

// refusedBy is how many INVITEs a phone at a port answered with 487.
func refusedBy(messages []testkit.SIPPacket, port int) int {
	calls := make(map[string]bool)
	for _, m := range messages {
		if m.Status == 487 && int(m.Src.Port()) == port {
			calls[m.CallID] = true
		}
	}
	return len(calls)
}

// TestAutoPause: an agent who let two calls in a row ring out is paused, and rung no more; the caller waits on, and has the
// next agent who comes. The agent goes back to work by a code of the phone.
func TestAutoPause(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{
		YAML: strings.Replace(city, "repair:    {", "repair:    {auto_pause: 2, ", 1), Race: true, Ping: "10m",
	})
	idle := agent(t, h, "8002", testkit.BaresipOptions{})
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	h.AwaitAgent("8002", "paused")
	require.Contains(t, string(h.Get("/api/v1/agents")), `"pause":{"reason":"auto"`)
	testkit.StartBaresip(t, testkit.BaresipOptions{ // called before its events can be listened to
		User: "8003", Password: passwords["8003"], Registrar: h.SIP, Register: true, Auto: true, Tone: agentTone,
	})
	talkWith(t, h, "8003", 0)
	require.Equal(t, "paused", state(h, "8002"))
	c.Hangup()
	r := over(t, h)
	require.Equal(t, "8003", r.Agent)
	unanswered := 0
	for _, o := range r.Offers[:len(r.Offers)-1] {
		require.Equal(t, "8002", o.Agent)
		if o.How == "unanswered" { // else its phone was too slow to ring, on a busy machine, which is not counted
			unanswered++
		}
	}
	require.Equal(t, 2, unanswered)
	for range r.Offers[:len(r.Offers)-1] {
		idle.Await(testkit.CallClosed)
	}
	dials(h, idle, "*22")
	h.AwaitAgent("8002", "ready")
}
