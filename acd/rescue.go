package acd

import "time"

// fanOut is how many phones may ring for this caller now. One who wants one agent, and nobody else, has no
// use for a second phone.
func (c *caller) fanOut(now time.Time) int {
	if c.only != nil {
		return 1
	}
	since := time.Duration(-1)
	if clock, begun := c.planClock(now); begun {
		since = now.Sub(clock)
	}
	return c.queue.plan.phones(since)
}

// planClock is from when the plan counts: the promise clock; once that promise is lost, the first of the offers that
// go on, if it began after that. Else a caller with one old refusal would have every phone there is, and those
// behind none.
func (c *caller) planClock(now time.Time) (clock time.Time, begun bool) {
	clock, begun = c.seat.clock()
	lost := clock.Add(c.queue.plan.lost)
	switch {
	case !begun || now.Before(lost):
		return clock, begun
	case len(c.offers) == 0:
		return time.Time{}, false
	case c.offers[0].sent.Before(lost):
		return clock, true
	}
	clock = c.offers[0].sent.Add(promiseLatest)
	if rung := c.offers[0].rung; !rung.IsZero() && rung.Before(clock) {
		clock = rung
	}
	return clock, true
}

// await sets the deadline at which another phone may ring for a caller who has as many as may ring now: then
// the caller is among those who want one again, and an agent who is free joins in, at once or as soon as there
// is one.
func (d *desk) await(c *caller) {
	clock, begun := c.planClock(d.now)
	if !begun || c.only != nil {
		return
	}
	if next, ok := c.queue.plan.next(d.now.Sub(clock)); ok {
		c.more.at = clock.Add(next)
		d.alarms.add(&c.more)
	}
}
