package acd

import (
	"maps"
	"time"

	"hotline/call"
)

// shownCandidates is how many of those who could be rung a decision names.
const shownCandidates = 10

// ruleDirect is the rule of a decision for a caller who wants one agent and nobody else.
const ruleDirect = "direct"

// Why an agent who serves a queue could not be rung, besides what they are doing ([call.AgentState]).
const (
	outOfLevel = "level"  // outside the caller's circle
	outRested  = "rested" // passed over for a while, after an offer that failed
	// outElsewhere: logged out of this queue, and ready for others.
	outElsewhere = "elsewhere"
	// outOrphan: kept, since the node is dead whose call the phone rang or talked for.
	outOrphan = "orphan"
)

// out is why the agent is not ready; empty when they are.
func (a *agent) out() string {
	switch {
	case a.shown == call.AgentReady:
		return ""
	case a.orphan():
		return outOrphan
	case a.shown == call.AgentWrapUp && a.restUntil.After(a.wrapUntil):
		return outRested
	default:
		return string(a.shown)
	}
}

// count keeps the figures of a queue's decisions, when an agent comes to be ready or not: so a decision costs
// nothing for those who are not named.
func (s *slot) count(out string) {
	if s.out == out {
		return
	}
	if s.out != "" {
		s.queue.excluded[s.out]--
	}
	if out != "" {
		s.queue.excluded[out]++
	}
	s.out = out
}

// rule is what a caller is paired by.
func (c *caller) rule() string {
	switch {
	case c.only != nil:
		return ruleDirect
	case c.regular != nil:
		return ruleLastAgent
	case c.climb != nil && c.climb.at > notYet:
		return ruleAlarm + string(c.climb.step())
	case len(c.offers) > 0 && c.queue.strategy.fanOut == 1 && !c.queue.strategy.progressive:
		return ruleRescue
	default:
		return c.queue.Strategy
	}
}

// explain is why an agent is about to be rung for a caller; nil when that was said in the same match already,
// and this agent only adds to those chosen by it. It is asked before the agent is out of the indexes.
func (d *desk) explain(c *caller, a *agent) *call.Decision {
	if c.explained == d.round {
		return nil
	}
	if c.regular == nil { // else it is of that agent alone, and whoever is rung besides has a reason of their own
		c.explained = d.round
	}
	why := d.decision(c)
	why.Chosen = []string{a.ID}
	return &why
}

// unpaired explains why nobody was rung for callers who have just come, or whose circle has just grown.
func (d *desk) unpaired() {
	for _, c := range d.touched.unpaired {
		d.at = c
		if c.waits() && c.remote == nil && !c.aside && c.explained != d.round && len(c.offers) < c.fanOut(d.now) {
			c.explained = d.round
			c.seat.decide(d.decision(c))
		}
	}
	clear(d.touched.unpaired)
	d.touched.unpaired = d.touched.unpaired[:0]
}

// decision is what there is to decide on for a caller now, with nobody chosen.
func (d *desk) decision(c *caller) call.Decision {
	if c.climb != nil {
		return d.alarmDecision(c)
	}
	why := call.Decision{
		At: d.now, Queue: c.Queue, Rule: c.rule(), Chosen: []string{}, Candidates: []call.Candidate{},
	}
	if a := c.wanted(); a != nil {
		why.Candidates, why.Excluded = c.named(), map[string]int{}
		if len(why.Candidates) == 0 {
			why.Excluded[a.out()]++
		}
		return why
	}
	q, least := c.queue, c.queue.least(c.circle)
	why.Excluded = q.counts()
	within := q.ready.len()
	for level, n := range q.levels {
		if level < least && n > 0 {
			why.Excluded[outOfLevel] += n
			within -= n
		}
	}
	for _, s := range q.ready.least(min(within, shownCandidates)) {
		why.Candidates = append(why.Candidates, s.candidate(d.now))
	}
	why.More = within - len(why.Candidates)
	return why
}

// counts are why those who serve the queue are not ready, without the zeros.
func (q *queue) counts() map[string]int {
	counts := maps.Clone(q.excluded)
	maps.DeleteFunc(counts, func(_ string, n int) bool { return n == 0 })
	return counts
}

// candidate is a ready agent as a decision names it.
func (s *slot) candidate(now time.Time) call.Candidate {
	f := s.key
	f.now = now
	return call.Candidate{Agent: f.id, Level: f.level, Key: s.queue.strategy.key(f)}
}

// named is the agent whom a caller wants and nobody else, if that one can be rung.
func (c *caller) named() []call.Candidate {
	a, key := c.wanted(), "wanted by name"
	if c.only == nil {
		key = "talked to this caller last"
	}
	if a.shown != call.AgentReady && (!c.Once || !a.free()) {
		return []call.Candidate{}
	}
	return []call.Candidate{{Agent: a.ID, Level: a.Skills[c.Queue], Key: key}}
}
