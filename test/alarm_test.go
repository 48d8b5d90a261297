package test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// exact is how far two instants of a record, of which each is rounded, may be closer than they were.
const exact = 2 * time.Millisecond

// TestRescueRing: the first agent never answers. At the start of the last ring promised the second's phone rings too,
// and its answer keeps the promise.
func TestRescueRing(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: strings.Replace(city, "{on: 200ms, off: 300ms}", "{on: 1s, off: 1s}", 1), Race: true})
	agent(t, h, "8002", testkit.BaresipOptions{}) // the better one, who lets it ring
	second := agent(t, h, "8003", testkit.BaresipOptions{Auto: true})
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	second.Await(testkit.CallEstablished)
	h.AwaitCall("joined", func(r testkit.Record) bool { return r.Joined != nil })
	c.Hangup()
	r := over(t, h)
	require.Equal(t, "8003", r.Agent)
	require.Len(t, r.Offers, 2)
	require.Equal(t, []string{"8002", "8003"}, []string{r.Offers[0].Agent, r.Offers[1].Agent})
	require.Equal(t, []string{"withdrawn", "answered"}, []string{r.Offers[0].How, r.Offers[1].How})
	require.Equal(t, 3, r.Rings)
	rung := r.Offers[0].Rung
	require.NotNil(t, rung)
	joinedIn := r.Offers[1].Sent.Sub(*rung)
	require.GreaterOrEqual(t, joinedIn, 4*time.Second-exact, "two whole rings after the clock began")
	require.Less(t, joinedIn, 6*time.Second, "within the third")
	require.InDelta(t, 1, h.Metric(`hotline_answer_target_total{met="true",queue="repair"}`), 0, "the promise is kept")
}

// TestAlarmAgainstFullHouse: the one agent is in wrap-up, callers wait for her, and all lines are taken but those held
// back. One more caller is refused; one whose menu leads to alarms is let in to be asked; and who dials the alarms'
// number is let in, and rung for past the wrap-up when the step for that comes.
func TestAlarmAgainstFullHouse(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{
		YAML: strings.Replace(city, "repair:    {priority: 20, wrap_up: 0s", "repair:    {priority: 20, wrap_up: 10m", 1) +
			"alarm: {steps: {all_skilled: 1s, everyone: 2s}, reserve: 2}\n",
		Race: true, MaxCalls: 4,
	})
	phone := agent(t, h, "8003", testkit.BaresipOptions{Auto: true})
	first := caller(t, testkit.BaresipOptions{User: "13900000001"})
	first.Dial(h.Number("96110"))
	phone.Await(testkit.CallEstablished)
	h.AwaitCall("joined", func(r testkit.Record) bool { return r.Joined != nil })
	first.Hangup()
	h.AwaitAgent("8003", "wrap-up")
	for i, user := range []string{"13900000002", "13900000003"} {
		caller(t, testkit.BaresipOptions{User: user}).Dial(h.Number("96110"))
		h.AwaitWaiting("repair", i+1)
	}
	refused := testkit.StartCaller(t, testkit.SippCaller{To: h.SIP, Number: "96110", From: "13900000004", Expect: 486})
	require.Zero(t, refused.Wait(), refused.Messages())
	require.NotContains(t, refused.Messages(), "Retry-After")
	asked := caller(t, testkit.BaresipOptions{User: "13900000005"})
	asked.Dial(h.Number("96777"))
	asked.Await(testkit.CallEstablished)

	alarm := caller(t, testkit.BaresipOptions{User: "13900000006"})
	alarm.Dial(h.Number("96119"))
	phone.Await(testkit.CallEstablished)
	joined := func(r testkit.Record) bool { return r.Queue == "gas-alarm" && r.Joined != nil }
	r := h.AwaitCall("alarm joined", joined)
	require.Equal(t, "8003", r.Agent)
	require.Len(t, r.Offers, 1)
	waited := r.Offers[0].Sent.Sub(r.Visits[0].Entered)
	require.GreaterOrEqual(t, waited, time.Second-exact, "rung once wrap-up counts no more")
	require.Less(t, waited, 2*time.Second, "and not with the next step")

	shed := h.AwaitCall("asked and let go", func(r testkit.Record) bool { return r.From == "13900000005" && testkit.Finished(r) })
	require.Equal(t, []string{"failed", "overload", "shed/otherwise"}, []string{shed.Result, shed.Reason, shed.MenuPath})
	alarm.Hangup()
	h.AwaitCall("alarm over", func(r testkit.Record) bool { return joined(r) && testkit.Finished(r) })
}
