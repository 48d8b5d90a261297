package acd_test

import (
	"maps"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/acd"
	"hotline/acd/model"
)

// edits is how many kinds of change to the settings there are, see changing.edit.
const edits = 10

// reload changes one thing in the settings and puts them in force.
func (c *changing) reload(s step) {
	c.edit(s)
	put, err := c.lab.center.Reload(c.o)
	require.NoError(c.lab.t, err)
	put()
	c.model.Reload(model.Options{Queues: c.o.Queues, Agents: c.o.Agents, Ageing: c.o.Ageing, Ladder: c.o.Ladder})
}

// edit changes one thing in a copy of the settings.
func (c *changing) edit(s step) {
	o, n := &c.o, s.Value
	o.Queues, o.Agents = slices.Clone(o.Queues), slices.Clone(o.Agents)
	q, a := &o.Queues[s.Queue%len(o.Queues)], &o.Agents[s.Who%len(o.Agents)]
	a.Skills = maps.Clone(a.Skills)
	switch s.Edit {
	case 0:
		stays := func(a acd.Agent) bool { return a.ID == "1" } // somebody is there
		o.Agents, c.gone.agents = swap(o.Agents, c.gone.agents, s.Who, s.Flag, stays)
	case 1:
		stays := func(q acd.Queue) bool { return q.Alarm } // a reload cannot take it
		o.Queues, c.gone.queues = swap(o.Queues, c.gone.queues, s.Queue, s.Flag, stays)
	case 2:
		a.Skills[q.Name] = 1 + n%3
	case 3:
		delete(a.Skills, q.Name)
	case 4:
		if !q.Alarm {
			q.Strategy = allStrategies[n%len(allStrategies)]
		}
	case 5:
		q.Limits = []acd.Limits{{}, {MaxWaiting: 1}, {MaxWait: 9 * time.Second}, {TurnWhenEmpty: true}}[n%4]
	case 6:
		q.Level, q.Widen = 0, nil
		if s.Flag && !q.Alarm {
			q.Level, q.Widen = 2, []acd.Widening{{After: time.Duration(3+n%5) * time.Second, Level: 1}}
		}
	case 7:
		o.Ageing = time.Duration(n%3) * time.Second
	case 8:
		q.Priority, q.WrapUp, q.AutoPause = n, time.Duration(n%4)*time.Second, n%3
	default:
		o.Ladder.AllSkilled = time.Duration(n%4) * time.Second
		o.Ladder.Everyone = o.Ladder.AllSkilled + time.Duration(n%3)*time.Second
		o.Ladder.Duty = o.Ladder.Everyone + time.Duration(n%5)*time.Second
		o.Ladder.Numbers = everythingDesk().Ladder.Numbers[:n%6]
	}
}

// swap takes one out of those who are there, unless it stays, or has the first come back of those who are gone.
func swap[T any](there, gone []T, which int, back bool, stays func(T) bool) (nowThere, nowGone []T) {
	which %= len(there)
	switch {
	case back && len(gone) > 0:
		return append(there, gone[0]), gone[1:]
	case !back && !stays(there[which]):
		one := there[which]
		return slices.Delete(there, which, which+1), append(slices.Clone(gone), one)
	default:
		return there, gone
	}
}
