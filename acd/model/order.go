package model

import (
	"cmp"
	"fmt"
	"time"

	"hotline/acd"
)

// rank is a caller's place in the order of all callers, settled when the caller comes.
type rank struct {
	alarm, front bool
	priority     int
	virtual      time.Duration
}

// place gives a caller the rank that follows from the queue's settings, and the ageing, as they are now.
func (d *Desk) place(c *caller) {
	c.rank = rank{alarm: c.queue.Alarm, front: c.front, virtual: c.entered - time.Duration(c.queue.Priority)*d.o.Ageing}
	if d.o.Ageing == 0 {
		c.rank.priority = c.queue.Priority
	}
}

// goesBefore is the order of callers; x joined before y.
func goesBefore(x, y *caller) bool {
	first := func(yes bool) int {
		if yes {
			return 0
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(first(x.rank.alarm), first(y.rank.alarm)),
		cmp.Compare(first(x.rank.front), first(y.rank.front)),
		cmp.Compare(y.rank.priority, x.rank.priority),
		cmp.Compare(x.rank.virtual, y.rank.virtual),
	) < 0
}

// better reports whether agent a goes before b in a queue; those that take turns are checked by inTurn, and
// whom the lot falls on is for nobody to say.
func (d *Desk) better(q *acd.Queue, a, b *agent) bool {
	order := cmp.Compare(b.level(q), a.level(q))
	switch q.Strategy {
	case acd.Random, acd.Weighted, acd.RoundRobin:
		return order < 0
	case acd.RingAll:
	case acd.Linear, acd.RingProgressively:
		order = cmp.Or(order, cmp.Compare(d.number(q, a), d.number(q, b)))
	case acd.FewestCalls:
		order = cmp.Or(order, cmp.Compare(a.slots[q.Name].answered, b.slots[q.Name].answered), cmp.Compare(a.free, b.free))
	case acd.LeastTalk:
		order = cmp.Or(order, cmp.Compare(a.talked, b.talked), cmp.Compare(a.free, b.free))
	default:
		order = cmp.Or(order, cmp.Compare(a.free, b.free))
	}
	return cmp.Or(order, cmp.Compare(a.ID, b.ID)) < 0
}

// serves reports whether an agent may be rung for a caller who has waited this long.
func (d *Desk) serves(a *agent, c *caller) bool {
	if c.only != "" {
		return c.only == a.ID
	}
	if c.regular != nil {
		return c.regular == a
	}
	least := c.queue.Level
	for _, w := range c.queue.Widen {
		if d.now >= c.entered+w.After {
			least = w.Level
		}
	}
	return a.takes(c.queue.Name) && a.slots[c.queue.Name].level >= least
}

// turn is where agents of one level take turns.
type turn struct {
	queue *acd.Queue
	level int
}

// inTurn reports an agent who was ready, and whose turn was before that of one who was rung.
func (d *Desk) inTurn() error {
	last := map[turn]*offer{}
	for _, o := range d.rang {
		q := o.caller.queue
		if o.caller.only != "" || o.asked || o.caller.climb != nil || q.Strategy != acd.RoundRobin {
			continue
		}
		t := turn{q, o.agent.level(q)}
		if l := last[t]; l == nil || d.turnsUntil(t, o.agent) > d.turnsUntil(t, l.agent) {
			last[t] = o
		}
	}
	for t, o := range last {
		if _, stands := d.turns[t]; !stands && d.unknown[t.queue] {
			continue
		}
		for _, a := range d.idle {
			if a.ready(d.now) && a.level(t.queue) == t.level && d.serves(a, o.caller) &&
				d.turnsUntil(t, a) < d.turnsUntil(t, o.agent) {
				return fmt.Errorf("%s was rung for %s before it was the turn, and not %s", o.agent.ID, o.caller.name, a.ID)
			}
		}
	}
	for t, o := range last {
		d.turns[t] = d.number(t.queue, o.agent)
	}
	return nil
}

// turnsUntil is how many go before an agent from where the turns stand.
func (d *Desk) turnsUntil(t turn, a *agent) int {
	n := d.number(t.queue, a) - d.turns[t]
	if n <= 0 {
		n += 1000 // on the next lap
	}
	return n
}

// number is an agent's in the order of those who serve a queue, from 1.
func (d *Desk) number(q *acd.Queue, of *agent) (n int) {
	for _, a := range d.agents {
		if a.slots[q.Name] != nil {
			n++
		}
		if a == of {
			break
		}
	}
	return n
}

// newDay begins the day's figures anew.
func (d *Desk) newDay() {
	for _, a := range d.agents {
		a.talked = 0
		for _, s := range a.slots {
			s.answered = 0
		}
	}
}

// talked counts what an agent talked on a leg up to now, today.
func (d *Desk) talked(a *agent, l *leg) {
	since := l.since
	if d.o.Midnight > 0 && d.now >= d.o.Midnight {
		since = max(since, d.o.Midnight)
	}
	if l.queue != nil {
		a.talked += d.now - since
	}
	l.since = d.now
}
