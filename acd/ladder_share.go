package acd

import (
	"cmp"
	"slices"

	"hotline/call"
)

// An alarm's phones are shared out before all other callers'. Whose turn it is: the alarm with the fewest phones,
// of several the first in the order of callers. So each has one ringing before one has a second; and an alarm
// that finds none left gets one from another that has more.
//
// It costs O(agents + alarms), at each round of the desk in which there is an alarm: they are few, and nothing
// has to be kept in step for those that do not come.

// pools are the agents who could be rung for alarms, the best first, by the first step that rings them.
type pools [toEveryone + 1][]*agent

// poolOf is the first step that may ring an agent now; false if none may. Who has no flow is never rung, nor who
// is logged out, nor a supervisor.
func (d *desk) poolOf(a *agent) (step int, ok bool) {
	if a.Supervisor || !a.flow || a.loggedOut() || len(a.legs) > 0 || a.booked != nil || d.now.Before(a.alarmRest) {
		return 0, false
	}
	if a.barred || a.outOfReach() {
		return 0, false
	}
	lesser := a.offer != nil && a.offer.open && !a.offer.caller.climbing()
	if a.offer != nil && !lesser {
		return 0, false // rings for an alarm, or is about to be free
	}
	switch {
	case !a.takes(d.ladder.queue): // also who logged out of this queue alone
		return toEveryone, true
	case a.state(d.now) == call.AgentReady:
		return skilled, true
	default:
		return allSkilled, true
	}
}

// level is the agent's of a queue's skill, 0 without it.
func (a *agent) level(q *queue) int { return a.Skills[q.Name] }

// pools sorts who could be rung: those who are ready as the queue's strategy does, the others by the level of the
// skill, then by who is least disturbed, then by id.
func (d *desk) pools() (p pools) {
	q := d.ladder.queue
	for _, a := range d.agents {
		if step, ok := d.poolOf(a); ok && step != skilled {
			p[step] = append(p[step], a)
		}
	}
	for _, pool := range p {
		slices.SortFunc(pool, func(a, b *agent) int {
			return cmp.Or(
				cmp.Compare(b.level(q), a.level(q)),
				cmp.Compare(disturbed[a.state(d.now)], disturbed[b.state(d.now)]), cmp.Compare(a.ID, b.ID))
		})
	}
	ready := slices.Clone(q.ready.items)
	slices.SortFunc(ready, func(a, b *slot) int {
		if q.ready.before(a, b) {
			return -1
		}
		return 1 // the order is total
	})
	for _, s := range ready {
		if step, ok := d.poolOf(s.agent); ok && step == skilled {
			p[skilled] = append(p[skilled], s.agent)
		}
	}
	return p
}

// disturbed is how much an agent is by an alarm, by what they are doing.
var disturbed = map[call.AgentState]int{
	call.AgentReady: 0, call.AgentWrapUp: 1, call.AgentPaused: 2, call.AgentRinging: 3,
}

// take takes the best agent whom a step may ring; nil when there is none.
func (p *pools) take(step int) *agent {
	for i := range p[:min(step, toEveryone)+1] {
		if len(p[i]) > 0 {
			a := p[i][0]
			p[i] = p[i][1:]
			return a
		}
	}
	return nil
}

// shareOut rings phones for alarms, until none more can be.
func (d *desk) shareOut() {
	l := d.ladder
	if l == nil || !l.touched || d.closing {
		return
	}
	d.settleBooked()
	left := d.most() + 1 // the last finds nothing left to share
	for again := l.queue.waiting.len() > 0; again; left-- {
		if left == 0 {
			panic(errEndless)
		}
		again = d.shareRound()
	}
	l.touched = false // what this did itself, it has seen
}

// shareRound shares out the phones there are now. It reports whether alarms turned out to have left: another of
// the same number may then climb, and there is more to share.
func (d *desk) shareRound() (again bool) {
	turns := newOrder((*caller).turnBefore, func(c *caller) *int { return &c.climb.turn })
	alarms := slices.DeleteFunc(slices.Clone(d.ladder.queue.waiting.items), func(c *caller) bool { return c.climb == nil })
	for _, c := range alarms {
		turns.add(c)
	}
	for _, c := range alarms {
		c.climb.given = 0
	}
	d.at = nil
	pools := d.pools()
	// One past the first step wants every phone, and those that do not climb are lesser calls to it: a phone given to one
	// of them would be taken back in the next round.
	greedy := slices.ContainsFunc(alarms, func(c *caller) bool { return c.climbing() && c.climb.at > skilled })
	var gifts []gift
	var without []*caller
	for c, ok := turns.first(); ok; c, ok = turns.first() {
		turns.remove(c)
		d.at = c
		if !c.wantsPhone(d.now) || greedy && !c.climb.up {
			continue
		}
		if a := pools.take(c.climb.at); a != nil {
			gifts = append(gifts, gift{c, a})
			c.climb.given++
			turns.add(c)
		} else if c.phones() == 0 && c.climb.up {
			without = append(without, c)
		}
	}
	for _, c := range without {
		d.at = c
		d.takeFromAlarm(c, alarms, gifts)
	}
	// Who has but one is first, and when one comes to nothing what is left is shared out anew.
	slices.SortStableFunc(gifts, func(a, b gift) int { return cmp.Compare(a.to.phones(), b.to.phones()) })
	for _, g := range gifts {
		d.at = g.to
		g.to.climb.given--
		again = again || !d.give(g)
	}
	for _, c := range alarms {
		d.at = c
		d.callDuty(c)
	}
	return again || slices.ContainsFunc(alarms, func(c *caller) bool { return !c.waits() })
}

// gift is a phone about to be rung for an alarm. Phones are rung once all have been given, or one might be rung for an
// alarm and taken back for another in the same instant.
type gift struct {
	to    *caller
	agent *agent
}

// give rings the phone; false if it came to nothing, since the agent was taken elsewhere or the alarm has left.
func (d *desk) give(g gift) bool {
	if !g.to.waits() || g.agent.booked != nil { // taken from another alarm meanwhile
		return false
	}
	d.ringFor(g.to, g.agent)
	return g.agent.booked == g.to || g.agent.offer != nil && g.agent.offer.caller == g.to
}

// turnBefore is whose turn it is to have another phone. Of alarms from one number, one climbs; the others have
// phones when it is nobody else's turn to have as many.
func (c *caller) turnBefore(x *caller) bool {
	if c.phones() != x.phones() {
		return c.phones() < x.phones()
	}
	if c.climb.up != x.climb.up {
		return c.climb.up
	}
	return c.goesBefore(x)
}

// ringFor rings an agent's phone for an alarm; one that rings for a lesser call is taken back first. The
// caller of that call keeps the place in its queue.
func (d *desk) ringFor(c *caller, a *agent) {
	if a.offer != nil && a.offer.expected {
		d.unexpect(a.offer)
	}
	if a.offer == nil {
		d.start(c, a)
		return
	}
	d.book(a, c)
	lesser := a.offer
	why := call.CauseWithdrawn
	if lesser.caller.Once {
		why = call.CauseBusy // what the one who asked for this agent is told
	}
	d.withdraw(lesser, why)
	d.refresh(a)
}

// takeFromAlarm takes a phone for an alarm that has none from the alarm that has most, and more than one: one that was
// just given to it, or the one that has rung shortest.
func (d *desk) takeFromAlarm(c *caller, alarms []*caller, gifts []gift) {
	var from *caller
	most := 1
	for _, rich := range alarms {
		has := len(rich.offers) + rich.climb.given
		if !rich.climbing() {
			has++ // this one may be left without
		}
		useful := slices.ContainsFunc(gifts, func(g gift) bool { return g.to == rich && d.hasUse(c, g.agent) }) ||
			slices.ContainsFunc(rich.offers, func(o *offer) bool { return d.hasUse(c, o.agent) })
		if has > most && useful {
			from, most = rich, has
		}
	}
	if from == nil {
		return
	}
	for i, g := range slices.Backward(gifts) {
		if g.to == from && d.hasUse(c, g.agent) {
			gifts[i].to = c
			from.climb.given--
			c.climb.given++
			return
		}
	}
	var last *offer
	for _, o := range from.offers {
		if d.hasUse(c, o.agent) && (last == nil || o.shorter(last)) {
			last = o
		}
	}
	if last == nil {
		return
	}
	if last.expected {
		d.unexpect(last)
		d.start(c, last.agent)
		return
	}
	d.book(last.agent, c)
	d.withdraw(last, call.CauseWithdrawn)
	d.refresh(last.agent)
}

// shorter reports whether a phone has rung shorter than another: it does not depend on the order of one desk's deeds, since
// all nodes of a site are to take the same phone.
func (o *offer) shorter(x *offer) bool {
	return cmp.Or(o.sent.Compare(x.sent), cmp.Compare(o.agent.ID, x.agent.ID)) > 0
}

// hasUse reports whether an alarm without a phone may have this agent from another alarm, which has more than one.
func (d *desk) hasUse(c *caller, a *agent) bool {
	return !a.loggedOut() && a.booked == nil && (c.climb.at >= toEveryone || a.takes(d.ladder.queue))
}

// book keeps an agent, whose phone is being taken back, for an alarm.
func (d *desk) book(a *agent, c *caller) {
	a.booked = c
	if a.offer != nil && a.offer.remote() { // its node may see things differently
		a.bookedUntil = d.now.Add(minDelay)
	}
	c.climb.booked++
	d.ladder.booked = append(d.ladder.booked, a)
}

// settleBooked rings the booked phones that have stopped ringing, and frees the agents who cannot be rung any
// more or whose alarm has gone.
func (d *desk) settleBooked() {
	l := d.ladder
	waiting := l.booked
	l.booked = nil
	for _, a := range waiting {
		c := a.booked
		if c.waits() && a.flow && a.offer != nil && !a.offer.open && (!a.offer.remote() || d.now.Before(a.bookedUntil)) {
			l.booked = append(l.booked, a)
			continue
		}
		a.booked = nil
		c.climb.booked--
		if c.waits() && !c.aside && a.offer == nil && d.mayRing(c, a) {
			d.start(c, a)
		}
	}
}

// mayRing reports whether an agent whose phone was taken back may still be rung for an alarm: much may have happened
// until it had stopped ringing, such as the agent's logging out.
func (d *desk) mayRing(c *caller, a *agent) bool {
	step, ok := d.poolOf(a)
	return ok && (step < toEveryone || c.climb.at >= toEveryone)
}
