package acd

import (
	"time"
)

// Widening is a step at which a caller's circle grows: who has waited this long is served by agents of this
// level too.
type Widening struct {
	// After is counted from entering the queue; above 0, and later than the step before.
	After time.Duration
	// Level is the least level of the queue's skill from then on; below that of the step before.
	Level int
}

// widens reports whether each step is later than the one before, and to a lower level.
func (q *Queue) widens() bool {
	last := Widening{Level: q.Level}
	for _, w := range q.Widen {
		if w.After <= last.After || w.Level >= last.Level {
			return false
		}
		last = w
	}
	return true
}

// circles are the callers of one queue for whom another phone could be rung, by the circle of agents they may
// have: one order for each, so that a caller whose circle nobody ready is in stands in nobody's way.
type circles []*order[*caller]

// newCircles makes the orders of a queue that widens so often.
func newCircles(widen int) circles {
	orders := make(circles, widen+1)
	for i := range orders {
		orders[i] = wantOrder()
	}
	return orders
}

func (w circles) len() (n int) {
	for _, o := range w {
		n += o.len()
	}
	return n
}

func (w circles) clear() {
	for _, o := range w {
		o.clear()
	}
}

// least is the least level that an agent needs in a circle.
func (q *queue) least(circle int) int {
	if circle == 0 {
		return q.Level
	}
	return q.Widen[circle-1].Level
}

// next is the first caller of the queue for whom an agent is ready, and that agent. The agents are in the order
// of their levels, so in whatever circle the first is not, nobody is. It is O(circles).
func (q *queue) next() (best *caller, with *slot) {
	s, ready := q.ready.first()
	if !ready {
		return nil, nil
	}
	for circle, o := range q.want {
		c, wanted := o.first()
		if wanted && s.level >= q.least(circle) && (best == nil || c.goesBefore(best)) {
			best, with = c, s
		}
	}
	return best, with
}

// encircle gives a caller the circle of how long they have waited, and sets the deadline of the next. Who calls
// it indexes the caller.
func (d *desk) encircle(c *caller) {
	steps := c.queue.Widen
	if len(steps) == 0 {
		return
	}
	c.want().remove(c)
	waited := d.now.Sub(d.opened) - c.entered
	c.circle = 0
	for c.circle < len(steps) && steps[c.circle].After <= waited {
		c.circle++
	}
	d.alarms.remove(&c.wider)
	if c.circle < len(steps) {
		c.wider.at = d.now.Add(steps[c.circle].After - waited)
		d.alarms.add(&c.wider)
	}
}

// widen is the deadline at which a caller's circle grows.
func (d *desk) widen(c *caller) {
	d.encircle(c)
	d.index(c)
	d.touched.unpaired = append(d.touched.unpaired, c)
}
