package acd

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// directory is what others than the desk's goroutine look up. It is replaced whole, by that goroutine.
type directory struct {
	queues map[string]*queue
	agents map[string]*agent
	cycle  time.Duration // of one ring
	o      *Options      // the settings; what a reload passes over is not in it
}

// publish makes the desk's queues and agents those that others look up.
func (d *desk) publish() {
	o := *d.o
	d.names.Store(&directory{queues: d.byQueue, agents: d.byAgent, cycle: o.Ring.Cycle(), o: &o})
}

// Reload checks other queues, agents, rings, ageing, codes and ladder, and returns what puts them in force; until that
// is called nothing has changed. All else in the options is passed over: the ports stay, and so does the alarm
// queue. Put returns when the desk has taken everything in, and may be called from any goroutine but the desk's.
//
// Callers stay where they wait, with the rank they have, and phones ring on. A queue that is no more takes those
// who are still on their way to it, and is served by the agents who served it; by all, if none of them is left.
// An agent who is no more is offered nothing, and is forgotten once the talk is over.
func (c *Center) Reload(o Options) (put func(), err error) {
	o.Phones, o.Dialer = c.o.Phones, c.o.Dialer
	if now := c.desk.names.Load().o.Ladder.Queue; o.Ladder.Queue != now {
		return nil, fmt.Errorf("acd: %w: %q is now %q", ErrAlarmQueue, now, o.Ladder.Queue)
	}
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("acd: %w", err)
	}
	return func() {
		taken := make(chan struct{})
		if c.inbox.put(func(d *desk) { defer close(taken); d.reload(&o) }) && c.running.Load() {
			select {
			case <-taken:
			case <-c.done:
			}
		}
	}, nil
}

// reload replaces the settings, and derives every index anew from them and the facts.
func (d *desk) reload(o *Options) {
	d.o.Queues, d.o.Agents, d.o.Open, d.o.Ladder, d.o.Codes = o.Queues, o.Agents, o.Open, o.Ladder, o.Codes
	d.regulars.reload(o.Queues)
	d.places.reload(o.Queues)
	d.o.Rings, d.o.Ring, d.o.Ageing = o.Rings, o.Ring, o.Ageing
	if d.ladder != nil {
		d.ladder.rungs, d.ladder.numbers = o.Ladder.rungs(), o.Ladder.Numbers
	}
	for _, q := range d.queues {
		q.ready.clear()
		q.want.clear()
		d.roll(q) // by those who were at work; rebuild counts them anew
		q.staff = staff{}
	}
	d.reloadQueues(o)
	removed := d.reloadAgents(o)
	for _, q := range d.queues {
		q.serving = nil
	}
	for _, a := range d.agents {
		d.enrol(a)
	}
	for _, q := range d.queues {
		if q.retired && len(q.serving) == 0 {
			d.serveByAll(q)
		}
	}
	d.publish()
	d.rebuild()
	for _, a := range removed {
		d.dismiss(a)
	}
	for _, a := range d.agents { // of queues that are new to them as well
		if a.loggedOut() {
			d.o.OnShift(a.shift())
		}
	}
	for _, q := range d.queues { // the match looks at what was touched, and everything may have been
		d.touched.queue(q)
		d.deserted(q)
	}
	d.retryApart()
	d.o.Logger.Info("queues and agents reloaded", zap.Int("queues", len(o.Queues)), zap.Int("agents", len(o.Agents)))
}

// reloadQueues changes, adds and retires queues: those of the options first, in their order.
func (d *desk) reloadQueues(o *Options) {
	queues, byName := make([]*queue, 0, len(o.Queues)), make(map[string]*queue, len(o.Queues))
	for _, settings := range o.Queues {
		q, there := d.byQueue[settings.Name]
		if there {
			q.adjust(d.o, settings)
		} else {
			q = newQueue(d.o, settings)
			d.figures.open(q.Name)
		}
		q.retired = false
		queues, byName[q.Name] = append(queues, q), q
	}
	for _, q := range d.queues {
		if byName[q.Name] == nil {
			q.retired = true
			queues, byName[q.Name] = append(queues, q), q
		}
	}
	d.queues, d.byQueue = queues, byName
}

// adjust gives a queue other settings. Whoever waits stays, in the first circle until encircled anew.
func (q *queue) adjust(o *Options, settings Queue) {
	like := newQueue(o, settings)
	q.Queue, q.strategy, q.plan, q.want = like.Queue, like.strategy, like.plan, like.want
	for _, c := range q.waiting.items {
		c.circle, c.late = 0, false // whether it is late, by what is the limit now, the deadline says
	}
}

// reloadAgents changes and adds agents, in the order of the options, and returns those who are no more. These
// come last, until they are forgotten.
func (d *desk) reloadAgents(o *Options) (removed []*agent) {
	agents, byID := make([]*agent, 0, len(o.Agents)), make(map[string]*agent, len(o.Agents))
	for _, settings := range o.Agents {
		a, there := d.byAgent[settings.ID]
		if there {
			settings.Skills = maps.Clone(settings.Skills)
			d.count(a, -1)
			a.Agent, a.removed = settings, false
			d.count(a, 1)
		} else {
			a = d.newAgent(settings)
		}
		agents, byID[a.ID] = append(agents, a), a
	}
	for _, a := range d.agents {
		if byID[a.ID] == nil {
			a.removed = true
			agents, byID[a.ID] = append(agents, a), a
			removed = append(removed, a)
		}
	}
	d.agents, d.byAgent = agents, byID
	return removed
}

// enrol gives an agent the places in the queues of their skills. Those in a queue that is no more are kept. Who is
// logged out of everything is so of a new queue too.
func (d *desk) enrol(a *agent) {
	out := a.loggedOut()
	var slots []*slot
	for _, q := range d.queues {
		level, skilled := a.Skills[q.Name]
		s := a.serves(q)
		if a.removed || !skilled && (!q.retired || s == nil) {
			continue
		}
		if s == nil {
			s = &slot{agent: a, queue: q, away: out}
		}
		if skilled {
			s.level = level
		}
		s.present, s.working = false, false
		q.serving = append(q.serving, a)
		s.number = len(q.serving)
		slots = append(slots, s)
	}
	a.slots = slots
}

// serveByAll has every agent, but no supervisor, serve a queue that is no more and that nobody is left of: its callers are
// not to wait for ever.
func (d *desk) serveByAll(q *queue) {
	for _, a := range d.agents {
		if !a.removed && !a.Supervisor {
			q.serving = append(q.serving, a)
			a.slots = append(a.slots, &slot{
				agent: a, queue: q, level: max(1, q.Level), number: len(q.serving), away: a.loggedOut(),
			})
		}
	}
}

// dismiss lets an agent go who is no more: a phone that rings is taken back, and callers who want nobody else
// are told.
func (d *desk) dismiss(a *agent) {
	for _, q := range append(slices.Clone(d.queues), d.people) {
		for _, c := range slices.Clone(q.waiting.items) {
			if c.only == a && c.remote != nil {
				d.setApart(c)
				continue
			}
			if c.only == a {
				c.seat.fail(call.CauseUnreachable, d.now)
				d.drop(c)
				d.withdrawAll(c, call.CauseWithdrawn)
			}
		}
	}
	d.sever(a)
	d.setFlow(a, false)
	d.refresh(a)
}

// forget takes out an agent who is no more and whose phone is free.
func (d *desk) forget(a *agent) {
	a.forgotten = true
	d.alarms.remove(&a.wake)
	d.letGo(a)
	d.count(a, -1)
	others := make([]*agent, 0, len(d.agents))
	byID := make(map[string]*agent, len(d.agents))
	for _, x := range d.agents {
		if x != a {
			others, byID[x.ID] = append(others, x), x
		}
	}
	d.agents, d.byAgent = others, byID
	d.publish()
}
