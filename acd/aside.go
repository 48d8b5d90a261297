package acd

import (
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// maxFaults is at how many panics of the match over one caller that caller is sent another way.
const maxFaults = 2

// faultRule is the rule of the decision to send such a caller another way.
const faultRule = overflowRule + string(call.QueueFault)

// set is what is known of a caller over whom the match had a panic.
type set struct {
	// faults counts those panics.
	faults int
	// aside: the match passes the caller over, until retry.
	aside bool
	retry alarm
	// unheard is at how many agents' edges in a row this caller's node was not heard.
	unheard int
}

// pair pairs callers and agents. A panic over one caller costs the others nothing: that caller is set aside, and the
// match begun anew without. Where nobody is at fault, or more matches failed than there are callers to set aside, it is
// tried again after a while.
func (c *Center) pair() {
	d := c.desk
	for left := d.most(); c.handle(d.match); left-- {
		culprit := d.at
		if left == 0 || culprit == nil || culprit.aside || c.contain(func() { d.setAside(culprit) }) {
			d.again.at = d.now.Add(minDelay)
			d.alarms.add(&d.again)
			return
		}
	}
}

// setAside has the match pass a caller over for a while; after so many panics, or where there is but one try, the
// caller goes another way. An alarm is tried again and again: its ladder goes on meanwhile, and nothing is better.
func (d *desk) setAside(c *caller) {
	c.faults++
	if c.faults == maxFaults {
		d.o.Logger.Error("a fault of ours keeps a caller from being matched", zap.String("call", c.CallID),
			zap.String("queue", c.Queue), zap.Bool("tried again", c.climb != nil))
	}
	if c.waits() && c.remote == nil && (c.Once || c.climb == nil && c.faults >= maxFaults) {
		d.expel(c)
		return
	}
	d.passOver(c)
}

// passOver has the match pass a caller over for a while, who is not passed over already.
func (d *desk) passOver(c *caller) { d.passOverFor(c, minDelay) }

// unheard passes a caller over whose node cannot reach the agent's edge: for longer each time, so that the agents there
// get to callers whom they can serve. An alarm is tried again as soon as may be.
func (d *desk) unheard(c *caller) {
	if !c.waits() {
		return
	}
	const most = 4 // 16 s
	delay := minDelay
	if c.climb == nil {
		c.unheard = min(c.unheard+1, most)
		delay <<= c.unheard
	}
	d.alarms.remove(&c.retry)
	d.passOverFor(c, delay)
}

func (d *desk) passOverFor(c *caller, delay time.Duration) {
	c.aside = true
	c.retry = alarm{at: d.now.Add(delay), seq: c.rank.seq, fire: func() {
		c.aside = false
		d.index(c)
	}}
	d.alarms.add(&c.retry)
	d.index(c)
}

// expel sends a caller another way: out of the queue, as one whom it turns away, or told that the try at one agent
// came to nothing. The decision is written without a look at who is ready, since that may be what fails.
func (d *desk) expel(c *caller) {
	if c.Once || c.queue == d.people {
		c.seat.fail(call.CauseError, d.now)
	} else if c.seat.turn(call.QueueFault, d.now, call.Decision{
		At: d.now, Queue: c.Queue, Rule: faultRule, Chosen: []string{}, Candidates: []call.Candidate{}, Excluded: map[string]int{},
	}) {
		d.figures.turned(c.Queue, call.QueueFault)
	}
	d.drop(c)
	d.withdrawAll(c, call.CauseWithdrawn)
}
