package acd

import "time"

// fanOut is how many phones may ring for this caller now. One who wants one agent, and nobody else, has no
// use for a second phone.
func (c *caller) fanOut(now time.Time) int {
	if c.only != nil {
		return 1
	}
	since := time.Duration(-1)
	if clock, begun := c.seat.clock(); begun {
		since = now.Sub(clock)
	}
	return c.queue.plan.phones(since)
}

// await sets the deadline at which another phone may ring for a caller who has as many as may ring now: then
// the caller is among those who want one again, and an agent who is free joins in, at once or as soon as there
// is one.
func (d *desk) await(c *caller) {
	clock, begun := c.seat.clock()
	if !begun || c.only != nil {
		return
	}
	if next, ok := c.queue.plan.next(d.now.Sub(clock)); ok {
		c.more.at = clock.Add(next)
		d.alarms.add(&c.more)
	}
}
