package test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// limited is city with a queue in which one may wait, the next goes to another queue, and the place of who leaves is
// kept.
var limited = strings.Replace(city, "repair:    {priority: 20,",
	"repair:    {max_waiting: 1, overflow: {full: {queue: consult}}, keys: {\"7\": {queue: consult}}, priority: 20,", 1)

// TestOverflow: a queue that is full sends the next caller to another queue, where an agent is; the one who waits
// chooses to go there by a key.
func TestOverflow(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: limited, Race: true, Ping: "10m"})
	phone := agent(t, h, "8001", testkit.BaresipOptions{Auto: true})
	first := caller(t, testkit.BaresipOptions{User: "13900000001"})
	first.Dial(h.Number("96110"))
	first.Await(testkit.CallEstablished) // after one ring
	h.AwaitWaiting("repair", 1)
	second := caller(t, testkit.BaresipOptions{User: "13900000002"})
	second.Dial(h.Number("96110"))
	phone.Await(testkit.CallEstablished)
	r := h.AwaitCall("joined", func(r testkit.Record) bool { return r.Joined != nil })
	require.Equal(t, "13900000002", r.From)
	require.Len(t, r.Visits, 2)
	require.Equal(t, "overflow", r.Visits[0].How)
	require.Equal(t, "full", r.Visits[0].Overflow)
	require.Equal(t, "consult", r.Visits[1].Queue)
	require.InDelta(t, 1, h.Metric(`hotline_overflow_total{queue="repair",reason="full"}`), 0)
	second.Hangup()
	phone.Await(testkit.CallClosed)

	first.SendDigit('7')
	h.AwaitWaiting("repair", 0)
	both := func(r testkit.Record) bool { return r.Joined != nil }
	h.AwaitCalls(2, "joined", both)
	first.Hangup()
	for _, r := range h.AwaitCalls(2, "finished", testkit.Finished) {
		require.Equal(t, "answered", r.Result)
		require.Equal(t, "8001", r.Agent)
		if r.From == "13900000001" {
			require.Equal(t, "moved", r.Visits[0].How)
			require.Equal(t, "repair/7", r.MenuPath)
		}
	}
}

// TestRejoin: who was cut off while waiting, and calls again from the same number, has the old place, before one who
// came meanwhile; also when it was the hotline that died.
func TestRejoin(t *testing.T) {
	t.Parallel()
	for _, dies := range []bool{false, true} {
		t.Run(map[bool]string{false: "the call is lost", true: "the hotline dies"}[dies], func(t *testing.T) {
			t.Parallel()
			h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Ping: "10m"})
			wait := func(number string, nth int) *testkit.Baresip {
				c := caller(t, testkit.BaresipOptions{User: number})
				c.Dial(h.Number("96110"))
				h.AwaitWaiting("repair", nth)
				return c
			}
			first := wait("13900000001", 1)
			if dies {
				h.AwaitWritten()
				h.Kill()
				h.Start()
			} else {
				first.Hangup() // what a carrier says of a mobile that it lost
			}
			h.AwaitWaiting("repair", 0)
			second := wait("13900000002", 1)
			again := wait("13900000001", 2)
			testkit.StartBaresip(t, testkit.BaresipOptions{ // called before its events can be listened to
				User: "8002", Password: passwords["8002"], Registrar: h.SIP, Register: true, Auto: true, Tone: agentTone,
			})
			r := h.AwaitCall("joined", func(r testkit.Record) bool { return r.Joined != nil })
			require.Equal(t, "13900000001", r.From)
			require.True(t, r.Visits[0].Rejoined)
			require.True(t, r.Visits[0].Since.Before(r.Visits[0].Entered))
			again.Hangup()
			second.Hangup()
			h.AwaitCalls(3, "finished", testkit.Finished)
		})
	}
}
