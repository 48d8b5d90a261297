package forecast

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"hotline/acd"
)

// Replay is a day to be played again.
type Replay struct {
	Day *Day
	// Desk has the queues, by the rule that is tried, and the agents. Who is no agent of it, or served a queue that
	// day for which there is no skill now, is given that skill at level 1.
	Desk acd.Options
	// Shifts say who is there when; none means as the records tell ([Day.Shifts]).
	Shifts  []Shift
	Begin   time.Time
	Targets Targets
	Seed    uint64
}

// Recorded counts the day as it was.
func (r Replay) Recorded() *Counts {
	c := NewCounts(r.Begin, r.Targets)
	for _, s := range r.Day.Stays {
		c.Count(s.Outcome, s.Cut)
	}
	return c
}

// afterTheLast is how long after the last caller came a run ends all the same, such as for a queue that nobody serves.
const afterTheLast = 4 * time.Hour

// Run plays the day: the callers who came, when they came. One who gave up is as patient as then, and no more; the
// patience of one who was answered is drawn, longer than what was waited, by [KaplanMeier] over the queue's waits (all
// queues', where fewer than minGaveUp gave up in one). Talks last as they did; of one who was not answered it is drawn
// among the queue's. What an agent's phone does is drawn among what it did that day. Errors are those of [Run].
func (r Replay) Run(ctx context.Context) (*Counts, error) {
	random := rand.New(rand.NewPCG(r.Seed, 0)) //nolint:gosec // a simulation, not a secret
	o := Options{Desk: r.Desk, Start: r.Begin, Shifts: r.Shifts, Ring: r.phones(random)}
	if o.Shifts == nil {
		o.Shifts = r.Day.Shifts()
	}
	o.Desk.Agents = r.agents(o.Shifts)
	o.Desk.Random = random
	callers := r.callers(random)
	if len(callers) > 0 {
		o.Start = earlier(o.Start, callers[0].At)
		o.Until = callers[len(callers)-1].At.Add(afterTheLast)
	}
	for _, s := range o.Shifts {
		o.Start = earlier(o.Start, s.From)
	}
	o.Next = func() (c Caller, more bool) {
		if len(callers) == 0 {
			return c, false
		}
		c, callers = callers[0], callers[1:]
		return c, true
	}
	counts := NewCounts(r.Begin, r.Targets)
	o.Ended = func(out Outcome) { counts.Count(out, false) }
	return counts, Run(ctx, o)
}

// agents are the desk's, and those of the shifts whom it does not know. Each serves what the desk says, and what the
// day shows: skills may have been changed since.
func (r Replay) agents(shifts []Shift) []acd.Agent {
	agents := slices.Clone(r.Desk.Agents)
	for _, s := range shifts {
		if !slices.ContainsFunc(agents, func(a acd.Agent) bool { return a.ID == s.Agent }) {
			agents = append(agents, acd.Agent{ID: s.Agent})
		}
	}
	for i := range agents {
		skills := map[string]int{}
		for _, queue := range r.Day.Queues(agents[i].ID) {
			skills[queue] = 1
		}
		maps.Copy(skills, agents[i].Skills)
		agents[i].Skills = skills
	}
	return agents
}

// minGaveUp is how many must have given up in a queue for its patience to be told from all queues'.
const minGaveUp = 10

func (r Replay) callers(random *rand.Rand) (callers []Caller) {
	all := KaplanMeier(r.Day.Waits(""))
	patience, talks := map[string]Patience{}, map[string]Draw{}
	for _, s := range r.Day.Stays {
		if talks[s.Queue] != nil {
			continue
		}
		talks[s.Queue] = Among(r.Day.Talks(s.Queue))
		if len(r.Day.Talks(s.Queue)) == 0 {
			talks[s.Queue] = Among(r.Day.Talks(""))
		}
		patience[s.Queue] = all
		if own := KaplanMeier(r.Day.Waits(s.Queue)); len(own.steps) >= minGaveUp {
			patience[s.Queue] = own
		}
	}
	for _, s := range r.Day.Stays {
		c := s.Caller
		if c.Talk == 0 {
			c.Talk = talks[s.Queue](random)
		}
		if s.Answered || s.Cut {
			c.Patience = patience[s.Queue].Draw(random, s.Wait)
		} else {
			c.Patience = max(1, s.Wait)
		}
		callers = append(callers, c)
	}
	return callers
}

// fewRings is how many rings a phone must have had for what it does to be told from what all do.
const fewRings = 5

func (r Replay) phones(random *rand.Rand) func(agent string) Ring {
	all := r.Day.rings("")
	known := map[string][]Ring{}
	return func(agent string) Ring {
		rings, seen := known[agent]
		if !seen {
			if rings = r.Day.rings(agent); len(rings) < fewRings {
				rings = all
			}
			known[agent] = rings
		}
		if len(rings) == 0 {
			return Ring{}
		}
		return rings[random.IntN(len(rings))]
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
