package acd

import (
	"slices"

	"hotline/call"
)

// Facts first, then the match: messages and deadlines only change facts and indexes, and note what
// they touched; when all that is at hand has been taken in, match pairs whoever can be paired. So what
// happens in one instant has no order by accident.
//
// After a match nobody who could be paired is left: of a queue's orders of ready agents and of callers
// who want another phone, one is empty. So the next match need only look at what was touched since.

// touched is where a match has to look.
type touched struct {
	queues []*queue
	// agents are those whom somebody wants who wants nobody else.
	agents []*agent
}

// match rings, for the first caller of all, the first agent of its queue, until nobody is left to be
// paired. One pairing is O(log n) in agents and callers.
func (d *desk) match() {
	for !d.closing {
		c, a := d.touched.first()
		if c == nil {
			break
		}
		d.start(c, a)
	}
	d.touched.queues = d.touched.queues[:0]
	d.touched.agents = d.touched.agents[:0]
}

// first is the first caller who can be paired, and the agent to pair it with.
func (t *touched) first() (best *caller, with *agent) {
	for _, q := range t.queues {
		c, wanted := q.want.first()
		s, ready := q.ready.first()
		if wanted && ready && (best == nil || c.goesBefore(best)) {
			best, with = c, s.agent
		}
	}
	for _, a := range t.agents {
		c, wanted := a.direct.first()
		if wanted && a.shown == call.AgentReady && (best == nil || c.goesBefore(best)) {
			best, with = c, a
		}
	}
	return best, with
}

func (t *touched) queue(q *queue) {
	if !slices.Contains(t.queues, q) {
		t.queues = append(t.queues, q)
	}
}

func (t *touched) agent(a *agent) {
	if a.direct.len() > 0 && !slices.Contains(t.agents, a) {
		t.agents = append(t.agents, a)
	}
}

// enlist puts an agent among those ready in every queue it serves, or takes it out.
func (d *desk) enlist(a *agent, ready bool) {
	for _, s := range a.slots {
		if ready {
			s.queue.ready.add(s)
			d.touched.queue(s.queue)
		} else {
			s.queue.ready.remove(s)
		}
	}
	d.touched.agent(a)
}

// index puts a caller among those for whom another phone could be rung, or takes it out.
func (d *desk) index(c *caller) {
	if !c.waits() || len(c.offers) >= c.fanOut() {
		c.want().remove(c)
		return
	}
	c.want().add(c)
	if c.only != nil {
		d.touched.agent(c.only)
	} else {
		d.touched.queue(c.queue)
	}
}

// rebuild derives every index anew from the facts. It is for after a panic, which may have left one
// half changed; it is slow, and needs nothing but the facts to be right.
func (d *desk) rebuild() {
	d.alarms.clear()
	for _, q := range d.queues {
		q.ready.clear()
		q.want.clear()
	}
	for _, a := range d.agents {
		a.direct.clear()
	}
	for _, q := range d.queues {
		for _, c := range q.waiting.items {
			d.index(c)
		}
	}
	for _, a := range d.agents {
		if a.offer != nil && a.offer.open {
			d.alarms.add(&a.offer.alarm)
		}
		d.refresh(a)
	}
}
