package acd

import (
	"maps"
	"slices"
	"time"

	"hotline/call"
)

// sameStay is how far apart two readings of the instant of one coming may be: the clocks of the site are estimated anew
// again and again.
const sameStay = time.Second

// deathUnknown is for how long at most a node may be dead without the others being told: its lease, and as long again for
// who looks whether that is over, and for the log.
const deathUnknown = 10 * time.Second

// all are the callers of other nodes, in the order in which they would be served, so that whatever is done for each is
// done alike everywhere.
func (s *siteDesk) all() []*caller {
	return slices.SortedFunc(maps.Values(s.callers), func(a, b *caller) int {
		if a.goesBefore(b) {
			return -1
		}
		return 1 // the order is total
	})
}

// of are those of one node.
func (s *siteDesk) of(owner call.NodeID) []*caller {
	return slices.DeleteFunc(s.all(), func(c *caller) bool { return c.remote.Owner != owner })
}

// learnCaller takes in that a caller waits at another node, or what has changed of one who does. The rank is kept.
func (d *desk) learnCaller(f *call.SiteCaller, whole *census) {
	s := d.site
	if s.ours(f.Owner) {
		return
	}
	d.tookPlace(f)
	key := keyOf(f.Owner, f.Call)
	if c := s.callers[key]; c != nil {
		if c.Queue == f.Queue && c.Agent == f.Agent && c.came.Sub(f.Came).Abs() < sameStay {
			d.changed(c, f)
			if whole != nil {
				whole.callers[c] = true
			}
			return
		}
		d.dropRemote(c, howMoved, d.now) // another stay of the same call
	}
	c := d.seatRemote(f)
	if c == nil {
		s.setApart(call.SiteFact{Caller: f})
		return
	}
	if whole != nil {
		whole.callers[c] = true
	}
	s.callers[key] = c
	d.seq++
	d.enter(c)
	for _, a := range slices.Clone(s.claimed[key]) {
		d.joinClaim(a, c)
		d.refresh(a)
	}
}

// seatRemote makes a caller of another node, with a seat that nobody sits in: it keeps what phones ring, by which the
// rescue ring and the circles go. Nil: this node knows no such queue or agent.
func (d *desk) seatRemote(f *call.SiteCaller) *caller {
	told := *f
	c := &caller{
		Ticket: call.Ticket{
			CallID: f.Call, Queue: f.Queue, Agent: f.Agent, Once: f.Once, From: f.From, Private: f.Private,
			Asserted: f.Asserted, Front: f.Front, Stay: f.Stay, Prefer: f.Prefer, Entered: f.Entered,
		},
		queue: d.byQueue[f.Queue], remote: &told, unwatch: func() bool { return true },
	}
	c.came, c.rejoined = f.Came, f.Rejoined
	c.spent = f.Once // one try is its own node's, at once
	if f.Queue == "" {
		c.queue = d.people
	}
	if f.Agent != "" {
		if c.only = d.byAgent[f.Agent]; c.only == nil || c.only.removed {
			return nil
		}
	}
	if c.queue == nil || c.queue == d.people && c.only == nil {
		return nil
	}
	c.seat = &seat{cycle: d.o.Ring.Cycle(), now: d.o.now, visit: call.Visit{Queue: f.Queue, Entered: f.Entered}}
	return c
}

// changed takes in what else a caller's node says now.
func (d *desk) changed(c *caller, f *call.SiteCaller) {
	told := *f
	c.remote = &told
	switch {
	case f.Rejoined && !c.rejoined:
		d.backdate(c, f.Entered)
	case f.Order != 0 && c.waits() && d.common(c) != c.common:
		d.rerank(c, func() {})
	}
	if c.regular != nil && c.regular.ID != f.Regular {
		d.anybody(c)
	}
}

// learnGone takes in that a caller of another node waits no more.
func (d *desk) learnGone(f *call.SiteCallerGone) {
	key := keyOf(f.Owner, f.Call)
	delete(d.site.apart, apartKey{"caller", f.Owner.Process(), f.Call})
	c := d.site.callers[key]
	if c == nil {
		return
	}
	if f.How == howAnswered {
		for _, a := range d.site.claimed[key] {
			if a.ID == f.Agent && a.taken.Answered.IsZero() {
				a.taken.Answered = f.At
				d.talks(a)
				d.refresh(a)
			}
		}
	}
	d.dropRemote(c, howWithdrawn, f.At)
}

// outlive keeps the place of a caller whose node died, as of one who was cut off. Who has called again before that was known
// has it at once, where that call is ours.
func (d *desk) outlive(c *caller) {
	d.dropRemote(c, howWithdrawn, d.now)
	if !c.knows() {
		return
	}
	d.places.keep(placeKey{c.Queue, c.From}, c.Entered, d.now, c.queue.Rejoin)
	if again := d.redialled(c); again != nil && again.remote == nil {
		d.rejoinWaiting(again)
	}
	d.forgetPast()
}

// redialled is the caller in whom one comes back whose node is dead: the first of that number, at whatever node, so that
// all desks find the same one, who came after and not before the node may have died. Nil: nobody has called again yet.
func (d *desk) redialled(lost *caller) (again *caller) {
	since := d.now.Add(-deathUnknown)
	for _, x := range lost.queue.waiting.items {
		if x.From != lost.From || !x.knows() || x.rejoined || !lost.Entered.Before(x.Entered) || x.came.Before(since) {
			continue
		}
		if again == nil || x.goesBefore(again) {
			again = x
		}
	}
	return again
}

// dropRemote takes a caller of another node out of its queue, however the stay ended.
func (d *desk) dropRemote(c *caller, how string, at time.Time) {
	delete(d.site.callers, keyOf(c.remote.Owner, c.CallID))
	if c.waits() {
		d.drop(c)
	}
	for _, o := range slices.Clone(c.offers) {
		if o.expected {
			d.unexpect(o)
			continue
		}
		d.close(o, how, at) // the phone is another node's until that gives it back
	}
}

// setApart takes a caller of another node out who wants an agent that there is none of any more.
func (d *desk) setApart(c *caller) {
	told := *c.remote
	d.dropRemote(c, howWithdrawn, d.now)
	d.site.setApart(call.SiteFact{Caller: &told})
}

// tookPlace drops the place that a caller of another node is back in: of one that each desk has kept by itself, from a node
// that died, nothing else tells it.
func (d *desk) tookPlace(f *call.SiteCaller) {
	kept := d.places.kept[placeKey{f.Queue, f.From}]
	if f.Rejoined && kept != nil && kept.entered.Sub(f.Entered).Abs() < sameStay {
		d.places.drop(kept)
		d.forgetPast()
	}
}

// learnPlace takes in a place that is kept at another node, or was taken up again there.
func (d *desk) learnPlace(f *call.SitePlace) {
	key := placeKey{f.Queue, f.Number}
	kept := d.places.kept[key]
	switch q := d.byQueue[f.Queue]; {
	case kept != nil && kept.left.Sub(f.Left) > sameStay: // of another stay, since
	case f.Taken && kept != nil:
		d.places.drop(kept)
	case f.Taken, q == nil, q.retired, q.Rejoin <= 0, f.Number == "", f.Until.Before(d.now):
	default:
		d.places.keep(key, f.Entered, f.Left, f.Until.Sub(f.Left))
	}
	d.forgetPast()
}

// learnRegular takes in who talked to a number at another node.
func (d *desk) learnRegular(f *call.SiteRegular) {
	if a := d.byAgent[f.Agent]; a != nil {
		d.regulars.learn(numberAt{f.Queue, f.Number}, a, f.At, d.now)
		d.forgetPast()
	}
}
