package model

import (
	"maps"
	"slices"

	"hotline/acd"
	"hotline/call"
)

// Agents are the ids of the agents there are, those included who are no more and still talk.
func (d *Desk) Agents() []string {
	ids := make([]string, len(d.agents))
	for i, a := range d.agents {
		ids[i] = a.ID
	}
	return ids
}

// Queues are the names of all queues that callers may come to, those included that are no more.
func (d *Desk) Queues() []string { return slices.Clone(d.order) }

// Reload takes in other queues, agents, ageing and ladder.
func (d *Desk) Reload(o Options) {
	d.o.Ageing, d.o.Ladder = o.Ageing, o.Ladder
	removed := d.arrange(o)
	for _, a := range removed {
		for _, c := range slices.Clone(d.callers) {
			if c.only == a.ID {
				d.failed[c.name] = call.CauseUnreachable
				d.Leave(c.name)
			}
		}
		d.Flow(a.ID, false)
	}
	d.grow()
	d.ascend()
	d.forget()
}

// arrange puts queues and agents in force, and returns the agents who are no more.
func (d *Desk) arrange(o Options) (removed []*agent) {
	order, retired := make([]string, 0, len(o.Queues)), map[string]bool{}
	for _, settings := range o.Queues {
		d.adjust(settings)
		order = append(order, settings.Name)
	}
	for _, name := range d.order {
		if !slices.Contains(order, name) {
			retired[name] = true
			order = append(order, name)
		}
	}
	d.order, d.retired = order, retired
	maps.DeleteFunc(d.places, func(at placeOf, _ left) bool { return retired[at.queue] })
	agents := make([]*agent, 0, len(o.Agents))
	for _, settings := range o.Agents {
		i := slices.IndexFunc(d.agents, func(a *agent) bool { return a.ID == settings.ID })
		a := &agent{}
		if i >= 0 {
			a = d.agents[i]
		}
		a.Agent, a.removed = settings, false
		agents = append(agents, a)
	}
	for _, a := range d.agents {
		if !slices.Contains(agents, a) {
			a.removed = true
			agents, removed = append(agents, a), append(removed, a)
		}
	}
	d.agents = agents
	for _, a := range d.agents {
		d.enrol(a)
	}
	for name := range retired {
		d.serveByAll(name)
	}
	return removed
}

// adjust gives a queue other settings. Who was late is so by the limit of now.
func (d *Desk) adjust(settings acd.Queue) {
	q := d.queues[settings.Name]
	if q == nil {
		d.queues[settings.Name] = &settings
		return
	}
	if q.Strategy != settings.Strategy {
		d.unknown[q] = true
		for t := range d.turns {
			if t.queue == q {
				delete(d.turns, t)
			}
		}
	}
	*q = settings
	for _, c := range d.callers {
		if c.queue == q {
			c.late = false
		}
	}
}

// enrol gives an agent the places in the queues of their skills, and lets them keep those in queues that are no more.
func (d *Desk) enrol(a *agent) {
	out, slots := a.loggedOut(), map[string]*slot{}
	for _, name := range d.order {
		s, level := a.slots[name], a.Skills[name]
		if a.removed || level == 0 && (s == nil || !d.retired[name]) {
			continue
		}
		if s == nil {
			s = &slot{out: out}
		}
		if level > 0 {
			s.level = level
		}
		slots[name] = s
	}
	a.slots = slots
}

// serveByAll has everybody serve a queue that is no more and that nobody is left of.
func (d *Desk) serveByAll(queue string) {
	if slices.ContainsFunc(d.agents, func(a *agent) bool { return a.slots[queue] != nil }) {
		return
	}
	outs := map[*agent]bool{}
	for _, a := range d.agents {
		outs[a] = a.loggedOut()
	}
	for _, a := range d.agents {
		if !a.removed {
			a.slots[queue] = &slot{level: max(1, d.queues[queue].Level), out: outs[a]}
		}
	}
}

// forget takes out agents who are no more and are done with the last talk.
func (d *Desk) forget() {
	d.agents = slices.DeleteFunc(d.agents, func(a *agent) bool { return a.removed && len(a.legs) == 0 && a.offer == nil })
}
