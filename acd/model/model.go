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
	// turns are the numbers of the agents last rung in turn, by queue and level.
	turns map[turn]int
	// turned are those turned away, and why; places are those that may be taken up again.
	turned map[string]call.Overflow
	places map[placeOf]left
}

type agent struct {
	acd.Agent
	flow, paused         bool
	legs                 []*leg
	number               int                // in the order of the options, from 1
	answered             map[*acd.Queue]int // today
	talked               time.Duration      // today
	out                  map[string]bool    // queues logged out of
	offer                *offer
	wrapUntil, restUntil time.Duration
	free                 time.Duration // since when there was nothing to do
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
	for i := range o.Queues {
		d.queues[o.Queues[i].Name] = &o.Queues[i]
	}
	for i, settings := range o.Agents {
		d.agents = append(d.agents, &agent{Agent: settings, number: i + 1, answered: map[*acd.Queue]int{}, out: map[string]bool{}})
	}
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
		if a.offer != nil {
			consider(a.offer.deadline)
		}
	}
	for _, c := range d.callers {
		if c.regular != nil {
			consider(c.patience)
		}
	}
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
	if _, serves := a.Skills[c.queue.Name]; !serves || a.out[c.queue.Name] || a.paused {
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

// State is what an agent is doing.
func (d *Desk) State(id string) call.AgentState { return d.agent(id).state(d.now) }

func (a *agent) state(now time.Duration) call.AgentState {
	switch {
	case !a.flow:
		return call.AgentOffline
	case len(a.legs) > 0:
		return call.AgentTalking
	case a.offer != nil:
		return call.AgentRinging
	case now < max(a.wrapUntil, a.restUntil):
		return call.AgentWrapUp
	case a.loggedOut():
		return call.AgentLoggedOut
	case a.paused:
		return call.AgentPaused
	default:
		return call.AgentReady
	}
}

func (a *agent) ready(now time.Duration) bool { return a.state(now) == call.AgentReady }

// loggedOut reports whether the agent is logged out of every queue.
func (a *agent) loggedOut() bool {
	for name := range a.Skills {
		if !a.out[name] {
			return false
		}
	}
	return len(a.Skills) > 0
}

// callable reports whether the agent may be rung for somebody who asks for them by name.
func (a *agent) callable() bool { return a.flow && len(a.legs) == 0 && a.offer == nil }

// Ringing is the call an agent's phone rings for; empty when it does not ring.
func (d *Desk) Ringing(id string) string {
	if o := d.agent(id).offer; o != nil {
		return o.caller.name
	}
	return ""
}

// Legs is how many live legs an agent has.
func (d *Desk) Legs(id string) int { return len(d.agent(id).legs) }

// Waiting are the names of those who wait, in the order of joining.
func (d *Desk) Waiting() []string {
	names := make([]string, len(d.callers))
	for i, c := range d.callers {
		names[i] = c.name
	}
	return names
}

// Offers is how many phones ring for a caller.
func (d *Desk) Offers(name string) int {
	if c := d.caller(name); c != nil {
		return len(c.offers)
	}
	return 0
}

func (d *Desk) agent(id string) *agent {
	i := slices.IndexFunc(d.agents, func(a *agent) bool { return a.ID == id })
	return d.agents[i]
}

func (d *Desk) caller(name string) *caller {
	i := slices.IndexFunc(d.callers, func(c *caller) bool { return c.name == name })
	if i < 0 {
		return nil
	}
	return d.callers[i]
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
	a, c := d.agent(id), d.caller(name)
	switch {
	case c == nil:
		return fmt.Errorf("%s was rung for %s, who does not wait", id, name)
	case !a.ready(d.now) && (!c.once || !a.callable()):
		return fmt.Errorf("%s was rung for %s while %s", id, name, a.state(d.now))
	case !d.serves(a, c):
		return fmt.Errorf("%s was rung for %s without the skill or its level", id, name)
	case !d.wants(c):
		return fmt.Errorf("%s was rung for %s, who has a phone ringing", id, name)
	}
	o := &offer{agent: a, caller: c, early: !a.ready(d.now), sent: d.now, deadline: d.now + d.o.NoProgress}
	o.asked, c.regular = c.regular == a, nil
	a.offer = o
	c.offers = append(c.offers, o)
	if c.clock < 0 {
		c.clock, c.first = d.now+time.Second, d.now
	}
	d.rang = append(d.rang, o)
	return nil
}

// Settled is called when the desk has nothing more to do in this instant. It reports a caller and a
// ready agent who were left unpaired; a caller who was passed over; and an agent who was.
func (d *Desk) Settled() error {
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
	for _, c := range d.callers {
		if err := d.passedOver(c, ready); d.wants(c) && err != nil {
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
		if d.serves(o.agent, c) && c != o.caller && !o.early && d.goesBefore(c, o.caller) {
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
	if o.caller.only != "" || o.asked {
		return nil
	}
	for _, a := range d.idle {
		passed := a.ready(d.now) && d.serves(a, o.caller)
		if passed && better(o.caller.queue, a, o.agent) {
			return fmt.Errorf("%s was rung for %s and not %s", o.agent.ID, o.caller.name, a.ID)
		}
	}
	return nil
}
