package acd

import (
	"time"

	"hotline/call"
)

// agent is what the desk knows of one agent. The facts are set by messages; shown and since only
// remember what the facts last came to, for those who watch.
type agent struct {
	Agent

	// Facts. flow: the phone can be reached, here or at another node of the site.
	flow bool
	// paused, why, and since when; missed are the offers in a row left unanswered, see unanswered.
	paused   bool
	reason   string
	pausedAt time.Time
	missed   int
	legs     []*busy
	// removed: there is no such agent any more; forgotten, once nothing is left of the last call.
	removed, forgotten bool
	// offer is the one whose phone is, or may still be, ringing: one that was closed meanwhile stays
	// here until the phone is free again, or two calls could meet on it.
	offer *offer
	// wrapUntil and restUntil are when wrap-up, and the delay after an offer that failed, end.
	wrapUntil, restUntil time.Time
	// alarmRest is until when not even an alarm rings this phone, after an offer of one that failed.
	alarmRest time.Time
	// booked is the alarm for which the phone was taken back, until it has stopped ringing.
	booked *caller
	// bookedUntil is until when another node is waited for that has the phone.
	bookedUntil time.Time
	// idle is since when there was nothing to do, see facts.
	idle time.Time
	// talked is how long, today, for queues.
	talked time.Duration
	// claim is by what the agent was taken for the offer or the talk that goes on.
	claim call.Token
	reach
	claimed

	// slots are the places in the queues served, one for each.
	slots []*slot
	// direct are the callers who want this agent and nobody else, as queue.want.
	direct *order[*caller]
	wake   alarm
	// touched: the next match looks at who wants this agent.
	touched bool

	shown call.AgentState
	since time.Time
	calls int
	// last is the talk for a queue that ended last, lastCode what was said of one last; today are the figures.
	last     talked
	lastCode string
	today    struct {
		of date
		call.Day
	}
}

// busy is a live leg of an agent.
type busy struct {
	leg call.Leg
	// from is the queue whose talk this is; nil for a call from elsewhere, or a leg being hung up.
	from *queue
	// call is the call talked to, if it came from a queue.
	call string
	stop func() bool // the watching of its end
	// own: the leg came from no claim, such as a call that the agent dialled.
	own bool
	// began is since when it talks for from.
	began time.Time
}

// state derives what the agent is doing from the facts; the order is that of [call.AgentState].
func (a *agent) state(now time.Time) call.AgentState {
	switch {
	case !a.flow:
		return call.AgentOffline
	case len(a.legs) > 0, a.talksElsewhere():
		return call.AgentTalking
	case a.offer != nil, a.taken != nil, !a.doubt.IsZero():
		return call.AgentRinging
	case a.barred:
		return call.AgentOffline
	case now.Before(a.wrapUntil), now.Before(a.restUntil), now.Before(a.echo):
		return call.AgentWrapUp
	case a.loggedOut():
		return call.AgentLoggedOut
	case a.paused:
		return call.AgentPaused
	default:
		return call.AgentReady
	}
}

// free reports whether the agent's phone may be rung for somebody who asks for this agent by name: also
// in wrap-up and in pause, which keep calls of queues away and not a colleague.
func (a *agent) free() bool {
	return a.flow && !a.barred && len(a.legs) == 0 && a.offer == nil && !a.engagedElsewhere()
}

// refresh is called after every change of an agent's facts: it brings the indexes and the deadline
// into line with them.
func (d *desk) refresh(a *agent) {
	if a.forgotten {
		return
	}
	if !d.now.Before(a.doubt) {
		a.doubt = time.Time{}
	}
	d.letGo(a)
	state := a.state(d.now)
	if state != a.shown {
		d.count(a, -1)
		a.shown, a.since = state, d.now
		d.count(a, 1)
	}
	d.alarms.remove(&a.wake)
	if a.wake.at = soonest(d.now, a.wrapUntil, a.restUntil, a.alarmRest, a.doubt, a.echo, a.bookedUntil); !a.wake.at.IsZero() {
		d.alarms.add(&a.wake)
	}
	d.ladder.touch()
	d.sayRest(a)
	d.muster(a)
	d.enlist(a, state == call.AgentReady)
	d.review(a)
	if a.removed && len(a.legs) == 0 && a.offer == nil && a.taken == nil {
		d.forget(a)
	}
}

// setFlow takes in that an agent's flow came up or was lost. An offer on a lost flow fails at once; a
// live leg goes on.
func (d *desk) setFlow(a *agent, up bool) {
	if a.here == up || up && a.removed {
		return
	}
	a.here = up
	d.sayFlow(a)
	d.reached(a, d.now, true)
}

// engage takes in a leg of the agent's that did not come from an offer. The phone is in use: an open
// offer counts as busy.
func (d *desk) engage(a *agent, leg call.Leg) {
	d.attachOwn(a, leg)
	a.missed = 0
	if a.offer != nil {
		d.fail(a.offer, call.CauseBusy, d.now)
	}
	d.refresh(a)
}

// attach makes a leg count as the agent's until it ends. The caller refreshes the agent.
func (d *desk) attach(a *agent, b *busy) {
	a.legs = append(a.legs, b)
	b.stop = d.o.outside.watch(b.leg, func() {
		d.post(func(d *desk) { d.legEnded(a, b) })
	})
}

// attachOwn is attach for a leg that came from no claim.
func (d *desk) attachOwn(a *agent, leg call.Leg) {
	d.attach(a, &busy{leg: leg, own: true})
	d.sayFlow(a)
}

// legEnded takes in the end of an agent's leg. After a talk, wrap-up runs from the end of the leg.
func (d *desk) legEnded(a *agent, b *busy) {
	for i := range a.legs {
		if a.legs[i] == b {
			a.legs = append(a.legs[:i], a.legs[i+1:]...)
			break
		}
	}
	if b.own {
		d.sayFlow(a)
	}
	if b.from != nil {
		end, _ := call.EndOf(b.leg)
		if !b.began.IsZero() {
			b.from.rate.held(end.At.Sub(b.began) + b.from.WrapUp)
		}
		d.talked(a, b, end.At)
		a.wrapUp(b, end.At)
	}
	d.refresh(a)
}

// soonest is the first of some instants that is still to come; zero when none is.
func soonest(now time.Time, instants ...time.Time) (first time.Time) {
	for _, at := range instants {
		if at.After(now) && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
