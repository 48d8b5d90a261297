package acd

import (
	"errors"
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
	once   tries
	// unpaired are those who have just come, or whose circle has grown: if nobody is rung for them, they are
	// told why.
	unpaired []*caller
}

// errEndless is what a match panics with that comes to no end: a fault of ours, which costs the caller whom it is at.
var errEndless = errors.New("a match goes on though nobody can be left to be paired")

// most is how many steps a match can come to: each takes an agent out of those who can be rung, or a caller out of
// those who wait.
func (d *desk) most() int {
	n := len(d.agents) + d.people.waiting.len()
	for _, q := range d.queues {
		n += q.waiting.len()
	}
	return n
}

// match rings, for the first caller of all, the first agent of its queue, until nobody is left to be
// paired. One pairing is O(log n) in agents and callers.
func (d *desk) match() {
	d.round++
	d.at = nil
	d.shareOut()
	for left := d.most(); !d.closing; left-- {
		d.at = nil
		c, a := d.touched.first()
		if c == nil {
			break
		}
		if d.at = c; left == 0 {
			panic(errEndless)
		}
		d.start(c, a)
	}
	d.touched.once.settle(d.settleOnce)
	d.at = nil
	d.settle()
	d.at = nil
	d.unpaired()
	d.at = nil
	d.touched.clear()
}

// settleOnce fails a caller whose one try cannot begin, and reports whether that try needs no more
// looking at: only one whose phone is about to be free has to wait for the next match.
func (d *desk) settleOnce(c *caller) (settled bool) {
	d.at = c
	if !c.waits() || c.spent {
		return true
	}
	a := c.only
	switch {
	case d.closing:
		d.giveUp(c, call.CauseShutdown)
	case !a.flow, a.barred:
		d.giveUp(c, call.CauseUnreachable)
	case len(a.legs) == 0 && a.offer != nil && !a.offer.open:
		return false
	default:
		d.giveUp(c, call.CauseBusy)
	}
	return true
}

// first is the first caller who can be paired, and the agent to pair it with.
func (t *touched) first() (best *caller, with *agent) {
	for _, q := range t.queues {
		if c, s := q.next(); c != nil && (best == nil || c.goesBefore(best)) {
			best, with = c, s.agent
		}
	}
	for _, a := range t.agents {
		c, wanted := a.direct.first()
		if wanted && a.shown == call.AgentReady && (best == nil || c.goesBefore(best)) {
			best, with = c, a
		}
	}
	if c := t.once.first(); c != nil && (best == nil || c.goesBefore(best)) {
		best, with = c, c.only
	}
	return best, with
}

func (t *touched) queue(q *queue) {
	if !q.touched {
		q.touched = true
		t.queues = append(t.queues, q)
	}
}

func (t *touched) agent(a *agent) {
	if a.direct.len() > 0 && !a.touched {
		a.touched = true
		t.agents = append(t.agents, a)
	}
}

// clear has nothing touched any more; the tries that have not begun stay.
func (t *touched) clear() {
	for _, q := range t.queues {
		q.touched = false
	}
	for _, a := range t.agents {
		a.touched = false
	}
	t.queues, t.agents = t.queues[:0], t.agents[:0]
}

// enlist puts an agent among those ready in every queue it serves, or takes it out.
func (d *desk) enlist(a *agent, ready bool) {
	out := a.out()
	for _, s := range a.slots {
		in := ready && !s.away
		s.enter(in, d.o.Random.ExpFloat64)
		if reason := out; reason == "" && s.away {
			s.count(outElsewhere)
		} else {
			s.count(reason)
		}
		if in {
			d.touched.queue(s.queue)
		}
	}
	d.touched.agent(a)
}

// index puts a caller among those for whom another phone could be rung, or takes it out.
func (d *desk) index(c *caller) {
	d.tally(c)
	if c.Once {
		if c.begins() {
			d.touched.once.waiting.add(c)
		}
		return
	}
	d.alarms.remove(&c.more)
	if !c.waits() || c.late || c.aside {
		c.want().remove(c)
		return
	}
	if c.climb != nil { // its phones are shared out, see shareOut
		d.ladder.touch()
		if !c.wantsPhone(d.now) {
			d.await(c)
		}
		return
	}
	if len(c.offers) >= c.fanOut(d.now) {
		c.want().remove(c)
		d.await(c)
		return
	}
	c.want().add(c)
	if a := c.wanted(); a != nil {
		d.touched.agent(a)
	} else {
		d.touched.queue(c.queue)
	}
}

// reseat puts a caller into the indexes anew.
func (d *desk) reseat(c *caller) {
	d.encircle(c)
	if c.climb != nil {
		d.ascend(c)
	}
	if c.regular != nil {
		d.alarms.add(&c.patience)
	}
	d.index(c)
	if !c.late {
		d.watch(c)
	}
	if c.aside {
		d.alarms.add(&c.retry)
	}
	if c.spent && len(c.offers) == 0 {
		d.giveUp(c, call.CauseError)
	}
}

// rebuild derives every index anew from the facts. It is for after a panic, which may have left one
// half changed; it is slow, and needs nothing but the facts to be right.
func (d *desk) rebuild() {
	d.alarms.clear()
	if d.now.Before(d.midnight.at) {
		d.awaitMidnight()
	} else {
		d.alarms.add(&d.midnight) // it has come, and the day has not begun anew yet
	}
	d.forgetPast()
	d.touched.once.clear()
	for _, q := range d.queues {
		q.ready.clear()
		q.want.clear()
		clear(q.levels)
		clear(q.excluded)
		q.relist()
	}
	for _, a := range d.agents {
		a.direct.clear()
		for _, s := range a.slots {
			s.out = ""
		}
	}
	d.ladder.rebuild(d.agents)
	for _, q := range append(slices.Clone(d.queues), d.people) {
		for _, c := range slices.Clone(q.waiting.items) {
			d.reseat(c)
		}
	}
	for _, a := range d.agents {
		if a.offer != nil && a.offer.open && a.offer.alarm.fire != nil {
			d.alarms.add(&a.offer.alarm)
		}
		d.refresh(a)
	}
}
