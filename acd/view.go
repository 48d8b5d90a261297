package acd

import (
	"cmp"
	"maps"
	"time"

	"hotline/call"
)

// views are the desk as people watching see it.
type views struct {
	queues []call.QueueView
	agents []call.AgentView
}

func (d *desk) views() *views {
	v := &views{
		queues: make([]call.QueueView, 0, len(d.queues)),
		agents: make([]call.AgentView, 0, len(d.agents)),
	}
	now := d.o.now()
	for _, q := range d.queues {
		if q.hidden() {
			continue
		}
		v.queues = append(v.queues, q.view(now))
	}
	for _, a := range d.agents {
		v.agents = append(v.agents, a.view(now, d.date(now)))
	}
	return v
}

// hidden reports whether the queue is no more, and nobody waits there either.
func (q *queue) hidden() bool { return q.retired && q.waiting.len() == 0 }

func (q *queue) view(now time.Time) call.QueueView {
	v := call.QueueView{
		Name: q.Name, Strategy: q.Strategy, Priority: q.Priority,
		Waiting: q.waiting.len(), AgentsReady: q.ready.len(),
	}
	if c, ok := q.waiting.first(); ok {
		v.LongestWait = waited(c.Entered, now)
	}
	for _, a := range q.serving {
		if a.flow && a.takes(q) {
			v.AgentsServing++
		}
	}
	for _, c := range q.waiting.items {
		if len(c.offers) > 0 {
			v.Offering++
		}
	}
	return v
}

func (a *agent) view(now time.Time, today date) call.AgentView {
	v := call.AgentView{
		ID: a.ID, Name: a.Name, Supervisor: a.Supervisor, State: a.shown, Since: a.since,
		Skills: maps.Clone(a.Skills), Calls: a.calls, Shift: a.shift(), Queues: []string{}, LastCode: a.lastCode,
	}
	if a.today.of == today {
		v.Today = a.today.Day
	}
	if now.Before(a.wrapUntil) {
		v.WrapUpUntil = new(a.wrapUntil)
	}
	for _, s := range a.slots {
		if !s.away {
			v.Queues = append(v.Queues, s.queue.Name)
		}
	}
	a.viewSite(&v)
	if a.shown == call.AgentRinging && a.offer != nil {
		v.Call = a.offer.caller.CallID
		return v
	}
	for _, b := range a.legs { // the newest of those that came by the desk
		v.Call = cmp.Or(b.call, v.Call)
	}
	return v
}
