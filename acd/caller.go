package acd

import (
	"time"

	"hotline/call"
)

// queue is what the desk knows of one queue.
type queue struct {
	Queue
	strategy strategy
	plan     plan
	// ready are the agents who may be offered a call of this queue.
	ready *order[*slot]
	// cursors are where the strategy stands, by level.
	cursors map[int]cursor
	// levels counts those ready by level, and excluded those who are not by the reason.
	levels   map[int]int
	excluded map[string]int
	// want are the callers for whom another phone could be rung at once, by goesBefore.
	want circles
	// waiting are all who wait, the longest wait first.
	waiting *order[*caller]
	// own are those of them whose calls this node has; nil where there are no other nodes.
	own *order[*caller]
	// line are all who wait, in the order in which they will be served.
	line line
	// bare is how many wait for whom no phone rings.
	bare int
	// rate is how fast the queue is served, by its staff.
	rate  rate
	staff staff
	// serving are the agents who have the skill, ready or not.
	serving []*agent
	// retired: it is no more, but for those who are on their way to it, or wait.
	retired bool
	// touched: the next match looks at this queue.
	touched bool
}

// caller is a seat as the desk sees it.
type caller struct {
	call.Ticket
	seat  *seat
	queue *queue
	// only is the agent wanted, nil when anybody with the skill will do.
	only *agent
	// entered is when the caller did, counted from the desk's start, and rank the place that follows from it.
	entered time.Duration
	rank    rank
	// common is that by the clock of the site, see site_order.go.
	common time.Duration
	// circle is which step of the queue's widening has come, 0 before the first; wider is the next one's
	// deadline.
	circle int
	wider  alarm
	// explained is the match in which the caller's last decision was written.
	explained uint64
	// regular is the agent whom a caller who called before waits for, until patience ends; nil when anybody
	// will do, or a phone has been rung.
	regular  *agent
	patience alarm
	// spent: the one try of a caller who has but one ([call.Ticket.Once]) was begun.
	spent bool
	// offers are those open: a set, since several phones may ring for one caller.
	offers []*offer
	// climb is an alarm's; nil for every other caller.
	climb *climb
	// remote is what the caller's node says, of one whose call another node has; nil for our own.
	remote *call.SiteCaller
	// said: the other nodes were told of our own one. by is the agent who answered.
	said bool
	by   string
	// unwatch stops the watching of the caller's context.
	unwatch func() bool

	// more is when another phone may ring for the caller, see await.
	more alarm
	bounds
	set
	branch branch

	placeWant, placeWaiting, placeOnce, placeOwn int
}

// goesBefore is the order of all callers over all queues, see rank.
func (c *caller) goesBefore(x *caller) bool { return c.rank.before(x.rank) }

// wantOrder keeps callers by goesBefore.
func wantOrder() *order[*caller] {
	return newOrder((*caller).goesBefore, func(c *caller) *int { return &c.placeWant })
}

// want is the order in which this caller waits for another phone.
func (c *caller) want() *order[*caller] {
	if a := c.wanted(); a != nil {
		return a.direct
	}
	return c.queue.want[c.circle]
}

// wanted is the one agent for whom this caller waits; nil when anybody with the skill will do.
func (c *caller) wanted() *agent {
	if c.only != nil {
		return c.only
	}
	return c.regular
}

// waits reports whether the caller has a place in the queue.
func (c *caller) waits() bool { return c.placeWaiting != 0 }

// admit takes a caller into its queue.
func (d *desk) admit(c *caller) {
	if c.seat.over() {
		c.unwatch()
		return // left before the desk came to it
	}
	if c.only != nil && c.only.removed { // still talks, or went while the caller was on the way
		c.seat.fail(call.CauseUnreachable, d.now)
		c.unwatch()
		return
	}
	d.seq++
	c.came = c.Entered
	if d.closed(c) {
		d.turn(c, call.QueueClosed)
		return
	}
	d.rejoin(c)
	d.enter(c)
	d.sayCaller(c)
	d.steady()
	d.unsettled.arrived = append(d.unsettled.arrived, c)
	if !c.Once {
		d.touched.unpaired = append(d.touched.unpaired, c)
	}
}

// enter gives a caller a place in its queue, for as long as it waits.
func (d *desk) enter(c *caller) {
	c.entered = d.entered(c)
	c.common = d.common(c)
	c.rank = d.rankOf(c)
	c.wider = alarm{seq: d.seq, fire: func() { d.widen(c) }}
	c.more = alarm{seq: d.seq, fire: func() { d.index(c) }}
	c.queue.waiting.add(c)
	if c.queue.own != nil && c.remote == nil {
		c.queue.own.add(c)
	}
	c.queue.line.add(c)
	d.watch(c)
	d.encircle(c)
	d.climbs(c)
	d.prefer(c)
	d.index(c)
}

// drop takes a caller out of its queue; its offers are closed or withdrawn by whoever drops it.
func (d *desk) drop(c *caller) {
	c.want().remove(c)
	d.alarms.remove(&c.more)
	d.alarms.remove(&c.patience)
	d.alarms.remove(&c.retry)
	c.queue.waiting.remove(c)
	if c.queue.own != nil {
		c.queue.own.remove(c)
	}
	d.alarms.remove(&c.wider)
	c.queue.line.remove(c)
	d.alarms.remove(&c.due)
	d.tally(c)
	c.unwatch()
	if c.climb != nil {
		d.descend(c)
	}
	d.sayGone(c)
}

// left takes in that a caller gave its place up: every offer is withdrawn.
func (d *desk) left(c *caller) {
	if !c.waits() {
		return
	}
	d.drop(c)
	d.remember(c)
	d.withdrawAll(c, call.CauseWithdrawn)
}

// giveUp ends the seat of a caller whose one try came to nothing. Callers who may have another stay.
func (d *desk) giveUp(c *caller, why call.Cause) {
	if c.Once && c.waits() && c.remote == nil {
		c.seat.fail(why, d.now)
		d.drop(c)
	}
}
