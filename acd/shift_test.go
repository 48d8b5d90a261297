package acd_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/acd"
	"hotline/call"
)

// shiftSetting reads a setting of a queue that is about its agents' shifts, as scripts have it.
// It reports whether the key is one of a shift's.
func shiftSetting(t *testing.T, q *acd.Queue, key, value string) bool {
	t.Helper()
	switch key {
	case "wrap-up-max":
		q.WrapUpMax = duration(t, value)
	case "code": // 1:solved
		if q.Codes == nil {
			q.Codes = map[string]string{}
		}
		code, text, _ := strings.Cut(value, ":")
		q.Codes[code] = text
	case "digits":
		q.Digits = value
	case "auto-pause":
		q.AutoPause = number(t, value)
	case "last-agent": // 1h:20s
		within, wait, _ := strings.Cut(value, ":")
		q.LastAgent = acd.LastAgent{Within: duration(t, within), Wait: duration(t, wait)}
	default:
		return false
	}
	return true
}

// scriptCodes are what phones dial in scripts.
var scriptCodes = acd.Codes{
	Login: "*11", Logout: "*12", Pause: "*21", Ready: "*22", WrapUp: "*31", Extend: "*32", End: "*33",
	Reasons: map[string]string{"1": "lunch"},
}

// refused writes down why something was.
func (l *lab) refused(words []string, err error) {
	if err != nil {
		l.logf("%s: %v", strings.Join(words[:2], " "), err)
	}
}

func (l *lab) wrapUp(words []string, agent, what string) {
	switch what {
	case "extend":
		l.refused(words, l.center.ExtendWrapUp(agent))
	case "end":
		l.refused(words, l.center.EndWrapUp(agent))
	default:
		l.refused(words, l.center.WrapUp(agent, what))
	}
}

// shift writes down all that is shown of an agent.
func (l *lab) shift(id string) {
	a := l.agent(id)
	said := fmt.Sprintf("shift %s %s queues=%v calls=%d hangups=%d own=%d", id, a.State, a.Queues, a.Today.Calls, a.Today.Hangups, a.Today.Own)
	if a.Shift.Paused {
		said += fmt.Sprintf(" paused=%q since=%v", a.Shift.Reason, a.Shift.Since.Sub(l.start))
	}
	if a.WrapUpUntil != nil {
		said += fmt.Sprintf(" wrap-up-until=%v", a.WrapUpUntil.Sub(l.start))
	}
	if a.LastCode != "" {
		said += " code=" + a.LastCode
	}
	l.logf("%s", said)
}

// talked gives the desk the record of a call that ended so long ago.
func (l *lab) talked(args []string) {
	ended := time.Now().Add(-duration(l.t, args[3]))
	talk := call.TalkRecord{Agent: args[0], Queue: queueName(args[1]), Answered: ended.Add(-time.Minute), Ended: &ended, Release: call.ByCaller}
	if len(args) > 4 {
		talk.Release = call.Release(args[4])
	}
	l.center.Finished(call.Record{From: args[2], Started: ended.Add(-2 * time.Minute), Ended: &ended, Talks: []call.TalkRecord{talk}})
}

// TestShiftsRestored: what agents chose is told with each change, and taken up by the next desk; who and what is
// not there any more is passed over.
func TestShiftsRestored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := acd.Options{
			Queues: []acd.Queue{{Name: "consult"}, {Name: "repair"}},
			Agents: []acd.Agent{
				{ID: "8001", Skills: map[string]int{"consult": 1, "repair": 1}},
				{ID: "8002", Skills: map[string]int{"repair": 1}},
				{ID: "8003", Skills: map[string]int{"repair": 1}},
			},
		}
		kept := map[string]call.Shift{}
		o.OnShift = func(s call.Shift) { kept[s.Agent] = s }
		l := newLab(t, o)
		paused := time.Now()
		require.NoError(t, l.center.Logout("8001", "repair"))
		require.NoError(t, l.center.Pause("8001", "lunch"))
		require.NoError(t, l.center.Logout("8002", ""))
		require.NoError(t, l.center.Pause("8003", "lunch"))
		require.NoError(t, l.center.Ready("8003"))
		l.stop()
		require.Equal(t, map[string]call.Shift{
			"8001": {Agent: "8001", Paused: true, Reason: "lunch", Since: paused, Out: []string{"repair"}},
			"8002": {Agent: "8002", Out: []string{"repair"}, All: true},
			"8003": {Agent: "8003"},
		}, kept)
		require.True(t, kept["8003"].Plain())

		<-time.After(time.Minute)
		o.Queues = append(o.Queues, acd.Queue{Name: "new"}) // the restart brings a queue, and skills for it
		o.Agents[0].Skills = map[string]int{"consult": 1, "repair": 1, "new": 1}
		o.Agents[1].Skills = map[string]int{"repair": 1, "new": 1}
		o.Shifts = []call.Shift{
			kept["8001"], kept["8002"], kept["8003"],
			{Agent: "8009", Paused: true},
			{Agent: "8003", Out: []string{"gas-alarm", ""}},
		}
		again := newLab(t, o)
		for _, id := range []string{"8001", "8002", "8003"} {
			again.center.Flow(id, true)
		}
		require.Equal(t, call.AgentPaused, again.state("8001"))
		require.Equal(t, kept["8001"], again.agent("8001").Shift)
		require.Equal(t, []string{"consult", "new"}, again.agent("8001").Queues, "logged out of one queue, and of no other")
		require.Equal(t, call.AgentLoggedOut, again.state("8002"), "logged out of everything, also of what is new")
		require.Empty(t, again.agent("8002").Queues)
		require.Equal(t, call.AgentReady, again.state("8003"))
		again.stop()
	})
}

// TestActsOnADeskAtRest: a desk that does not run says so, and keeps nobody waiting.
func TestActsOnADeskAtRest(t *testing.T) {
	c, err := acd.New(acd.Options{
		Queues: []acd.Queue{{Name: "repair"}}, Agents: []acd.Agent{{ID: "8001", Skills: map[string]int{"repair": 1}}},
		Phones: &phones{}, Codes: scriptCodes,
	})
	require.NoError(t, err)
	require.ErrorIs(t, c.Pause("8009", ""), call.ErrNoAgent)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, c.Run(ctx))
	require.ErrorIs(t, c.Login("8001", ""), acd.ErrStopped)
	prompt, err := c.Do("8001", "*22")
	require.ErrorIs(t, err, acd.ErrStopped)
	require.Equal(t, "code-failed", prompt)
}

// TestDayEndsAtMidnight: the figures are those of the day where the service is.
func TestDayEndsAtMidnight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins at midnight UTC
		o := ringAll(1)
		o.Location = time.FixedZone("CST", 8*3600)
		l := newLab(t, o)
		record := func(began time.Time, r call.Record) call.Record {
			r.Started = began
			for i := range r.Talks {
				r.Talks[i].Ended = new(began.Add(time.Minute))
			}
			return r
		}
		talk := func(release call.Release) call.Record {
			return call.Record{From: "139", Talks: []call.TalkRecord{{Agent: "8001", Queue: "gas", Release: release}}}
		}
		now := time.Now()
		l.center.Finished(
			record(now.Add(-8*time.Hour), talk(call.ByAgent)),
			record(now.Add(-8*time.Hour-1), talk(call.ByAgent)), // yesterday
			record(now, talk(call.ByCaller)),
			record(now, talk(call.BySystem)),
			record(now, call.Record{Trunk: "agent:8001", From: "8001"}),
			record(now, call.Record{Trunk: "agent:8001", From: "8001", Reason: call.ReasonCode}),
			record(now, call.Record{Trunk: "agent:8002", From: "8002", Talks: []call.TalkRecord{{Agent: "8001"}, {Agent: "8009"}, {Number: "139"}}}),
		)
		require.Equal(t, call.Day{Calls: 3, Hangups: 1, Own: 2}, l.agent("8001").Today)
		<-time.After(16 * time.Hour)
		require.Zero(t, l.agent("8001").Today)
		l.center.Finished(record(time.Now(), talk(call.ByCaller)))
		require.Equal(t, call.Day{Calls: 1}, l.agent("8001").Today)
		l.stop()
	})
}
