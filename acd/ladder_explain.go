package acd

import (
	"slices"

	"hotline/call"
)

// ruleAlarm begins the rule of a decision for an alarm; its step follows. ruleRescue is that of a phone that joins in
// while another rings.
const (
	ruleAlarm  = "alarm:"
	ruleRescue = "rescue"
)

// outStep excludes an agent whom only a later step of an alarm's ladder rings.
const outStep = "step"

// alarmDecision is what there is to decide on for an alarm now, with nobody chosen.
func (d *desk) alarmDecision(c *caller) call.Decision {
	step, pools := c.climb.at, d.pools()
	why := call.Decision{
		At: d.now, Queue: c.Queue, Rule: c.rule(), Chosen: []string{},
		Candidates: []call.Candidate{}, Excluded: map[string]int{},
	}
	for i, pool := range pools {
		if i > step {
			why.Excluded[outStep] += len(pool)
			continue
		}
		for _, a := range pool {
			if len(why.Candidates) == shownCandidates {
				why.More++
				continue
			}
			why.Candidates = append(why.Candidates, call.Candidate{Agent: a.ID, Level: a.level(d.ladder.queue), Key: string(a.shown)})
		}
	}
	for _, a := range d.agents {
		switch {
		case slices.ContainsFunc(pools[:], func(pool []*agent) bool { return slices.Contains(pool, a) }):
		case a.free():
			why.Excluded[outRested]++
		default:
			why.Excluded[string(a.shown)]++
		}
	}
	if why.Excluded[outStep] == 0 {
		delete(why.Excluded, outStep)
	}
	return why
}
