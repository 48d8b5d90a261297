package acd

import (
	"cmp"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"hotline/call"
)

// desk is every queue and agent, and what is going on between them. Only the goroutine in Center.Run
// touches it, and its methods take the time from now, the instant of the message being handled.
type desk struct {
	o       *Options
	figures *figures
	// post puts a message into the desk's own inbox.
	post func(message) bool

	queues  []*queue
	agents  []*agent
	byQueue map[string]*queue // replaced whole, and never changed: others read it by names
	byAgent map[string]*agent // likewise
	names   atomic.Pointer[directory]
	// people is where calls between two people wait: no queue that anybody sees, and no figures.
	people  *queue
	alarms  *order[*alarm]
	touched touched
	ladder  *ladder // nil: no queue is for alarms
	// unsettled is for the limits to look at after the match; places are those that may be taken up again.
	unsettled unsettled
	places    *places
	states    map[call.AgentState]int // agents by state shown
	seq       uint64
	round     uint64 // of matches
	now       time.Time
	opened    time.Time // when the desk was made; entering is counted from it
	day       time.Time // when today began
	// midnight is when today's figures begin anew.
	midnight alarm
	regulars *regulars
	// forgetting is when the next number remembered is past its time.
	forgetting alarm
	closing    bool // nobody is rung any more
	// at is whom the match is at, so that it is known over whom it had a panic; nil: over nobody.
	at *caller
	// again is when a match that a fault of ours ended is tried anew.
	again   alarm
	ringing int // goroutines in ring that have not reported
	wg      sync.WaitGroup
	// background runs what may wait, such as a phone's ringing, on a goroutine that drain waits for; the tests
	// that step through a desk have it do nothing.
	background func(f func())
	// site is what other nodes say; nil where there are none.
	site *siteDesk
}

// alarm is a deadline; those of one instant fire in the order of seq.
type alarm struct {
	at    time.Time
	seq   uint64
	fire  func()
	place int
}

func (a *alarm) before(x *alarm) bool {
	return cmp.Or(a.at.Compare(x.at), cmp.Compare(a.seq, x.seq)) < 0
}

func newDesk(o *Options, f *figures, post func(message) bool) *desk {
	now := o.now()
	d := &desk{
		o: o, figures: f, post: post, now: now, opened: now,
		people:  newQueue(o, Queue{}),
		byQueue: map[string]*queue{}, byAgent: map[string]*agent{},
		states: map[call.AgentState]int{}, places: newPlaces(), regulars: newRegulars(o.Queues),
		alarms: newOrder((*alarm).before, func(a *alarm) *int { return &a.place }),
	}
	d.background, d.touched.once = d.wg.Go, newTries()
	d.site = newSiteDesk(o)
	for _, settings := range o.Queues {
		q := newQueue(o, settings)
		d.queues = append(d.queues, q)
		d.byQueue[q.Name] = q
		f.open(q.Name)
	}
	d.ladder = newLadder(o, d.byQueue)
	for _, settings := range o.Agents {
		d.addAgent(settings)
	}
	d.restore(o.Shifts)
	d.midnight = alarm{fire: d.newDay}
	d.forgetting = alarm{fire: d.forgetPast}
	d.again = alarm{fire: func() {}} // a match follows whatever is due
	d.awaitMidnight()
	d.publish()
	return d
}

func newQueue(o *Options, settings Queue) *queue {
	settings.Strategy = cmp.Or(settings.Strategy, LongestIdle)
	q := &queue{
		Queue: settings, strategy: strategies[settings.Strategy], want: newCircles(len(settings.Widen)),
		cursors: map[int]cursor{}, levels: map[int]int{}, excluded: map[string]int{},
	}
	q.Progress = cmp.Or(q.Progress, defaultProgress)
	q.plan = q.strategy.plan(o, &q.Queue)
	q.ready = newOrder(
		func(a, b *slot) bool { return q.strategy.goesBefore(a.key, b.key) },
		func(s *slot) *int { return &s.place })
	q.waiting = newOrder(
		func(a, b *caller) bool { return a.Entered.Before(b.Entered) },
		func(c *caller) *int { return &c.placeWaiting })
	if o.Site != nil {
		q.own = newOrder(q.waiting.before, func(c *caller) *int { return &c.placeOwn })
	}
	return q
}

func (d *desk) addAgent(settings Agent) {
	a := d.newAgent(settings)
	d.enrol(a)
	for _, s := range a.slots {
		s.count(a.out())
	}
	d.agents = append(d.agents, a)
	d.byAgent[a.ID] = a
}

// newAgent makes an agent who is offline and serves no queue yet.
func (d *desk) newAgent(settings Agent) *agent {
	settings.Skills = maps.Clone(settings.Skills)
	a := &agent{Agent: settings, direct: wantOrder(), shown: call.AgentOffline, since: d.now}
	d.seq++
	a.wake = alarm{seq: d.seq, fire: func() { d.refresh(a) }}
	d.count(a, 1)
	return a
}

// count counts an agent in or out, by n, of those who do what they do. A supervisor is none of them: gauge and wall tell
// how many there are to serve callers.
func (d *desk) count(a *agent, n int) {
	if !a.Supervisor {
		d.states[a.shown] += n
	}
}

// due takes the first deadline that has come, if one has.
func (d *desk) due(now time.Time) (fire func(), ok bool) {
	a, ok := d.alarms.first()
	if !ok || a.at.After(now) {
		return nil, false
	}
	d.alarms.remove(a)
	return a.fire, true
}

// windDown withdraws every offer, rings nobody any more, and lets go of the agents' legs, which go on.
func (d *desk) windDown() {
	d.closing = true
	if d.ladder != nil {
		for _, c := range d.ladder.queue.waiting.items {
			d.withdrawDuty(c, call.CauseShutdown)
		}
	}
	for _, a := range d.agents {
		if a.offer != nil && !a.offer.remote() {
			d.withdraw(a.offer, call.CauseShutdown)
			d.refresh(a)
		}
	}
}
