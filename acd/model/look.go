package model

import (
	"slices"
	"time"

	"hotline/call"
)

// State is what an agent is doing.
func (d *Desk) State(id string) call.AgentState { return d.agent(id).state(d.now) }

func (a *agent) state(now time.Duration) call.AgentState {
	switch {
	case !a.flow:
		return call.AgentOffline
	case len(a.legs) > 0:
		return call.AgentTalking
	case a.offer != nil:
		return call.AgentRinging
	case now < max(a.wrapUntil, a.restUntil):
		return call.AgentWrapUp
	case a.loggedOut():
		return call.AgentLoggedOut
	case a.paused:
		return call.AgentPaused
	default:
		return call.AgentReady
	}
}

func (a *agent) ready(now time.Duration) bool { return a.state(now) == call.AgentReady }

// callable reports whether the agent may be rung for somebody who asks for them by name.
func (a *agent) callable() bool { return a.flow && len(a.legs) == 0 && a.offer == nil }

// Ringing is the call an agent's phone rings for; empty when it does not ring.
func (d *Desk) Ringing(id string) string {
	if a := d.agent(id); a != nil && a.offer != nil {
		return a.offer.caller.name
	}
	return ""
}

// Legs is how many live legs an agent has; none, if there is no such agent any more.
func (d *Desk) Legs(id string) int {
	if a := d.agent(id); a != nil {
		return len(a.legs)
	}
	return 0
}

// Waiting are the names of those who wait, in the order of joining.
func (d *Desk) Waiting() []string {
	names := make([]string, len(d.callers))
	for i, c := range d.callers {
		names[i] = c.name
	}
	return names
}

// Offers is how many phones ring for a caller.
func (d *Desk) Offers(name string) int {
	if c := d.caller(name); c != nil {
		return len(c.offers)
	}
	return 0
}

func (d *Desk) agent(id string) *agent {
	i := slices.IndexFunc(d.agents, func(a *agent) bool { return a.ID == id })
	if i < 0 {
		return nil
	}
	return d.agents[i]
}

func (d *Desk) caller(name string) *caller {
	i := slices.IndexFunc(d.callers, func(c *caller) bool { return c.name == name })
	if i < 0 {
		return nil
	}
	return d.callers[i]
}
