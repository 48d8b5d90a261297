package acd

import (
	"slices"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// An agent and another node's caller:
//
//	from     | what comes                                   | then
//	free     | the match pairs them                         | expected: the agent is kept for that caller
//	free     | the log: claimed, though nobody expected it  | claimed; the strategy goes on from that agent
//	expected | the log: claimed for that call               | claimed
//	expected | the log: claimed for another                 | of that one; the caller wants another agent
//	expected | expectWithin is over                         | free; the caller is passed over for minDelay
//	expected | the caller needs no more phones, or has gone | free
//	claimed  | the log: the first 18x                       | the promise clock may begin
//	claimed  | the caller has gone, or is to have no phone  | closing: the phone is not free yet
//	claimed  | the log: answered                            | talk; the caller is out of the queue
//	any      | the log: its node is dead, or not sure       | orphan: nobody is rung
//	any      | the log: given back, cleared                 | free, with what it has left

// echoMost is how long the log may take to say what we have said, before an agent is matched without: a claim asked for then would
// not be answered sooner.
const echoMost = 20 * time.Millisecond

// How long an agent is left alone of whom a ring was told that another call has them, as long as the log does not say
// which: so long at first, and twice as long each time that this is told again, up to the most.
const (
	doubtFirst = 250 * time.Millisecond
	doubtMost  = 2 * time.Second
)

// taken is another node's claim on an agent, or an orphan.
type taken struct {
	call.SiteClaim
	// offer is that of the caller it is for; nil when none is known.
	offer *offer
}

// expect keeps an agent for a caller of another node with whom the match has paired them.
func (d *desk) expect(c *caller, a *agent) {
	d.chosen(c, a)
	o := &offer{caller: c, agent: a, index: -1, sent: d.now, open: true, expected: true}
	d.seq++
	o.alarm = alarm{at: d.now.Add(expectWithin), seq: d.seq, fire: func() { d.lapse(o) }}
	d.alarms.add(&o.alarm)
	a.offer = o
	c.offers = append(c.offers, o)
	d.index(c)
	d.refresh(a)
}

// lapse gives a claim up that did not come in time: the caller's node may be dead, or cut off, or see something else.
func (d *desk) lapse(o *offer) {
	c := o.caller
	if !c.aside {
		d.passOver(c)
	}
	d.unexpect(o)
	d.o.Logger.Debug("another node's claim did not come", zap.String("call", c.CallID), zap.String("agent", o.agent.ID),
		zap.String("node", string(c.remote.Owner)))
}

// unexpect frees an agent who was kept for a caller of another node.
func (d *desk) unexpect(o *offer) {
	o.expected = false
	d.close(o, howWithdrawn, d.now)
	if o.agent.offer == o {
		o.agent.offer = nil
	}
	d.refresh(o.agent)
}

// withdrawRemote has no phone ring for a caller of another node: one that rings is that node's to take back, and the agent
// is not free before it has.
func (d *desk) withdrawRemote(o *offer) {
	if o.expected {
		d.unexpect(o)
		return
	}
	d.close(o, howWithdrawn, d.now)
}

// lose takes in that another call has the agent whom a ring of ours was to ring: nobody is at fault, so that the agent
// rests from nothing, and the caller keeps the place.
func (d *desk) lose(o *offer, at time.Time) {
	a := o.agent
	o.why = call.CauseTaken
	d.close(o, howTaken, at)
	if a.taken == nil {
		d.doubt(a)
	}
	o.cancel(call.CancelCause{Why: call.CauseTaken})
	d.giveUp(o.caller, call.CauseBusy)
}

// doubt leaves an agent alone for a while, longer each time.
func (d *desk) doubt(a *agent) {
	a.doubt = d.now.Add(min(doubtMost, doubtFirst<<min(a.doubts, 4)))
	a.doubts++
}

// learnClaim takes in a claim on an agent, or what has become of it.
func (d *desk) learnClaim(f *call.SiteClaim, whole *census) {
	a := d.byAgent[f.Agent]
	if a == nil {
		if !d.site.ours(f.Owner) {
			d.site.setApart(call.SiteFact{Claim: f})
		}
		return
	}
	if d.site.ours(f.Owner) && (!f.Orphan || a.forCall == f.Call && a.claim != (call.Token{})) {
		if a.taken != nil && a.taken.Token.Compare(f.Token) <= 0 { // an orphan that is ours again
			d.untake(a, howWithdrawn, d.now)
			d.refresh(a)
		}
		return
	}
	if whole != nil {
		whole.claims[a] = true
	}
	if a.taken != nil && a.taken.Token == f.Token && keyOf(a.taken.Owner, a.taken.Call) == keyOf(f.Owner, f.Call) {
		d.marked(a, f)
	} else {
		d.take(a, f)
	}
	d.refresh(a)
}

// take takes in a new claim.
func (d *desk) take(a *agent, f *call.SiteClaim) {
	if a.taken != nil {
		d.untake(a, howWithdrawn, d.now)
	}
	key := keyOf(f.Owner, f.Call)
	if o := a.offer; o != nil && o.expected && keyOf(o.caller.remote.Owner, o.caller.CallID) != key {
		d.unexpect(o)
	}
	claim := *f
	claim.Rung, claim.Answered = time.Time{}, time.Time{}
	a.taken = &taken{SiteClaim: claim}
	d.site.claimed[key] = append(d.site.claimed[key], a)
	if c := d.site.callers[key]; c != nil && c.waits() {
		d.joinClaim(a, c)
	}
	d.marked(a, f)
}

// joinClaim has a claim be an offer of the caller it is for.
func (d *desk) joinClaim(a *agent, c *caller) {
	t := a.taken
	if t.offer != nil || !t.Answered.IsZero() || t.Orphan {
		return
	}
	o := a.offer
	if o != nil && o.expected && o.caller == c {
		d.alarms.remove(&o.alarm)
		o.alarm, o.expected = alarm{}, false
	} else {
		d.follow(c, a)
		o = &offer{caller: c, agent: a, open: true}
		c.offers = append(c.offers, o)
	}
	o.sent = t.Since
	o.index, _ = c.seat.choose(a.ID, t.Since, nil)
	t.offer = o
	if a.offer == nil || a.offer.expected {
		a.offer = o
	}
	if !t.Rung.IsZero() {
		d.ringsRemote(o, t.Rung)
	}
	d.rungFor(c)
	d.index(c)
	d.surplus(c)
}

// follow has the strategy go on from an agent whom another node chose, as if it had been chosen here.
func (d *desk) follow(c *caller, a *agent) {
	if s := a.serves(c.queue); s != nil && s.place != 0 && c.wanted() == nil && c.climb == nil {
		c.queue.cursors[s.level] = s.key.cursor
	}
}

// surplus frees agents who are kept for a caller of another node beyond what that one may have: it has others.
func (d *desk) surplus(c *caller) {
	if c.climb != nil && c.climb.at != skilled {
		return
	}
	for _, o := range slices.Backward(slices.Clone(c.offers)) {
		if len(c.offers) > c.fanOut(d.now) && o.expected {
			d.unexpect(o)
		}
	}
}

// marked takes in that a phone which another node claimed rings, was answered, or is nobody's any more.
func (d *desk) marked(a *agent, f *call.SiteClaim) {
	t := a.taken
	t.Owner, t.Edge, t.Orphan = f.Owner, f.Edge, f.Orphan
	if t.Rung.IsZero() && !f.Rung.IsZero() {
		t.Rung = f.Rung
		if t.offer != nil && t.offer.open {
			d.ringsRemote(t.offer, f.Rung)
		}
	}
	if t.Answered.IsZero() && !f.Answered.IsZero() {
		t.Answered = f.Answered
		d.talks(a)
	}
	if t.Orphan && t.offer != nil && t.offer.open {
		d.close(t.offer, howWithdrawn, d.now)
		if t.Rung.IsZero() {
			d.unheard(t.offer.caller)
		}
	}
}

// ringsRemote takes in the first 18x.
func (d *desk) ringsRemote(o *offer, at time.Time) {
	o.rung = at
	o.caller.seat.progress(o.index, 180, at)
	d.index(o.caller)
}

// talks takes in that an agent has answered another node's caller, who is out of the queue by that.
func (d *desk) talks(a *agent) {
	o := a.taken.offer
	if o == nil {
		return
	}
	if o.open {
		d.depart(o.caller)
		d.close(o, howAnswered, a.taken.Answered)
		d.dropRemote(o.caller, howWithdrawn, a.taken.Answered)
	}
	if a.offer == o {
		a.offer = nil
	}
}

// untake takes in that a claim is no more. Who calls it refreshes the agent.
func (d *desk) untake(a *agent, how string, at time.Time) {
	t := a.taken
	a.taken = nil
	key := keyOf(t.Owner, t.Call)
	agents := slices.DeleteFunc(d.site.claimed[key], func(x *agent) bool { return x == a })
	if d.site.claimed[key] = agents; len(agents) == 0 {
		delete(d.site.claimed, key)
	}
	if o := t.offer; o != nil {
		ended := o.open
		if ended {
			d.close(o, how, at)
		}
		if a.offer == o {
			a.offer = nil
		}
		if ended && o.caller.waits() {
			d.surplus(o.caller) // with the oldest offer its plan may have begun anew
		}
	}
}

// learnCleared takes in that a claim is no more, and left nothing.
func (d *desk) learnCleared(f *call.SiteClaim) {
	d.site.clearApart(f)
	if a := d.byAgent[f.Agent]; a != nil && a.taken != nil && a.taken.Token.Compare(f.Token) <= 0 {
		d.untake(a, howWithdrawn, d.now)
		d.refresh(a)
	}
}
