package acd

import (
	"time"
)

// slot is an agent's place in one queue: what is known of the two together.
type slot struct {
	agent  *agent
	queue  *queue
	level  int
	number int // see facts
	// calls are those of the queue that the agent answered today.
	calls int
	// key is by what the slot stands in the queue's order of those ready; set while it does.
	key facts
	// out is why the agent is not ready, as the queue's figures count it; empty when they are.
	out string
	// present and working are how the agent counts in the queue's staff.
	present, working bool
	place            int
	// away: the agent logged out of this queue.
	away bool
}

// facts are what the strategy may know now.
func (s *slot) facts(lot func() float64) facts {
	a := s.agent
	f := facts{
		id: a.ID, level: s.level, number: s.number, weight: max(1, a.Weight),
		idle: a.idle, calls: s.calls, talked: a.talked,
	}
	f.cursor = s.queue.strategy.after(s.queue.cursors[s.level], f, lot)
	return f
}

// enter puts the slot among those ready, or takes it out.
func (s *slot) enter(ready bool, lot func() float64) {
	q := s.queue
	switch {
	case ready && s.place == 0:
		s.key = s.facts(lot)
		q.ready.add(s)
		q.levels[s.level]++
	case !ready && s.place != 0:
		q.ready.remove(s)
		q.levels[s.level]--
	}
}

// serves is the agent's place in a queue; nil for an agent who has not its skill.
func (a *agent) serves(q *queue) *slot {
	for _, s := range a.slots {
		if s.queue == q {
			return s
		}
	}
	return nil
}

// chosen takes in that an agent is about to be rung for a caller: where the strategy picked them, it goes on
// from there. It is told before the agent is out of the indexes.
func (d *desk) chosen(c *caller, a *agent) {
	if first, ok := c.queue.ready.first(); ok && c.wanted() == nil && first.agent == a {
		c.queue.cursors[first.level] = first.key.cursor
	}
}

// newDay begins the day's figures anew, at midnight by the service's clock. The order of those ready is made by
// the figures, so it is made anew too.
func (d *desk) newDay() {
	d.awaitMidnight()
	for _, a := range d.agents {
		a.talked = 0
		for _, s := range a.slots {
			s.calls = 0
			d.rekey(s)
		}
	}
}

// awaitMidnight sets the deadline of the next day, and notes when this one began.
func (d *desk) awaitMidnight() {
	year, month, day := d.now.In(d.o.Location).Date()
	d.day = time.Date(year, month, day, 0, 0, 0, 0, d.o.Location)
	next := time.Date(year, month, day+1, 0, 0, 0, 0, d.o.Location)
	d.midnight.at = d.now.Add(next.Sub(d.now)) // by the monotonic clock, as every deadline is
	d.alarms.remove(&d.midnight)
	d.alarms.add(&d.midnight)
}

// talked counts what an agent has talked on a leg up to an instant, of today.
func (d *desk) talked(a *agent, b *busy, until time.Time) {
	if b.from != nil {
		a.talked += max(0, until.Sub(later(b.began, d.day)))
		a.talkedFor(b.from.Name, until.Sub(b.began))
	}
	b.began = until
}
