package call

import "cmp"

// An agent who made a call may hand on who answered it as one who was called may hand on the caller (docs/adr/0006).
// For that the two change places: the party is the call's caller from then on, who waits and hears music, and the
// agent is the one who asked and may be talked to again. A transfer that fails puts them back.

// mayRefer reports whether a phone may hand on the other party of this talk, and what the part of its agent in the call
// is: the agent who serves, or, blind, the one who made the call. An attended wish of the latter is the other call's.
func (t *talking) mayRefer(cmd Referred) (by Next, may bool) {
	c := t.c
	switch {
	case cmd.Leg == t.agent.ID():
		return t.at, true
	case c.by != "" && cmd.Leg == c.caller.ID() && cmd.Replaces == "":
		return Next{Kind: Talk, Agent: c.by, Leg: cmd.Leg}, true
	default:
		return Next{}, false
	}
}

// turn has the party of this talk be the call's caller, and the agent who made the call the one whose transfer is under
// way. Nobody came through a queue then.
func (t *talking) turn(maker Next) {
	c, was := t.c, t.at
	c.transfer.turned = &was
	party := t.agent
	t.agent, t.at = c.caller, maker
	c.become(party, was.Agent, cmp.Or(was.Agent, was.Number))
}

// turnBack undoes turn, and returns the talk as it was.
func (c *Call) turnBack(maker, was Next) Next {
	c.become(c.legs[maker.Leg], maker.Agent, "")
	return was
}

// become has a leg of the call's be its caller from now on: by is the agent whose phone that is, if it is one's, and
// shown who it is to those who are rung, if not who made the call.
func (c *Call) become(caller Leg, by, shown string) {
	c.caller, c.by, c.shown = caller, by, shown
	for id := range c.legs {
		c.x.own(id, c)
	}
}
