package chaos

import (
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// start is when the planted runs begin.
var start = time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)

func sec(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }

// whole is a run without a flaw: two agents, five callers, one of them an alarm and one who redialled after node 0 was killed.
func whole() *evidence {
	return &evidence{
		Agents: []string{"8001", "8002"}, Alarm: "96119", Scarce: "96120",
		Legs: []leg{
			{Agent: "8001", CallID: "a", From: "1", Owner: 0, Edge: 0, Invited: sec(1), Answered: sec(2), Ended: sec(4), How: endedByFar, Marks: map[mark]int{1: 90}},
			{Agent: "8001", CallID: "b", From: "2", Owner: 1, Edge: 0, Invited: sec(4), Answered: sec(5), Ended: sec(11), How: endedByPhone, Marks: map[mark]int{2: 90}},
			{Agent: "8002", CallID: "c", From: "3", Owner: 2, Edge: 2, Invited: sec(15), Answered: sec(16), Ended: sec(18), How: endedByFar, Marks: map[mark]int{3: 90}},
			{Agent: "8002", CallID: "d", From: "4", Owner: 1, Edge: 1, Invited: sec(32), Answered: sec(33), Ended: sec(34), How: endedByFar, Marks: map[mark]int{5: 90}},
			{Agent: "8001", CallID: "e", From: "5", Owner: 0, Edge: 1, Invited: sec(19), Answered: sec(19.5), Ended: sec(28), How: endedByFar, Marks: map[mark]int{6: 20}},
			{Agent: "8001", CallID: "f", From: "6", Owner: 1, Edge: 1, Invited: sec(41), Ended: sec(42), How: endedRefused},
			{Agent: "8002", CallID: "g", From: "6", Owner: 1, Edge: 1, Invited: sec(42), Ended: sec(43), How: endedCancelled},
		},
		Attempts: []attempt{
			{Number: "1", Dialled: "96110", Node: 0, Mark: 1, Invited: sec(0), Heard: sec(0.1), Answered: sec(2), Talked: sec(2.1), Ended: sec(4), How: endedByPhone, Marks: map[mark]int{firstAgentMark: 90}},
			{Number: "2", Dialled: "96110", Node: 1, Mark: 2, Invited: sec(3), Heard: sec(3.1), Answered: sec(5), Talked: sec(5.1), Ended: sec(11), How: endedByFar, Marks: map[mark]int{firstAgentMark: 90}},
			{Number: "3", Dialled: "96119", Node: 2, Mark: 3, Invited: sec(14), Heard: sec(14.1), Answered: sec(16), Talked: sec(16.1), Ended: sec(18), How: endedByPhone, Marks: map[mark]int{firstAgentMark + 1: 90}},
			{Number: "4", Dialled: "96120", Node: 0, Mark: 4, Invited: sec(12), Heard: sec(12.1), Answered: sec(12.5), Ended: sec(23), How: endedSilence, Gaps: []span{{sec(20), sec(23)}}},
			{Number: "5", Dialled: "96110", Node: 0, Mark: 6, Invited: sec(18), Heard: sec(18.1), Answered: sec(19.5), Talked: sec(19.6), Ended: sec(23), How: endedSilence, Marks: map[mark]int{firstAgentMark: 20}},
			{Number: "4", Dialled: "96120", Node: 1, Mark: 5, Invited: sec(23), Heard: sec(23.1), Answered: sec(24), Talked: sec(33.1), Ended: sec(34), How: endedByPhone, Marks: map[mark]int{firstAgentMark + 1: 90}},
			{Number: "7", Dialled: "96110", Node: 0, Mark: 7, Invited: sec(21), Ended: sec(23), How: endedNoAnswer},
		},
		Rows: []row{
			{ID: "a", From: "1", Started: sec(0), Finished: true},
			{ID: "b", From: "2", Started: sec(3), Finished: true},
			{ID: "c", From: "3", Started: sec(14), Finished: true},
			{ID: "d", From: "4", Started: sec(12), Finished: true},
			{ID: "e", From: "4", Started: sec(23), Finished: true, Rejoined: true, Since: sec(12.5)},
			{ID: "f", From: "5", Started: sec(18), Finished: true},
		},
		Faults: []fault{
			{Kind: faultKill, Node: 0, span: span{sec(20), sec(40)}},
			{Kind: faultPause, Node: 2, span: span{sec(50), sec(55)}},
		},
		Calm: span{sec(40), sec(60)},
	}
}

// TestJudge: a run without a flaw passes, and each rule finds what it is about, and no other rule does.
func TestJudge(t *testing.T) {
	require.Empty(t, judge(whole()))
	for name, planted := range map[string]struct {
		rule  rule
		spoil func(e *evidence)
	}{
		"rung while in talk": {ruleOneLeg, func(e *evidence) {
			l := e.Legs[1]
			l.CallID, l.Invited, l.Answered, l.Ended, l.How = "x", sec(6), time.Time{}, sec(6), endedBusy
			e.Legs = append(e.Legs, l)
		}},
		"rung within a minute of the death of its talk's node": {ruleOneLeg, func(e *evidence) {
			e.Faults[0].To = sec(24)
			l, m := e.Legs[4], e.Legs[4]
			l.Agent, l.CallID, l.From, l.Owner, l.Edge, l.Marks = "8003", "x", "2", 0, 0, nil
			l.Invited, l.Answered, l.Ended, l.How = sec(19), sec(19.5), sec(120), endedSilence
			m.Agent, m.CallID, m.From, m.Owner, m.Edge, m.Marks = "8003", "y", "1", 1, 1, nil
			m.Invited, m.Answered, m.Ended, m.How = sec(79), time.Time{}, sec(79), endedBusy
			e.Legs = append(e.Legs, l, m)
		}},
		"two legs": {ruleOneLeg, func(e *evidence) { e.Legs[1].Invited = sec(3.9) }},
		"rung again before the first gave way": {ruleOneLeg, func(e *evidence) {
			l := e.Legs[5]
			l.CallID, l.Invited, l.Ended = "x", sec(40.5), sec(41.5)
			e.Legs = append(e.Legs, l)
		}},
		"a caller hears nothing": {ruleHears, func(e *evidence) { e.Attempts[1].Gaps = []span{{sec(6), sec(8.1)}} }},
		"an agent hears nothing": {ruleHears, func(e *evidence) { e.Legs[1].Gaps = []span{{sec(5), sec(7.1)}} }},
		"an agent who answered long before the edge was cut off": {ruleHears, func(e *evidence) {
			e.Faults = append(e.Faults, fault{Kind: faultCutNodes, Node: 0, span: span{sec(7), sec(10)}})
			e.Attempts[1].Gaps = []span{{sec(7), sec(10)}}
		}},
		"an agent who hung up long before the edge was cut off": {ruleHears, func(e *evidence) {
			e.Faults = append(e.Faults, fault{Kind: faultCutNodes, Node: 0, span: span{sec(8), sec(12)}})
			e.Legs[1].Ended, e.Attempts[1].Gaps = sec(6.9), []span{{sec(8), sec(11)}}
		}},
		"nothing heard before the node died": {ruleHears, func(e *evidence) { e.Attempts[3].Gaps = []span{{sec(17), sec(23)}} }},
		"nothing heard after a stop": {ruleHears, func(e *evidence) {
			e.Attempts[2].Ended = sec(59)
			e.Attempts[2].Gaps = []span{{sec(49.9), sec(57.1)}}
		}},
		"another node's stop is no excuse": {ruleHears, func(e *evidence) {
			e.Attempts[1].Gaps = []span{{sec(51), sec(54)}}
			e.Attempts[1].Ended, e.Legs[1].Ended = sec(56), sec(11)
		}},
		"an answer to an edge that lives": {ruleHears, func(e *evidence) {
			l := e.Legs[4]
			l.Agent, l.CallID, l.From, l.Owner, l.Edge, l.Marks = "8003", "x", "2", 1, 1, nil
			l.Invited, l.Answered, l.Ended, l.How, l.Gaps = sec(19.8), sec(20.1), sec(27.1), endedNoAck, []span{{sec(20.1), sec(27.1)}}
			e.Legs = append(e.Legs, l)
		}},
		"no record":          {ruleRecord, func(e *evidence) { e.Rows = e.Rows[1:] }},
		"two records":        {ruleRecord, func(e *evidence) { e.Rows = append(e.Rows, row{ID: "z", From: "1", Started: sec(0), Finished: true}) }},
		"nobody's record":    {ruleRecord, func(e *evidence) { e.Rows = append(e.Rows, row{ID: "z", From: "9", Started: sec(0), Finished: true}) }},
		"an open record":     {ruleRecord, func(e *evidence) { e.Rows[0].Finished = false }},
		"lost with its node": {ruleRecord, func(e *evidence) { e.Rows = e.Rows[:5] }},
		"an alarm for nobody": {ruleAlarm, func(e *evidence) {
			e.Legs = append(e.Legs[:2:2], e.Legs[3:]...)
			e.Attempts[2].Talked, e.Attempts[2].Marks = time.Time{}, nil
		}},
		"a late alarm": {ruleAlarm, func(e *evidence) {
			e.Attempts[2].Invited = sec(-1)
			e.Attempts[2].Ended = sec(18)
			e.Legs[2].Invited = sec(15.5)
		}},
		"a talk with nobody": {ruleNotStuck, func(e *evidence) { e.Legs[6].How = endedRunning }},
		"a stuck agent":      {ruleNotStuck, func(e *evidence) { e.Legs = e.Legs[:6] }},
		"an agent hears another's caller": {ruleOwnAudio, func(e *evidence) {
			e.Legs[0].Marks = maps.Clone(e.Legs[0].Marks)
			e.Legs[0].Marks[3] = 1
		}},
		"a caller hears another agent": {ruleOwnAudio, func(e *evidence) { e.Attempts[0].Marks[firstAgentMark+1] = 1 }},
		"a caller hears a caller":      {ruleOwnAudio, func(e *evidence) { e.Attempts[0].Marks[2] = 1 }},
		"at the queue's end":           {rulePlace, func(e *evidence) { e.Rows[4].Rejoined = false }},
		"another place":                {rulePlace, func(e *evidence) { e.Rows[4].Since = sec(24) }},
		"an orphan talks on": {ruleNoOrphan, func(e *evidence) {
			e.Legs[4].Ended = sec(40.5)
		}},
		"all stand still": {ruleServiceOn, func(e *evidence) { e.Attempts[5].Talked, e.Attempts[5].Ended = sec(41), sec(42) }},
	} {
		t.Run(name, func(t *testing.T) {
			e := whole()
			planted.spoil(e)
			found := judge(e)
			require.NotEmpty(t, found)
			for _, v := range found {
				require.Equal(t, planted.rule, v.Rule, v.Text)
			}
		})
	}
}

// TestJudgeExcuses: what is nobody's fault, or was said to be lost, is not held against anybody.
func TestJudgeExcuses(t *testing.T) {
	for name, spoil := range map[string]func(e *evidence){
		"an agent who answered as the edge was cut off": func(e *evidence) {
			e.Faults = append(e.Faults, fault{Kind: faultCutNodes, Node: 0, span: span{sec(5), sec(9)}})
			e.Legs[1].Gaps, e.Attempts[1].Gaps = []span{{sec(5), sec(9)}}, []span{{sec(5), sec(9)}}
		},
		"an agent who hung up as the edge was cut off": func(e *evidence) {
			e.Faults = append(e.Faults, fault{Kind: faultCutNodes, Node: 0, span: span{sec(7), sec(12)}})
			e.Legs[1].Ended, e.Attempts[1].Gaps = sec(8), []span{{sec(8), sec(11)}}
		},
		"a talk of a killed node at the same, a minute later": func(e *evidence) {
			e.Faults[0].To = sec(24)
			l, m := e.Legs[4], e.Legs[4]
			l.Agent, l.CallID, l.From, l.Owner, l.Edge, l.Marks = "8003", "x", "2", 0, 0, nil
			l.Invited, l.Answered, l.Ended, l.How = sec(19), sec(19.5), sec(120), endedSilence
			m.Agent, m.CallID, m.From, m.Owner, m.Edge, m.Marks = "8003", "y", "1", 1, 1, nil
			m.Invited, m.Answered, m.Ended, m.How = sec(81), time.Time{}, sec(81), endedBusy
			e.Legs = append(e.Legs, l, m)
		},
		"an answer that went to an edge as it was killed, and beyond its restart": func(e *evidence) {
			e.Faults[0].To = sec(24)
			l := e.Legs[4]
			l.Agent, l.CallID, l.From, l.Owner, l.Edge, l.Marks = "8003", "x", "2", 1, 0, nil
			l.Invited, l.Answered, l.Ended, l.How, l.Gaps = sec(19.8), sec(20.1), sec(52.1), endedNoAck, []span{{sec(20.1), sec(52.1)}}
			e.Legs = append(e.Legs, l)
		},
		"the machine stood still": func(e *evidence) {
			e.Attempts[1].Gaps, e.Stalls = []span{{sec(6), sec(9)}}, []span{{sec(6.5), sec(8.5)}}
		},
		"a BYE that was overtaken, on its way from a node alone": func(e *evidence) {
			l := e.Legs[1]
			l.CallID, l.Invited, l.Answered, l.Ended, l.How = "x", sec(3.99), time.Time{}, sec(3.99), endedBusy
			e.Legs, e.Alone = append(e.Legs, l), true
		},
		"the phone's edge was cut off": func(e *evidence) {
			e.Faults = append(e.Faults, fault{Kind: faultCutNodes, Node: 0, span: span{sec(6), sec(9)}})
			e.Legs[1].Gaps = []span{{sec(5.5), sec(9.5)}}
		},
		"a stopped node":                  func(e *evidence) { e.Attempts[2].Ended = sec(58); e.Attempts[2].Gaps = []span{{sec(49.9), sec(55.5)}} },
		"killed as it began":              func(e *evidence) { e.Attempts[4].Invited, e.Rows = sec(19.5), e.Rows[:5] },
		"a record of a call unheard":      func(e *evidence) { e.Rows = append(e.Rows, row{ID: "z", From: "7", Started: sec(21), Finished: true}) },
		"the phone's edge died as well":   func(e *evidence) { e.Legs[4].Edge, e.Legs[4].Ended = 0, sec(40.5) },
		"had an agent when the node died": func(e *evidence) { e.Attempts[3].Talked, e.Rows[4].Rejoined = sec(19), false },
	} {
		t.Run(name, func(t *testing.T) {
			e := whole()
			spoil(e)
			require.Empty(t, judge(e))
		})
	}
}

func TestUncovered(t *testing.T) {
	s := span{sec(10), sec(20)}
	for _, c := range []struct {
		others []span
		left   float64
	}{
		{nil, 10},
		{[]span{{sec(0), sec(5)}}, 10},
		{[]span{{sec(25), sec(30)}}, 10},
		{[]span{{sec(5), sec(12)}}, 8},
		{[]span{{sec(18), sec(25)}, {sec(5), sec(12)}}, 6},
		{[]span{{sec(12), sec(14)}, {sec(13), sec(15)}}, 7},
		{[]span{{sec(0), sec(30)}}, 0},
		{[]span{{sec(12), sec(18)}, {sec(13), sec(14)}}, 4},
	} {
		require.Equal(t, time.Duration(c.left*float64(time.Second)), uncovered(s, c.others), "%v", c.others)
	}
}
