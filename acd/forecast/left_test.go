package forecast_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/acd"
	"hotline/acd/forecast"
	"hotline/call"
)

// visited adds a stay from one second to another.
func visited(r *call.Record, queue, how string, from, to float64) {
	left := at(to)
	r.Visits = append(r.Visits, call.Visit{Queue: queue, Entered: at(from), Left: &left, How: how})
}

// talked adds a talk from one second to another.
func talked(r *call.Record, agent, number string, from, to float64) {
	ended := at(to)
	r.Talks = append(r.Talks, call.TalkRecord{Agent: agent, Number: number, Queue: r.Queue, Answered: at(from), Ended: &ended})
}

// TestLeftOut: each thing that a replay leaves out is counted once, under its own name, and a day of calls that are
// played whole leaves nothing out.
func TestLeftOut(t *testing.T) {
	whole := func() *call.Record { r := recorded(0, 10, 60, 6, "8001"); return &r }
	for name, c := range map[string]struct {
		change func(*call.Record)
		left   forecast.Left
	}{
		"answered": {func(*call.Record) {}, forecast.Left{}},
		"gave up":  {func(r *call.Record) { *r = recorded(0, 10, 0, 0, "") }, forecast.Left{}},
		"sent to a queue": {func(r *call.Record) {
			r.Transfers = []call.Transfer{{To: "queue:repair", How: "done"}}
			visited(r, "repair", "answered", 70, 80)
			talked(r, "8002", "", 80, 90)
		}, forecast.Left{Transferred: 1}},
		"sent outside": {func(r *call.Record) {
			r.Transfers = []call.Transfer{{To: "number:1", How: "no-answer"}, {To: "number:1", How: "done"}}
			talked(r, "", "1", 80, 100)
		}, forecast.Left{Transferred: 1, Talks: 1, TalkTime: 20 * time.Second}},
		"a transfer that failed": {func(r *call.Record) {
			r.Transfers = []call.Transfer{{To: "agent:8002", How: "no-answer"}}
		}, forecast.Left{}},
		"turned away, and gone": {func(r *call.Record) {
			*r = recorded(0, 10, 0, 0, "")
			r.Visits[0].How = "overflow"
		}, forecast.Left{Overflows: 1}},
		"turned away to another queue": {func(r *call.Record) {
			*r = recorded(0, 10, 0, 0, "")
			r.Visits[0].How = "overflow"
			visited(r, "other", "abandoned", 10, 20)
		}, forecast.Left{Overflows: 1, Onward: 1}},
		"to be called back": {func(r *call.Record) {
			*r = recorded(0, 10, 0, 0, "")
			r.Visits[0].How = "callback"
		}, forecast.Left{Callbacks: 1}},
		"called back":   {func(r *call.Record) { r.Kind = call.KindCallback }, forecast.Left{CalledBack: 1}},
		"moved":         {func(r *call.Record) { r.Visits[0].How = "moved"; r.Talks = nil }, forecast.Left{Cut: 1}},
		"a crash":       {func(r *call.Record) { r.Visits[0].How = "crash"; r.Talks = nil }, forecast.Left{Cut: 1}},
		"an old place":  {func(r *call.Record) { r.Visits[0].Rejoined = true }, forecast.Left{Rejoined: 1}},
		"has not ended": {func(r *call.Record) { r.Visits[0].Left = nil; r.Talks = nil }, forecast.Left{Open: 1}},
		"no queue":      {func(r *call.Record) { *r = call.Record{} }, forecast.Left{Unqueued: 1}},
		"by an agent": {func(r *call.Record) {
			ended := at(90)
			*r = call.Record{Trunk: "agent:8001", Started: at(30), Ended: &ended}
		}, forecast.Left{Outside: 1, OutsideTime: time.Minute}},
		"by an agent, and not over": {func(r *call.Record) { *r = call.Record{Trunk: "agent:8001"} }, forecast.Left{Outside: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			r := whole()
			c.change(r)
			require.Equal(t, c.left, forecast.ReadDay([]call.Record{*r, *whole()}, cycle).Left)
		})
	}
}

// TestDutyNumberIsNoAgent: a number outside that was rung in an agent's place, and talked to, is nobody who is there
// when the day is played again.
func TestDutyNumberIsNoAgent(t *testing.T) {
	r := recorded(0, 10, 60, 6, "8001")
	r.Offers[0].Agent, r.Offers[0].Number = "", "13800138000"
	r.Talks[0].Agent, r.Talks[0].Number = "", "13800138000"
	day := forecast.ReadDay([]call.Record{r, recorded(20, 10, 60, 6, "8001")}, cycle)
	require.Equal(t, forecast.Left{Duty: 1}, day.Left)
	require.Equal(t, []forecast.Shift{{Agent: "8001", From: at(24), To: at(90)}}, day.Shifts())
	p := forecast.Replay{Day: day, Begin: nine, Desk: acd.Options{Queues: []acd.Queue{{Name: "repair"}}}}
	counts, err := p.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, counts.All.Calls)
}

// TestStrangers: who talked that day and is configured no more.
func TestStrangers(t *testing.T) {
	day := forecast.ReadDay([]call.Record{
		recorded(0, 2, 10, 2, "8001"), recorded(20, 2, 10, 2, "8002"), recorded(40, 2, 10, 2, "8002"),
		recorded(60, 2, 10, 2, "8003"), recorded(80, 2, 0, 0, ""),
	}, cycle)
	agents, talks := forecast.Replay{Day: day, Desk: acd.Options{Agents: []acd.Agent{{ID: "8001"}}}}.Strangers()
	require.Equal(t, []int{2, 3}, []int{agents, talks})
}

// TestCallbackIsPlayedOnce: who was called back is one caller, whatever tries it took: the one who first came, and had
// the talk in the end. The agents' rings of all tries tell what their phones do.
func TestCallbackIsPlayedOnce(t *testing.T) {
	asked := recorded(0, 10, 0, 0, "")
	asked.Callback, asked.Visits[0].How = "b1", "callback"
	try := func(started, wait, talk float64, agent string) call.Record {
		r := recorded(0, wait, talk, 2, agent)
		r.Kind, r.Callback, r.Started = call.KindCallback, "b1", at(started)
		return r
	}
	vain, made := try(100, 110, 0, "8001"), try(400, 420, 60, "8002")
	vain.Talks = nil
	other := recorded(20, 5, 0, 0, "") // whose callback was not made that day
	other.Callback, other.Visits[0].How = "b2", "callback"

	day := forecast.ReadDay([]call.Record{made, asked, other, vain}, cycle)
	require.Equal(t, forecast.Left{Callbacks: 1, CalledBack: 1}, day.Left)
	require.Len(t, day.Stays, 2)
	require.Equal(t, at(0), day.Stays[0].At)
	require.Equal(t, "8002", day.Stays[0].Agent)
	require.Equal(t, 420*time.Second, day.Stays[0].Wait)
	require.True(t, day.Stays[1].Cut)
	require.Equal(t, []string{"repair"}, day.Queues("8001"))

	p := forecast.Replay{Day: day, Begin: nine, Desk: acd.Options{Queues: []acd.Queue{{Name: "repair"}}}}
	counts, err := p.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, counts.All.Calls)
	require.Equal(t, 2, p.Recorded().All.Calls)
}
