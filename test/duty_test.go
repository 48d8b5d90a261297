package test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestAlarmWhileEverybodyTalks: the one agent is in talk, so that nobody in the house can be rung for an alarm. Its ladder
// goes on to the number of the duty list, who answers, and talks to the alarm's caller; the talk goes on.
func TestAlarmWhileEverybodyTalks(t *testing.T) {
	t.Parallel()
	carrier := testkit.StartAgent(t, testkit.SippAgent{Tone: thirdTone})
	h := testkit.StartHotline(t, testkit.HotlineOptions{
		YAML: outward(carrier.Port) + "alarm: {steps: {all_skilled: 200ms, everyone: 400ms, duty: 600ms}, duty: [\"13912345678\"]}\n",
		Race: true, Ping: "10m",
	})
	wire := h.Capture()
	phone := agent(t, h, "8003", testkit.BaresipOptions{Auto: true})
	first := caller(t, testkit.BaresipOptions{User: "13900000001"})
	first.Dial(h.Number("96110"))
	h.AwaitCall("joined", func(r testkit.Record) bool { return r.Joined != nil })
	alarm := caller(t, testkit.BaresipOptions{User: "13900000002"})
	alarm.Dial(h.Number("96119"))
	r := h.AwaitCall("the duty talks", func(r testkit.Record) bool { return r.Queue == "gas-alarm" && r.Joined != nil })
	require.Equal(t, "13912345678", r.Talks[0].Number)
	require.Len(t, r.Offers, 1, "no agent was rung")
	require.Equal(t, []string{"13912345678", "answered"}, []string{r.Offers[0].Number, r.Offers[0].How})
	waited := r.Offers[0].Sent.Sub(r.Visits[0].Entered)
	require.GreaterOrEqual(t, waited, 600*time.Millisecond-exact, "not before its step")
	require.Equal(t, "talking", state(h, "8003"))
	alarm.Hangup()
	require.Zero(t, carrier.Wait(), carrier.Messages())
	first.Hangup()
	phone.Await(testkit.CallClosed)
	h.AwaitCalls(2, "finished", testkit.Finished)
	require.Equal(t, 1, count(wire.SIP(), "INVITE", phone.Port), "the agent's phone was rung once, for the first")
	require.NotContains(t, h.Log(), "13912345678")
}
