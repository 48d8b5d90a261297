package acd

import (
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// reach is where an agent's phone is registered, of the nodes of a site.
type reach struct {
	// here: at this node, since when as the others were told. beyond is at another one, as that one says.
	here      bool
	hereSince time.Time
	beyond    *call.SiteFlow
	// barred: it may not be rung now, since it is beyond and this node may be taken for dead.
	barred bool
}

// claimed is what is known of the claims on an agent.
type claimed struct {
	// taken is another node's, or an orphan.
	taken *taken
	// doubt is until when the agent is left alone, since a ring was told that another call has the agent, which the log
	// does not say yet; doubts is how often in a row. Zero: there is none.
	doubt  time.Time
	doubts int
	// echo is until when the agent, of whom we have given a claim back, is not matched before the log says so: matched in the
	// log's order, as at all nodes, two agents who are free at once are not given to the same caller by two of them.
	echo time.Time
	// forCall is the call for which this desk has the agent, how the last offer of it ended, and span what was talked
	// since the others were told of it last.
	forCall string
	how     string
	span    span
	// known is what the others know.
	known left
}

// span is a talk for a queue.
type span struct {
	queue  string
	talked time.Duration
}

// left is what offers and talks leave on an agent.
type left struct {
	wrapUntil, restUntil, alarmRest, idle time.Time
	missed                                int
}

func (a *agent) left() left {
	return left{a.wrapUntil, a.restUntil, a.alarmRest, a.idle, a.missed}
}

// talkedFor notes what others are to be told of a talk.
func (a *agent) talkedFor(queue string, d time.Duration) {
	a.span.queue = queue
	a.span.talked += max(0, d)
}

// talksElsewhere reports whether the agent is in a call that another node has, or whose edge another node is.
func (a *agent) talksElsewhere() bool {
	return a.taken != nil && !a.taken.Answered.IsZero() || !a.here && a.beyond != nil && a.beyond.Legs > 0
}

// engagedElsewhere reports whether the phone is another node's to ring, or may be.
func (a *agent) engagedElsewhere() bool {
	return a.taken != nil || !a.doubt.IsZero() || a.talksElsewhere()
}

// outOfReach reports whether not even an alarm gets this phone: a talk goes on elsewhere, or nobody knows for which call
// it rings.
func (a *agent) outOfReach() bool {
	return a.talksElsewhere() || !a.doubt.IsZero() || a.taken != nil && (a.taken.offer == nil || a.taken.Orphan)
}

// orphan reports whether the agent is kept for a call whose node is dead.
func (a *agent) orphan() bool { return a.taken != nil && a.taken.Orphan }

// reached derives whether the phone can be reached, since when at the latest; lost says that it was lost, so that an offer
// on it fails at once.
func (d *desk) reached(a *agent, since time.Time, lost bool) {
	up := a.here || a.beyond != nil && !a.removed
	barred := up && !a.here && d.site.unsure()
	if up == a.flow && barred == a.barred {
		return
	}
	if up && !a.flow {
		told := a.left() == a.known
		a.idle = later(a.idle, later(since, a.wrapUntil))
		if told { // the others work that out too
			a.known = a.left()
		}
	}
	a.flow, a.barred = up, barred
	if lost && !up && a.offer != nil {
		d.fail(a.offer, call.CauseUnreachable, d.now)
	}
	d.refresh(a)
}

// learnFlow takes in that a phone is registered at another node.
func (d *desk) learnFlow(f *call.SiteFlow, whole *census) {
	if d.site.ours(f.Edge) {
		return
	}
	a := d.byAgent[f.Agent]
	if a == nil || a.removed {
		d.site.setApart(call.SiteFact{Flow: f})
		return
	}
	if whole != nil {
		whole.phones[a] = true
	}
	told := *f
	a.beyond = &told
	since := f.Since
	if since.After(d.now) {
		since = d.now
	}
	d.reached(a, since, false)
	d.refresh(a) // its legs may have changed
}

// learnFlowGone takes in that another node has a phone no more; the phone may be elsewhere since.
func (d *desk) learnFlowGone(f *call.SiteFlow) {
	d.site.flowGoneApart(f)
	if a := d.byAgent[f.Agent]; a != nil && a.beyond != nil && a.beyond.Edge.Process() == f.Edge.Process() {
		a.beyond = nil
		d.reached(a, d.now, true)
		d.refresh(a)
	}
}

// sever forgets, of an agent who is no more, what other nodes say, and keeps it should there be such an agent again.
func (d *desk) sever(a *agent) {
	if d.site == nil {
		return
	}
	if s := a.shift(); !s.Plain() {
		d.site.setApart(call.SiteFact{Shift: &s})
	}
	if a.beyond != nil {
		d.site.setApart(call.SiteFact{Flow: a.beyond})
		a.beyond = nil
		d.reached(a, d.now, true)
	}
	if a.taken != nil {
		d.site.setApart(call.SiteFact{Claim: &a.taken.SiteClaim})
		d.untake(a, howWithdrawn, d.now)
	}
}

// learnRest takes in what a claim that was given back has left on its agent, or what has changed of that since.
func (d *desk) learnRest(r *call.SiteRest, whole *census) {
	d.site.restApart(r)
	a := d.byAgent[r.Agent]
	if a == nil {
		return
	}
	claim := r.Token != call.Token{}
	if d.site.ours(r.By) { // what it says is known here, but for the end of an orphan that is this node's own
		if claim && !a.echo.IsZero() {
			a.echo = time.Time{}
			d.refresh(a)
		}
		if t := a.taken; claim && t != nil && d.site.ours(t.Owner) && t.Token.Compare(r.Token) <= 0 {
			d.untake(a, r.How, d.now)
			d.refresh(a)
		}
		return
	}
	var of call.SiteClaim
	if claim && a.taken != nil && a.taken.Token.Compare(r.Token) <= 0 {
		of = a.taken.SiteClaim
		d.untake(a, r.How, d.now)
	}
	if whole == nil {
		d.countTalk(a, r, of.Call)
	}
	if claim || whole != nil {
		a.wrapUntil = later(a.wrapUntil, r.WrapUntil)
		a.idle = later(a.idle, r.Idle)
	} else { // by hand: a wrap-up may have been made shorter
		a.wrapUntil = orElse(r.WrapUntil, a.wrapUntil)
		a.idle = orElse(r.Idle, a.idle)
	}
	a.restUntil = later(a.restUntil, r.RestUntil)
	a.alarmRest = later(a.alarmRest, r.AlarmRest)
	a.missed = r.Missed
	a.known = a.left()
	if r.How == howTaken { // the phone's edge refuses, and would refuse us
		d.doubt(a)
	} else {
		a.doubt, a.doubts = time.Time{}, 0
	}
	d.refresh(a)
}

func orElse(at, otherwise time.Time) time.Time {
	if at.IsZero() {
		return otherwise
	}
	return at
}

// countTalk counts a talk that another node had, once: in what the strategies go by, and in the figures of the day. Who
// ended it only its record knows.
func (d *desk) countTalk(a *agent, r *call.SiteRest, id string) {
	q := d.byQueue[r.Queue]
	answered := r.Token != call.Token{} && r.How == howAnswered
	if answered {
		a.calls++
	}
	if q == nil {
		return
	}
	a.talked += max(0, min(r.Talked, d.now.Sub(d.day)))
	if s := a.serves(q); s != nil && answered {
		s.calls++
	}
	if answered {
		a.day(d.date(d.now)).Calls++
		q.rate.held(r.Talked + q.WrapUp)
		a.last = talked{call: id, queue: q, ended: d.now}
	}
	for _, s := range a.slots {
		d.rekey(s)
	}
}

// learnShift takes in what an agent chose at another node, or here. The last one in the log holds at all of them.
func (d *desk) learnShift(s *call.Shift, whole *census) {
	a := d.byAgent[s.Agent]
	if a == nil {
		d.site.setApart(call.SiteFact{Shift: s})
		return
	}
	if whole != nil && d.site.chose[a.ID] {
		return // what was chosen here is newer than what the others could know
	}
	a.paused, a.reason, a.pausedAt = false, "", time.Time{}
	a.choose(s)
	d.o.Logger.Debug("shift of the site", zap.String("agent", a.ID), zap.Bool("paused", a.paused))
	d.refresh(a)
}

// viewSite adds what those who watch are to know of the node.
func (a *agent) viewSite(v *call.AgentView) {
	if a.beyond != nil && !a.here {
		v.Edge = a.beyond.Edge
	}
	if a.taken != nil {
		v.Owner, v.Orphan, v.Call = a.taken.Owner, a.taken.Orphan, a.taken.Call
	}
}
