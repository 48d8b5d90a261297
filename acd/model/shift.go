package model

import (
	"time"

	"hotline/acd"
	"hotline/call"
)

// lastTalk is the queue's talk of an agent's that ended last.
type lastTalk struct {
	queue *acd.Queue
	ended time.Duration
}

// loggedOut reports whether the agent is logged out of every queue.
func (a *agent) loggedOut() bool {
	for _, s := range a.slots {
		if !s.out {
			return false
		}
	}
	return len(a.slots) > 0
}

// takes reports whether the agent serves a queue and is logged in to it.
func (a *agent) takes(queue string) bool {
	s := a.slots[queue]
	return s != nil && !s.out
}

// level is the agent's in a queue, 0 for one who does not serve it.
func (a *agent) level(q *acd.Queue) int {
	if s := a.slots[q.Name]; s != nil {
		return s.level
	}
	return 0
}

// leftUnanswered counts an offer left unanswered, and pauses the agent after as many in a row as there may be.
func (a *agent) leftUnanswered(limit int) {
	a.missed++
	if limit > 0 && a.missed >= limit && !a.loggedOut() {
		a.paused = true
	}
}

// ExtendWrapUp takes in that an agent made the wrap-up longer. It reports false when the desk has to refuse that.
func (d *Desk) ExtendWrapUp(id string) bool {
	a := d.agent(id)
	if d.now >= a.wrapUntil {
		return false
	}
	until := min(a.wrapUntil+a.last.queue.WrapUp, a.last.ended+a.last.queue.WrapUpMax)
	if until <= a.wrapUntil {
		return false
	}
	a.wrapUntil, a.free = until, until
	return true
}

// EndWrapUp takes in that an agent ended the wrap-up. It reports false when the desk has to refuse that.
func (d *Desk) EndWrapUp(id string) bool {
	a := d.agent(id)
	if d.now >= a.wrapUntil {
		return false
	}
	a.wrapUntil, a.free = d.now, d.now
	return true
}

// Refused takes in that an agent was to be rung for a caller and the claims had them taken elsewhere, and reports what
// forbade to ask.
func (d *Desk) Refused(id, name string) error {
	d.settleRegulars()
	if err := d.mayHave(id, name); err != nil {
		return err
	}
	a, c := d.agent(id), d.caller(name)
	d.refused = true
	a.restUntil = max(a.restUntil, d.now+time.Second)
	if c.climb != nil {
		a.alarmRest = max(a.alarmRest, d.now+time.Second)
	}
	if c.once {
		d.lose(c, call.CauseBusy)
	}
	return nil
}
