package acd

import (
	"time"

	"hotline/call"
)

// say tells the other nodes a fact.
func (d *desk) say(f call.SiteFact) { d.site.told.Say(f) }

// sayFlow tells of an agent's phone here, and of its legs that came from no claim.
func (d *desk) sayFlow(a *agent) {
	if d.site == nil {
		return
	}
	f := &call.SiteFlow{Agent: a.ID, Edge: d.site.self, Since: a.hereSince}
	switch {
	case a.here:
		for _, b := range a.legs {
			if b.own {
				f.Legs++
			}
		}
		if f.Since.IsZero() {
			a.hereSince = d.now
			f.Since = d.now
		}
		d.say(call.SiteFact{Flow: f})
	case !a.hereSince.IsZero():
		a.hereSince = time.Time{}
		d.say(call.SiteFact{FlowGone: f})
	}
}

// sayCaller tells of one of our callers who waits.
func (d *desk) sayCaller(c *caller) {
	if d.site == nil || c.remote != nil {
		return
	}
	c.said = true
	f := &call.SiteCaller{
		Call: c.CallID, Owner: d.site.self, Queue: c.Queue, Agent: c.Agent, Once: c.Once, From: c.From, Private: c.Private,
		Asserted: c.Asserted, Front: c.Front, Stay: c.Stay, Prefer: c.Prefer, Entered: c.Entered, Came: c.came,
		Order: int64(c.common / time.Microsecond), Rejoined: c.rejoined,
	}
	if c.regular != nil {
		f.Regular = c.regular.ID
	}
	d.say(call.SiteFact{Caller: f})
}

// sayGone tells that one of our callers waits no more.
func (d *desk) sayGone(c *caller) {
	if !c.said {
		return
	}
	c.said = false
	how, at := c.seat.ended()
	if at.IsZero() {
		at = d.now
	}
	d.say(call.SiteFact{Gone: &call.SiteCallerGone{Call: c.CallID, Owner: d.site.self, How: how, At: at, Agent: c.by}})
}

// sayShift tells what an agent chose here.
func (d *desk) sayShift(a *agent) {
	if d.site == nil {
		return
	}
	if d.site.state != call.SiteJoined {
		d.site.chose[a.ID] = true
	}
	s := a.shift()
	d.say(call.SiteFact{Shift: &s})
}

// sayChosen tells again what was chosen here while it may not have reached the others.
func (d *desk) sayChosen() {
	if d.site.state != call.SiteJoined {
		return
	}
	for id := range d.site.chose {
		if a := d.byAgent[id]; a != nil {
			s := a.shift()
			d.say(call.SiteFact{Shift: &s})
		}
	}
	clear(d.site.chose)
}

// sayPlace tells of a place that is kept here, or was taken up again.
func (d *desk) sayPlace(p *place, taken bool) {
	if d.site == nil {
		return
	}
	left := p.left
	if taken {
		left = d.now // p.left, turned to the book's clock once more, may come out earlier than what the book has
	}
	d.say(call.SiteFact{Place: &call.SitePlace{
		Queue: p.queue, Number: p.number, Entered: p.entered, Left: left, Until: p.until, Taken: taken,
	}})
}

// sayRegular tells who talked to a number last. What happened before this desk was made the others know from the
// records, as this one does.
func (d *desk) sayRegular(of numberAt, a *agent, at time.Time) {
	if d.site != nil && at.After(d.opened) && d.regulars.within[of.queue] > 0 {
		d.say(call.SiteFact{Regular: &call.SiteRegular{Queue: of.queue, Number: of.number, Agent: a.ID, At: at}})
	}
}

// rest is what there is to know of an agent's facts that offers and talks change.
func (d *desk) rest(a *agent) call.SiteRest {
	return call.SiteRest{
		Agent: a.ID, By: d.site.self, How: a.how, Queue: a.span.queue, Talked: a.span.talked,
		WrapUntil: a.wrapUntil, RestUntil: a.restUntil, AlarmRest: a.alarmRest, Idle: a.idle, Missed: a.missed,
	}
}

// sayRelease gives the claim on an agent back, with what it has left.
func (d *desk) sayRelease(a *agent) {
	if d.site == nil {
		return
	}
	r := d.rest(a)
	a.known, a.span, a.how = a.left(), span{}, ""
	d.site.told.Release(a.ID, a.forCall, r)
	a.forCall = ""
	if d.site.state == call.SiteJoined {
		a.echo = d.now.Add(echoMost)
	}
}

// sayRest tells what of that has changed outside of a claim, such as a wrap-up that was ended by hand.
func (d *desk) sayRest(a *agent) {
	if d.site == nil || a.claim != (call.Token{}) || a.left() == a.known && a.span == (span{}) {
		return
	}
	r := d.rest(a)
	r.How = ""
	a.known, a.span = a.left(), span{}
	d.say(call.SiteFact{Rest: &r})
}
