package acd

import (
	"slices"
	"time"

	"hotline/call"
)

// Limits are when a queue turns callers away; the zero value is never. Whoever sets one says in the call's
// options where those callers go. No limit binds a caller who has been turned away by this queue before in the
// same turn ([call.Ticket.Stay]), who asks for one try at one agent, or who is in no queue or the alarm's; nor does any but
// MaxWait one who wants a certain agent and nobody else.
type Limits struct {
	// MaxWaiting is how many may wait, those included whose agent's phone rings; who comes beyond, and has nobody
	// rung at once, is turned away ([call.QueueFull]). A caller put to the front, or back in a place of before,
	// is not. 0: any number.
	MaxWaiting int
	// MaxWait is how long one may wait, from entering (from coming back, for a place of before): then the caller is
	// turned away ([call.QueueTooLong]). A phone that rings just then rings to its end, and no other is begun. 0:
	// as long as it takes.
	MaxWait time.Duration
	// MaxExpected is the longest wait that may be expected on entering, where one can be known; beyond, the caller
	// is turned away ([call.QueueExpected]). Exceptions as for MaxWaiting. 0: any.
	MaxExpected time.Duration
	// TurnWhenEmpty turns callers away when no agent who serves the queue is logged in ([call.QueueEmpty]): those
	// who come, and those who wait when the last one leaves.
	TurnWhenEmpty bool
}

// overflowRule begins the rule of the decision to turn a caller away; the reason follows.
const overflowRule = "overflow:"

// overflows are all the reasons, so that each has a series from the start.
var overflows = [...]call.Overflow{
	call.QueueFull, call.QueueEmpty, call.QueueClosed, call.QueueTooLong, call.QueueExpected, call.QueueFault,
}

// bounds is what the limits know of a caller.
type bounds struct {
	// came is when the caller came to the queue: the time of entering that counts for MaxWait.
	came time.Time
	// due is when the caller has waited as long as one may; late says that it was, and nobody is rung any more.
	due  alarm
	late bool
	// told: among those of unsettled.late.
	told bool
	// bare: counted among those of the queue for whom no phone rings.
	bare bool
	// rejoined: the caller is back in a place of before.
	rejoined bool
}

// unsettled is what the limits have to look at once all that could be paired has been.
type unsettled struct {
	arrived, late, asked []*caller
	// empty are queues that nobody serves, and somebody may wait in.
	empty []*queue
}

// staff is what the desk knows of the agents who serve a queue: those logged in, and of them those at work, who are
// not paused.
type staff struct{ present, working int }

// turn turns a caller away, unless the seat has ended meanwhile.
func (d *desk) turn(c *caller, why call.Overflow) {
	d.at = c
	if c.regular != nil { // it is the whole queue that has no room
		d.forgo(c)
	}
	decision := d.decision(c)
	decision.Rule = overflowRule + string(why)
	if !c.seat.turn(why, d.now, decision) {
		d.left(c)
		return
	}
	d.figures.turned(c.Queue, why)
	if !c.waits() { // turned away at the door
		c.unwatch()
		return
	}
	d.drop(c)
	d.withdrawAll(c, call.CauseWithdrawn)
}

// bound reports whether the limits of its queue hold for a caller; they never do for an alarm, and those of a caller of
// another node are that one's affair.
func (d *desk) bound(c *caller) bool {
	return !c.Stay && !c.Once && !c.queue.Alarm && c.queue != d.people && c.remote == nil
}

// closed reports whether a caller comes outside the hours of the queue. Who lost an agent was in before.
func (d *desk) closed(c *caller) bool {
	return d.o.Open != nil && d.bound(c) && c.only == nil && !c.Front && !d.o.Open(c.queue.Name, d.now)
}

// watch sets the deadline of a caller who waits.
func (d *desk) watch(c *caller) {
	if !d.bound(c) || c.queue.MaxWait <= 0 {
		return
	}
	c.due = alarm{at: c.came.Add(c.queue.MaxWait), seq: c.rank.seq, fire: func() {
		c.late = true
		d.index(c)
	}}
	d.alarms.add(&c.due)
}

// tally keeps the count of those of a queue for whom no phone rings. It is called after every change of a caller's
// offers, and of whether the caller waits.
func (d *desk) tally(c *caller) {
	if c.late && c.waits() && len(c.offers) == 0 && !c.told {
		c.told = true
		d.unsettled.late = append(d.unsettled.late, c)
	}
	bare := c.waits() && len(c.offers) == 0
	if bare == c.bare {
		return
	}
	d.roll(c.queue)
	c.bare = bare
	if !bare {
		c.queue.bare--
		return
	}
	c.queue.bare++
	d.deserted(c.queue)
}

// deserted notes a queue in which callers are left with nobody to serve them.
func (d *desk) deserted(q *queue) {
	if q.TurnWhenEmpty && q.staff.present == 0 && !slices.Contains(d.unsettled.empty, q) {
		d.unsettled.empty = append(d.unsettled.empty, q)
	}
}

// roll brings a queue's rate up to now, before what it depends on changes.
func (d *desk) roll(q *queue) { q.rate.roll(d.now, q.bare > 0, q.staff.working) }

// muster keeps the counts of those who serve queues. It is called after every change of an agent's facts.
func (d *desk) muster(a *agent) {
	for _, s := range a.slots {
		present := a.flow && !s.away
		working := present && !a.paused
		if present == s.present && working == s.working {
			continue
		}
		q := s.queue
		d.roll(q)
		q.staff.count(s.present, s.working, -1)
		s.present, s.working = present, working
		q.staff.count(present, working, 1)
		d.deserted(q)
	}
}

func (s *staff) count(present, working bool, by int) {
	if present {
		s.present += by
	}
	if working {
		s.working += by
	}
}

// settle is called when all that could be paired has been: it turns away who is over a limit, and tells those who
// asked their place. The last who came is looked at first, so that of several who came in one instant the first
// ones stay.
func (d *desk) settle() {
	u := d.unsettled
	d.unsettled = unsettled{}
	for _, c := range u.late {
		c.told = false
	}
	if d.closing {
		return
	}
	for _, q := range u.empty {
		d.turnAll(q)
	}
	for _, c := range slices.Backward(u.arrived) {
		d.at = c
		if why, over := d.overAtDoor(c); over {
			d.turn(c, why)
		}
	}
	for _, c := range u.late {
		if c.waits() && len(c.offers) == 0 {
			d.turn(c, call.QueueTooLong)
		}
	}
	for _, c := range u.asked {
		if c.waits() && len(c.offers) == 0 {
			d.at = c
			c.seat.place(c.queue.placeOf(c))
		}
	}
}

// overAtDoor is why a caller who has just come, and has nobody rung, cannot stay.
func (d *desk) overAtDoor(c *caller) (why call.Overflow, over bool) {
	q := c.queue
	switch {
	case !c.waits(), len(c.offers) > 0, !d.bound(c), c.only != nil, c.Front, c.rejoined:
		return "", false
	case q.MaxWaiting > 0 && q.waiting.len() > q.MaxWaiting:
		return call.QueueFull, true
	case q.MaxExpected > 0 && q.placeOf(c).Expected > q.MaxExpected:
		return call.QueueExpected, true
	default:
		return "", false
	}
}

// turnAll turns everybody away who waits in a queue that nobody serves any more.
func (d *desk) turnAll(q *queue) {
	if q.staff.present > 0 || d.site.unsure() {
		return // one came back in the same instant, or may be at a node that is not known of yet
	}
	for _, c := range slices.Clone(q.waiting.items) {
		if d.bound(c) && c.only == nil && len(c.offers) == 0 {
			d.turn(c, call.QueueEmpty)
		}
	}
}
