package acd

import (
	"strings"
	"time"

	"hotline/call"
)

// ruleLastAgent is the rule of a decision by which a caller who called before got the agent of that time.
const ruleLastAgent = "last-agent"

// maxRegulars bounds how many callers the desk remembers, over all queues: those soonest to be forgotten go first.
const maxRegulars = 50_000

// regular is who last talked to a number for a queue, at which time that ended, and until when it is remembered.
type regular struct {
	of        numberAt
	agent     *agent
	at, until time.Time
	place     int
}

// numberAt is a caller's number at a queue.
type numberAt struct{ queue, number string }

// regulars remember, for queues that want it (Queue.LastAgent), who last talked to whom: it is learned from the
// records of calls, so that it is the same after a restart. Numbers are personal data: none is kept for longer
// than its queue's LastAgent.Within, see desk.forgetting.
type regulars struct {
	by     map[numberAt]*regular
	within map[string]time.Duration // by queue; one that wants none is not in it
	soon   *order[*regular]         // the one soonest to be forgotten first
}

func newRegulars(queues []Queue) *regulars {
	r := &regulars{by: map[numberAt]*regular{}}
	r.soon = newOrder(
		func(a, b *regular) bool { return a.until.Before(b.until) },
		func(x *regular) *int { return &x.place })
	r.reload(queues)
	return r
}

// reload goes by other queues from now on: also for what was learned before.
func (r *regulars) reload(queues []Queue) {
	r.within = make(map[string]time.Duration, len(queues))
	for i := range queues {
		if within := queues[i].LastAgent.Within; within > 0 {
			r.within[queues[i].Name] = within
		}
	}
	r.soon.clear()
	for _, known := range r.by {
		known.until = known.at.Add(r.within[known.of.queue])
		r.soon.add(known)
	}
}

// learn notes that an agent talked to a number, until an instant.
func (r *regulars) learn(of numberAt, a *agent, at, now time.Time) {
	within := r.within[of.queue]
	if within <= 0 || now.Sub(at) > within {
		return
	}
	known := r.by[of]
	switch {
	case known == nil:
		known = &regular{of: of}
		r.by[of] = known
	case known.at.After(at):
		return // told out of order
	default:
		r.soon.remove(known)
	}
	known.agent, known.at, known.until = a, at, at.Add(within)
	r.soon.add(known)
	if r.soon.len() > maxRegulars {
		first, _ := r.soon.first()
		r.drop(first)
	}
}

// forget drops what is past its time, and returns when the next will be; zero when there is none.
func (r *regulars) forget(now time.Time) (next time.Time) {
	return expire(r.soon, func(x *regular) time.Time { return x.until }, r.drop, now)
}

func (r *regulars) drop(known *regular) {
	r.soon.remove(known)
	delete(r.by, known.of)
}

// find is who last talked to a number for a queue, at most so long ago; nil when nobody did.
func (r *regulars) find(of numberAt, within time.Duration, now time.Time) *agent {
	if known := r.by[of]; known != nil && now.Sub(known.at) <= within {
		return known.agent
	}
	return nil
}

// known reports whether a number says who calls: one that a trunk asserts and that may be shown, and no word in its
// place. That an agent's phone calls is no reason to prefer anybody.
func (d *desk) known(number string, private bool) bool {
	_, colleague := d.byAgent[number]
	return isNumber(number) && !private && !colleague
}

// isNumber reports whether that is a telephone number, and no word in the place of one.
func isNumber(s string) bool { return s != "" && strings.Trim(s, "+0123456789") == "" }

// prefer has a caller who called before wait for the agent of that time, if that one is ready or may be within
// LastAgent.Wait. A caller who asks for somebody by name has that one.
func (d *desk) prefer(c *caller) {
	last := c.queue.LastAgent
	if last.Within <= 0 || c.only != nil || c.climb != nil || !d.known(c.From, c.Private) {
		return
	}
	began := d.now
	if c.remote == nil {
		c.regular = d.regulars.find(numberAt{c.Queue, c.From}, last.Within, d.now)
	} else {
		began, c.regular = c.came, d.byAgent[c.remote.Regular]
	}
	if c.regular == nil {
		return
	}
	d.seq++
	c.patience = alarm{at: began.Add(last.Wait), seq: d.seq, fire: func() { d.anybody(c) }}
	switch {
	case !d.coming(c):
		c.regular = nil
	case last.Wait > 0: // else it is decided in this instant's match
		d.alarms.add(&c.patience)
	}
}

// coming reports whether the agent whom a caller prefers can still be had in time: ready, or about to be. When a
// talk or an offer will end nobody knows.
func (d *desk) coming(c *caller) bool {
	a := c.regular
	if a.paused || !a.takes(c.queue) {
		return false
	}
	switch a.state(d.now) { //nolint:exhaustive // in every other state nobody knows when, if at all
	case call.AgentReady:
		return true
	case call.AgentWrapUp, call.AgentTalking, call.AgentRinging: // a phone whose offer has failed still counts as ringing
		return d.now.Before(c.patience.at) && !later(a.wrapUntil, a.restUntil).After(c.patience.at)
	default:
		return false
	}
}

// forgo takes the agent preferred from a caller, who stands in no order then.
func (d *desk) forgo(c *caller) {
	d.alarms.remove(&c.patience)
	c.want().remove(c)
	c.regular = nil
}

// anybody ends a caller's waiting for one agent: whoever serves the queue will do.
func (d *desk) anybody(c *caller) {
	if c.regular == nil {
		return
	}
	d.rungFor(c)
	if c.said && c.waits() {
		d.sayCaller(c)
	}
}

// rungFor is anybody for a caller for whom a phone rings, which the other nodes are told of anyway.
func (d *desk) rungFor(c *caller) {
	if c.regular == nil {
		return
	}
	d.forgo(c)
	d.index(c)
	d.touched.unpaired = append(d.touched.unpaired, c)
}

// review looks again at those who wait for an agent whose facts have changed.
func (d *desk) review(a *agent) {
	var given []*caller
	for _, c := range a.direct.items {
		if c.regular == a && !d.coming(c) {
			given = append(given, c)
		}
	}
	for _, c := range given {
		d.anybody(c)
	}
}
