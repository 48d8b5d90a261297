package web

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"hotline/call"
	"hotline/store/memstore"
)

// anAlarm is a call that came in a while before the tests' instant, and the event that told of it.
func anAlarm(id string, ago time.Duration) (call.Record, call.Event) {
	r := call.Record{
		ID: id, From: "13912345678", Started: now.Add(-ago - time.Second),
		Visits: []call.Visit{{Queue: "gas-alarm", Entered: now.Add(-ago)}},
	}
	return r, call.Event{
		Kind: call.EventAlarm, At: now.Add(-ago), Call: id, Queue: "gas-alarm", From: r.From, Step: "skilled",
	}
}

// talked says that an agent answered a while before the tests' instant.
func talked(r *call.Record, agent string, ago time.Duration) {
	at := now.Add(-ago)
	last := &r.Visits[len(r.Visits)-1]
	last.Left, last.How = &at, "answered"
	r.Talks = append(r.Talks, call.TalkRecord{Agent: agent, Queue: last.Queue, Answered: at})
}

// again says that the agent was lost, and the caller waits anew.
func again(r *call.Record, ago time.Duration) {
	at := now.Add(-ago)
	r.Talks[len(r.Talks)-1].Ended = &at
	r.Visits = append(r.Visits, call.Visit{Queue: "gas-alarm", Entered: at})
}

// What became of an alarm follows from its call's facts alone.
func TestFateOfAlarm(t *testing.T) {
	for name, c := range map[string]struct {
		then func(r *call.Record)
		want fate
	}{
		"waits": {func(*call.Record) {}, fate{state: alarmOpen}},
		"talks": {func(r *call.Record) { talked(r, "8002", 9*time.Second) }, fate{state: alarmTaken, by: "8002", since: now.Add(-9 * time.Second)}},
		"is over after a talk": {func(r *call.Record) {
			talked(r, "8002", 9*time.Second)
			r.Ended = new(now)
		}, fate{state: alarmTaken, by: "8002", since: now.Add(-9 * time.Second), over: true}},
		"hung up": {func(r *call.Record) { r.Ended = new(now) }, fate{state: alarmGone, since: now, over: true}},
		"lost its agent": {func(r *call.Record) {
			talked(r, "8002", 9*time.Second)
			again(r, 5*time.Second)
		}, fate{state: alarmOpen}},
		"lost its agent and found another": {func(r *call.Record) {
			talked(r, "8002", 9*time.Second)
			again(r, 5*time.Second)
			talked(r, "8003", time.Second)
		}, fate{state: alarmTaken, by: "8003", since: now.Add(-time.Second)}},
		"lost its agent and hung up": {func(r *call.Record) {
			talked(r, "8002", 9*time.Second)
			again(r, 5*time.Second)
			r.Ended = new(now)
		}, fate{state: alarmGone, since: now, over: true}},
		"had talked before it was one": {func(r *call.Record) {
			r.Talks = []call.TalkRecord{{Agent: "8001", Queue: "consult", Answered: now.Add(-time.Hour)}}
		}, fate{state: alarmOpen}},
		"was handed on, and nobody else answered": {func(r *call.Record) {
			talked(r, "8002", 9*time.Second)
			r.Visits = append(r.Visits, call.Visit{Queue: "repair", Entered: now.Add(-5 * time.Second)})
			r.Ended = new(now)
		}, fate{state: alarmTaken, by: "8002", since: now.Add(-9 * time.Second), over: true}},
		"reached a number outside": {func(r *call.Record) {
			talked(r, "", 9*time.Second)
			r.Talks[0].Number = "13712345678"
		}, fate{state: alarmTaken, by: "137******78", since: now.Add(-9 * time.Second)}},
	} {
		r, e := anAlarm("c9", time.Minute)
		c.then(&r)
		require.Equal(t, c.want, fateOf(&r, e.Queue), name)
	}
}

// wall is a hotline with alarms whose calls go on; the clock is the test's.
type wall struct {
	t     *testing.T
	s     *Server
	live  []call.Live
	store *memstore.Store
	now   time.Time
}

func newWall(t *testing.T, change func(*Options)) *wall {
	t.Helper()
	w := &wall{t: t, store: memstore.New(), now: now}
	o := Options{
		Records: w.store, Live: func() []call.Live { return w.live }, Clock: func() time.Time { return w.now }, Location: now.Location(),
	}
	if change != nil {
		change(&o)
	}
	w.s = New(o)
	return w
}

// lines are the alerts of the event that the page gets now.
func (w *wall) lines() (lines []string) {
	w.t.Helper()
	w.s.snapshot.made = time.Time{} // as if a second had passed
	event, err := w.s.snapshot.get(w.t.Context(), w.s)
	require.NoError(w.t, err)
	var b struct {
		Alerts []struct{ Kind, State, Agent, Since string }
	}
	_, data, found := bytes.Cut(event, []byte("data: "))
	require.True(w.t, found)
	require.NoError(w.t, json.Unmarshal(data, &b))
	for _, a := range b.Alerts {
		line := a.Kind + " " + a.State + " " + a.Agent
		if a.Since != "" {
			since, err := time.Parse(time.RFC3339, a.Since)
			require.NoError(w.t, err)
			line += " " + since.Sub(now).String()
		}
		lines = append(lines, line)
	}
	return lines
}

// An alarm is open as long as its call waits, however long; who answers makes it calm, and takes it off the wall a
// while later, though the call goes on and is over in between.
func TestAlarmIsTaken(t *testing.T) {
	w := newWall(t, nil)
	r, e := anAlarm("c9", alertFor+time.Minute)
	w.s.Tell(e)
	w.live = []call.Live{{Record: r, At: call.Wait}}
	require.Equal(t, []string{"alarm open "}, w.lines(), "nobody answered in eleven minutes")
	talked(&r, "8002", time.Second)
	w.live = []call.Live{{Record: r, At: call.Talk}}
	require.Equal(t, []string{"alarm taken 8002 -1s"}, w.lines())
	w.s.Tell(aBreach(0))
	require.Equal(t, []string{"alarm taken 8002 -1s", "ring-broken  "}, w.lines(), "above the rest")
	w.live = nil
	require.Equal(t, "alarm taken 8002 -1s", w.lines()[0], "the record is on its way to the disk")
	r.Ended = new(now)
	require.NoError(t, w.store.Finish(t.Context(), r))
	w.now = now.Add(takenFor - time.Second)
	require.Equal(t, "alarm taken 8002 -1s", w.lines()[0])
	w.now = w.now.Add(time.Millisecond)
	require.Equal(t, []string{"ring-broken  "}, w.lines())
}

// An alarm whose caller hung up stays on the wall, below those who wait and above those who talk, until its time is
// over; and an alarm that loses its agent after it left the wall is there again.
func TestAlarmIsGone(t *testing.T) {
	w := newWall(t, nil)
	gone, e := anAlarm("gone", time.Minute)
	w.s.Tell(e)
	taken, e := anAlarm("taken", 50*time.Second)
	w.s.Tell(e)
	talked(&taken, "8002", time.Second)
	waits, e := anAlarm("waits", 40*time.Second)
	w.s.Tell(e)
	w.live = []call.Live{{Record: taken, At: call.Talk}, {Record: waits, At: call.Wait}}
	gone.Ended = new(now.Add(-10 * time.Second))
	require.NoError(t, w.store.Finish(t.Context(), gone))
	require.Equal(t, []string{"alarm open ", "alarm gone  -10s", "alarm taken 8002 -1s"}, w.lines())
	w.now = now.Add(takenFor)
	require.Equal(t, []string{"alarm open ", "alarm gone  -10s"}, w.lines())
	again(&taken, -time.Minute)
	w.live[0] = call.Live{Record: taken, At: call.Wait}
	require.Equal(t, []string{"alarm open ", "alarm open ", "alarm gone  -10s"}, w.lines())
	w.now = now.Add(alertFor - 10*time.Second)
	require.Contains(t, w.lines(), "alarm gone  -10s")
	w.now = w.now.Add(time.Millisecond)
	require.Equal(t, []string{"alarm open ", "alarm open "}, w.lines())
}

// countingRecords fail, and count how often they are asked for one.
type countingRecords struct {
	brokenRecords
	asked *int
}

func (c countingRecords) Get(context.Context, string) (call.Record, error) {
	*c.asked++
	return call.Record{}, errDisk
}

// A store that fails is asked once a second, not once for each alarm, and the alarms stay on the wall.
func TestFatesWithoutStore(t *testing.T) {
	asked := 0
	core, logs := observer.New(zap.WarnLevel)
	w := newWall(t, func(o *Options) { o.Records, o.Logger = countingRecords{asked: &asked}, zap.New(core) })
	for _, id := range []string{"c1", "c2", "c3"} {
		_, e := anAlarm(id, time.Minute)
		w.s.Tell(e)
	}
	require.Equal(t, []string{"alarm  ", "alarm  ", "alarm  "}, w.lines())
	require.Equal(t, 1, asked)
	require.Equal(t, 1, logs.FilterMessageSnippet("of an alarm").Len())
}

// What is known of alarms is bounded by the events that are remembered.
func TestFatesAreForgotten(t *testing.T) {
	w := newWall(t, nil)
	_, e := anAlarm("c1", time.Minute)
	w.s.Tell(e)
	w.lines()
	require.Len(t, w.s.alerts.known(), 1)
	for range maxAlerts {
		w.s.Tell(aBreach(0))
	}
	_, e = anAlarm("c2", 0)
	w.s.Tell(e)
	w.lines()
	require.Len(t, w.s.alerts.known(), 1)
}
