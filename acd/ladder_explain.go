package acd

import (
	"slices"

	"hotline/call"
)

// ruleAlarm begins the rule of a decision for an alarm; its step follows.
const ruleAlarm = "alarm:"

// mostCandidates is how many of those who could be rung a decision names.
const mostCandidates = 10

// outRested excludes an agent who rests after an alarm's offer that failed.
const outRested = "rested"

// outStep excludes an agent whom only a later step rings.
const outStep = "step"

// standing is who could be rung for alarms as a round began, and what every agent was doing, in the desk's order.
type standing struct {
	pools  pools
	states []call.AgentState
}

func (d *desk) standing(p pools) standing {
	s := standing{pools: p, states: make([]call.AgentState, len(d.agents))}
	for i, a := range d.agents {
		s.states[i] = a.shown
	}
	return s
}

// explainAlarm writes down why agents were rung for an alarm in this round, or others were not.
func (d *desk) explainAlarm(c *caller, chosen []string, was standing) {
	step := c.climb.at
	why := call.Decision{
		At: d.now, Queue: c.Queue, Rule: ruleAlarm + string(d.ladder.rungs[step].step), Chosen: chosen,
		Candidates: []call.Candidate{}, Excluded: map[string]int{},
	}
	for i, pool := range was.pools {
		if i > step {
			why.Excluded[outStep] += len(pool)
			continue
		}
		for _, a := range pool {
			state := was.states[slices.Index(d.agents, a)]
			if len(why.Candidates) == mostCandidates {
				why.More++
				continue
			}
			why.Candidates = append(why.Candidates, call.Candidate{Agent: a.ID, Level: a.level(d.ladder.queue), Key: string(state)})
		}
	}
	for i, a := range d.agents {
		switch state := was.states[i]; {
		case slices.ContainsFunc(was.pools[:], func(pool []*agent) bool { return slices.Contains(pool, a) }):
		case state == call.AgentReady, state == call.AgentWrapUp, state == call.AgentPaused:
			why.Excluded[outRested]++
		default:
			why.Excluded[string(state)]++
		}
	}
	c.seat.decide(why)
}
