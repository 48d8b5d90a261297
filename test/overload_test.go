package test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestShortMenuUnderLoad: more callers at once than sip.overload lets in. Whose number leads to a menu by which an alarm
// can be reached hears, when that is used up, the short menu, and reaches the alarms by its key like the others by theirs.
// No place is short. Numbers that cannot lead to one are refused meanwhile, by 486; the alarms' own is not.
func TestShortMenuUnderLoad(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, Overload: "{rate: 1, lag: 0s, cpu: 0}"})
	const callers = 8 // four let in at once, and four short menus
	all := testkit.StartCaller(t, testkit.SippCaller{
		To: h.SIP, Number: "96777", From: "1390000[call_number]", Calls: callers, Every: 10 * time.Millisecond,
		Keys: "*", KeysBy: testkit.KeysByINFO, HangUpAfter: time.Second,
	})
	require.Zero(t, all.Wait(), all.Messages())
	records := h.AwaitCalls(callers, "over", testkit.Finished)
	for _, r := range records {
		require.Equal(t, "gas-alarm", r.Queue, r.MenuPath)
	}
	short := h.Metric(`hotline_overload_calls_total{class="menu",outcome="short"}`)
	require.Positive(t, short)
	require.InDelta(t, callers-short, h.Metric(`hotline_overload_calls_total{class="menu",outcome="admitted"}`), 0)
	alarms := testkit.StartCaller(t, testkit.SippCaller{ // each of them goes beyond what is left for others
		To: h.SIP, Number: "96119", From: "1380000[call_number]", Calls: callers, Every: 10 * time.Millisecond, Cancels: true,
	})
	require.Zero(t, alarms.Wait(), alarms.Messages())
	refused := testkit.StartCaller(t, testkit.SippCaller{To: h.SIP, Number: "96110", From: "13700000000", Expect: 486})
	require.Zero(t, refused.Wait(), refused.Messages())
	require.NotContains(t, refused.Messages(), "Retry-After")
}
