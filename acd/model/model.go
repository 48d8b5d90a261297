package model

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"hotline/acd"
	"hotline/call"
)

// Options of a model. All times are counted from its start.
type Options struct {
	Queues []acd.Queue
	Agents []acd.Agent
	// Limit is how long an offer rings from its first 18x, NoProgress how long it waits for one.
	Limit, NoProgress time.Duration
	// Cycle is one ring, and Rescue when on the promise clock a second phone joins in; each cycle after, one more.
	Cycle, Rescue time.Duration
	// Ageing as the desk has it.
	Ageing time.Duration
	// Midnight is when the day's figures begin anew; 0 is never.
	Midnight time.Duration
	// Ladder is what is done for alarms, as the desk has it.
	Ladder acd.Ladder
}

// Desk is the model.
type Desk struct {
	o       Options
	now     time.Duration
	queues  map[string]*acd.Queue
	agents  []*agent
	callers []*caller // those waiting, in the order of joining
	// rang are the offers since the last Settled, and idle the agents who were ready then.
	rang []*offer
	idle []*agent
	// failed are the callers whose one try came to nothing, and why.
	failed map[string]call.Cause
	// turns are the numbers of the agents last rung in turn, by queue and level; of a queue that came to take turns by
	// a reload it is unknown where they stand, until one is taken.
	turns   map[turn]int
	unknown map[*acd.Queue]bool
	// order are the names of the queues in their order, and retired those that are no more.
	order   []string
	retired map[string]bool
	// calling are the duty numbers being called, each with the alarm it is called for.
	calling map[string]*dutyCall
	// robbed are those from whom an alarm took a phone back since the last Settled, and refused says that an agent was
	// taken elsewhere.
	robbed  []*caller
	refused bool
	// turned are those turned away, and why; places are those that may be taken up again.
	turned map[string]call.Overflow
	places map[placeOf]left
}

type agent struct {
	acd.Agent
	flow, paused, removed bool
	missed                int // offers in a row left unanswered
	legs                  []*leg
	slots                 map[string]*slot // by the queue served
	talked                time.Duration    // today
	offer                 *offer
	wrapUntil, restUntil  time.Duration
	alarmRest             time.Duration // until when not even an alarm rings the phone
	taken                 bool          // back from an alarm, in this instant
	free                  time.Duration // since when there was nothing to do
	last                  lastTalk
}

// slot is an agent's place in a queue.
type slot struct {
	level    int
	out      bool // logged out of it
	answered int  // today
}

// leg is a live one; queue is nil where it did not come from one.
type leg struct {
	queue *acd.Queue
	since time.Duration
}

type caller struct {
	name  string
	queue *acd.Queue
	only  string
	front bool
	once  bool // the agent wanted is rung at most once
	// regular is the agent of last time, who is waited for until patience ends; nil when anybody will do.
	regular  *agent
	patience time.Duration
	entered  time.Duration
	offers   []*offer
	// clock is when the promise clock begins, first when the first phones were rung; -1: not yet.
	clock, first time.Duration
	rank         rank
	climb        *climb // an alarm's way up the ladder; nil for every other caller
	limits
}

type offer struct {
	agent    *agent
	caller   *caller
	rung     bool
	sent     time.Duration
	early    bool // the agent was not ready, and was rung for one who asked for them by name
	deadline time.Duration
	asked    bool // the agent was rung because the caller had been talked to last time
}

// New makes a model in which every agent is offline.
func New(o Options) *Desk {
	d := &Desk{o: o, queues: map[string]*acd.Queue{"": {}}, failed: map[string]call.Cause{}, turns: map[turn]int{}}
	d.turned, d.places = map[string]call.Overflow{}, map[placeOf]left{}
	d.unknown, d.retired, d.calling = map[*acd.Queue]bool{}, map[string]bool{}, map[string]*dutyCall{}
	d.arrange(o)
	return d
}

// Next is when the next deadline comes, if there is one.
func (d *Desk) Next() (at time.Duration, ok bool) {
	consider := func(t time.Duration) {
		if t > d.now && (!ok || t < at) {
			at, ok = t, true
		}
	}
	consider(d.o.Midnight)
	for _, c := range d.callers {
		consider(d.due(c))
		for _, w := range c.queue.Widen {
			consider(c.entered + w.After)
		}
		if c.clock < 0 {
			continue
		}
		clock := d.planClock(c)
		consider(c.clock)
		consider(clock)
		for _, every := range []time.Duration{d.o.Cycle, progress(c.queue)} { // more often than it matters, which does no harm
			consider(d.now + every - max(0, d.now-clock)%every)
		}
	}
	for _, a := range d.agents {
		consider(a.wrapUntil)
		consider(a.restUntil)
		consider(a.alarmRest)
		if a.offer != nil {
			consider(a.offer.deadline)
		}
	}
	for _, c := range d.callers {
		if c.regular != nil {
			consider(c.patience)
		}
	}
	d.nextOfAlarms(consider)
	return at, ok
}

// Advance lets time pass, at most up to Next, and ends the offers whose deadline has come.
func (d *Desk) Advance(to time.Duration) {
	d.now = to
	if to == d.o.Midnight {
		d.newDay()
	}
	d.grow()
	for _, a := range d.agents {
		switch o := a.offer; {
		case o == nil || o.deadline > to:
		case o.rung:
			d.fail(a, call.CauseNoAnswer)
		default:
			d.fail(a, call.CauseUnreachable)
		}
	}
	for _, c := range d.callers {
		if c.patience <= to {
			c.regular = nil
		}
	}
	d.ascend()
	d.expireDuty()
}

// settleRegulars has those wait for anybody whose agent of last time cannot be had in time any more.
func (d *Desk) settleRegulars() {
	for _, c := range d.callers {
		if c.regular != nil && !c.regular.coming(c, d.now) {
			c.regular = nil
		}
	}
}

// coming reports whether the agent of last time is ready, or may be within the caller's patience.
func (a *agent) coming(c *caller, now time.Duration) bool {
	if !a.takes(c.queue.Name) || a.paused {
		return false
	}
	switch a.state(now) { //nolint:exhaustive // in every other state nobody knows when
	case call.AgentReady:
		return true
	case call.AgentWrapUp, call.AgentTalking, call.AgentRinging:
		return now < c.patience && max(a.wrapUntil, a.restUntil) <= c.patience
	default:
		return false
	}
}

// progress is how soon another phone joins in with ring-progressively.
func progress(q *acd.Queue) time.Duration { return cmp.Or(q.Progress, 10*time.Second) }

// wants reports whether another phone may be rung for the caller: the first, one of all, one that joins in
// while nobody answers, or a rescue.
func (d *Desk) wants(c *caller) bool {
	if c.late {
		return false
	}
	if len(c.offers) == 0 || c.only == "" && c.queue.Strategy == acd.RingAll {
		return true
	}
	since := d.now - d.planClock(c)
	if c.only != "" || c.clock < 0 || since < 0 {
		return false
	}
	if c.queue.Strategy == acd.RingProgressively && len(c.offers) <= int(since/progress(c.queue)) {
		return true
	}
	return since >= d.o.Rescue && len(c.offers) <= 1+int((since-d.o.Rescue)/d.o.Cycle)
}

// planClock is from when phones that join in count: the promise clock, and once that promise is lost, the clock of the
// first offer that goes on, if it began after that.
func (d *Desk) planClock(c *caller) time.Duration {
	lost := c.clock + d.o.Limit
	if d.now < lost || len(c.offers) == 0 || c.offers[0].sent < lost {
		return c.clock
	}
	first := c.offers[0]
	if clock := first.sent + time.Second; !first.rung || first.deadline-d.o.Limit > clock {
		return clock
	}
	return first.deadline - d.o.Limit
}

// Rang takes in that the desk rang an agent's phone for a caller, and reports what forbade it.
func (d *Desk) Rang(id, name string) error {
	d.settleRegulars()
	if err := d.mayHave(id, name); err != nil {
		return err
	}
	a, c := d.agent(id), d.caller(name)
	o := &offer{agent: a, caller: c, early: c.climb != nil || !a.ready(d.now), sent: d.now, deadline: d.now + d.o.NoProgress}
	o.asked, c.regular = c.regular == a, nil
	a.offer = o
	c.offers = append(c.offers, o)
	if c.clock < 0 {
		c.clock, c.first = d.now+time.Second, d.now
	}
	d.rang = append(d.rang, o)
	return nil
}

// mayHave reports what forbids that an agent is rung for a caller now.
func (d *Desk) mayHave(id, name string) error {
	a, c := d.agent(id), d.caller(name)
	switch {
	case c == nil:
		return fmt.Errorf("%s was rung for %s, who does not wait", id, name)
	case c.climb != nil:
		return d.mayAlarm(a, c)
	case !a.ready(d.now) && (!c.once || !a.callable()):
		return fmt.Errorf("%s was rung for %s while %s", id, name, a.state(d.now))
	case !d.serves(a, c):
		return fmt.Errorf("%s was rung for %s without the skill or its level", id, name)
	case !d.wants(c):
		return fmt.Errorf("%s was rung for %s, who has a phone ringing", id, name)
	default:
		return nil
	}
}

// Settled is called when the desk has nothing more to do in this instant. It reports a caller and a
// ready agent who were left unpaired; a caller who was passed over; and an agent who was.
func (d *Desk) Settled() error {
	d.forget()
	d.turnAway()
	d.settleRegulars()
	if err := d.settleOnce(); err != nil {
		return err
	}
	var ready []*agent
	for _, a := range d.agents {
		if a.ready(d.now) {
			ready = append(ready, a)
		}
	}
	if err := d.settleAlarms(); err != nil {
		return err
	}
	for _, c := range d.callers {
		if err := d.passedOver(c, ready); c.climb == nil && d.wants(c) && err != nil {
			return err
		}
	}
	for _, o := range d.rang {
		if err := d.preferred(o); err != nil {
			return err
		}
	}
	if err := d.inTurn(); err != nil {
		return err
	}
	d.turnFull()
	d.rang, d.idle = nil, ready
	return nil
}

// passedOver reports who should have been rung for a caller who wants another phone.
func (d *Desk) passedOver(c *caller, ready []*agent) error {
	for _, a := range ready {
		if d.serves(a, c) {
			return fmt.Errorf("%s waits without an offer while %s is ready", c.name, a.ID)
		}
	}
	if d.gotRegular(c) {
		return nil
	}
	for _, o := range d.rang {
		if d.serves(o.agent, c) && c != o.caller && !o.early && goesBefore(c, o.caller) {
			return fmt.Errorf("%s was rung for %s before %s", o.agent.ID, o.caller.name, c.name)
		}
	}
	return nil
}

// gotRegular reports whether a caller has just got the agent of last time. Phones that are taken back together stop
// ringing one by one, in any order: the others may have gone to whoever came next while this caller still waited for
// that agent alone.
func (d *Desk) gotRegular(c *caller) bool {
	return slices.ContainsFunc(d.rang, func(o *offer) bool { return o.caller == c && o.asked })
}

// preferred reports who was ready before, still is, and goes before the agent who was rung.
func (d *Desk) preferred(o *offer) error {
	if o.caller.only != "" || o.asked || o.agent.slots[o.caller.queue.Name] == nil {
		return nil
	}
	for _, a := range d.idle {
		passed := a.ready(d.now) && d.serves(a, o.caller)
		if passed && d.better(o.caller.queue, a, o.agent) {
			return fmt.Errorf("%s was rung for %s and not %s", o.agent.ID, o.caller.name, a.ID)
		}
	}
	return nil
}
