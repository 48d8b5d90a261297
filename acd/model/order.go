package model

import (
	"cmp"
	"fmt"
	"time"

	"hotline/acd"
)

// goesBefore is the order of callers; x joined before y.
func (d *Desk) goesBefore(x, y *caller) bool {
	first := func(yes bool) int {
		if yes {
			return 0
		}
		return 1
	}
	order := cmp.Or(
		cmp.Compare(first(x.queue.Alarm), first(y.queue.Alarm)),
		cmp.Compare(first(x.front), first(y.front)),
	)
	if d.o.Ageing == 0 {
		order = cmp.Or(order, cmp.Compare(y.queue.Priority, x.queue.Priority))
	}
	head := func(c *caller) time.Duration { return c.entered - time.Duration(c.queue.Priority)*d.o.Ageing }
	return cmp.Or(order, cmp.Compare(head(x), head(y))) < 0
}

// better reports whether agent a goes before b in a queue; those that take turns are checked by inTurn, and
// whom the lot falls on is for nobody to say.
func better(q *acd.Queue, a, b *agent) bool {
	order := cmp.Compare(b.Skills[q.Name], a.Skills[q.Name])
	switch q.Strategy {
	case acd.Random, acd.Weighted, acd.RoundRobin:
		return order < 0
	case acd.RingAll:
	case acd.Linear, acd.RingProgressively:
		order = cmp.Or(order, cmp.Compare(a.number, b.number))
	case acd.FewestCalls:
		order = cmp.Or(order, cmp.Compare(a.answered[q], b.answered[q]), cmp.Compare(a.free, b.free))
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
	level, ok := a.Skills[c.queue.Name]
	return ok && level >= least && !a.out[c.queue.Name]
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
		if o.caller.only != "" || o.asked || q.Strategy != acd.RoundRobin {
			continue
		}
		t := turn{q, o.agent.Skills[q.Name]}
		if l := last[t]; l == nil || d.turnsUntil(t, o.agent) > d.turnsUntil(t, l.agent) {
			last[t] = o
		}
	}
	for t, o := range last {
		for _, a := range d.idle {
			if a.ready(d.now) && a.Skills[t.queue.Name] == t.level && d.serves(a, o.caller) &&
				d.turnsUntil(t, a) < d.turnsUntil(t, o.agent) {
				return fmt.Errorf("%s was rung for %s before it was the turn, and not %s", o.agent.ID, o.caller.name, a.ID)
			}
		}
	}
	for t, o := range last {
		d.turns[t] = o.agent.number
	}
	return nil
}

// turnsUntil is how many go before an agent from where the turns stand.
func (d *Desk) turnsUntil(t turn, a *agent) int {
	n := len(d.agents)
	return (a.number - d.turns[t] - 1 + n) % n
}

// newDay begins the day's figures anew.
func (d *Desk) newDay() {
	for _, a := range d.agents {
		a.talked = 0
		clear(a.answered)
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
