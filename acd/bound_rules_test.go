package acd

import (
	"fmt"

	"hotline/call"
)

// The rules that docs/adr/0010-alarm.md promises, looked at whenever the desk has taken in what there was. They know
// the steps' seconds, who has called and what the agents do, and of the desk only which phones ring, for whom.

// stepOf is the step that an alarm has reached by its wait.
func (w *world) stepOf(c *caller) int {
	waited := w.now - int(c.Entered.Sub(w.start)/worldSecond)
	step := notYet
	for i, after := range worldSteps {
		if waited >= after {
			step = i
		}
	}
	return step
}

// may reports whether an alarm's step allows an agent to be rung, whatever else their phone rings for.
func (w *world) may(c *caller, i int) bool {
	a, step := w.d.agents[i], w.stepOf(c)
	_, skill := a.Skills["gas"]
	if !a.flow || w.out[i] || w.talking[i] || w.rests[i] > w.now || !skill && step < toEveryone {
		return false
	}
	forAlarm := a.offer != nil && a.offer.caller.climb != nil
	return step > skilled || forAlarm || a.state(w.d.now) == call.AgentReady
}

// alarms are those who wait.
func (w *world) alarms() (waiting []*caller) {
	for i, c := range w.seats[:lesserCall] {
		if c != nil && !w.gone[i] {
			waiting = append(waiting, c)
		}
	}
	return waiting
}

// broken returns the first rule that does not hold.
func (w *world) broken() error {
	for i, a := range w.d.agents {
		switch o := a.offer; {
		case o == nil || !o.open:
		case w.talking[i] || !a.flow:
			return fmt.Errorf("agent %s is rung, and cannot answer", a.ID)
		case !o.caller.waits():
			return fmt.Errorf("agent %s is rung for %s, who has gone", a.ID, o.caller.CallID)
		}
		n := 0
		for _, c := range w.seats {
			if c == nil {
				continue
			}
			for _, o := range c.offers {
				if o.agent == a {
					n++
				}
			}
		}
		if n > 1 {
			return fmt.Errorf("agent %s is in %d offers", a.ID, n)
		}
	}
	for i, c := range w.seats {
		if c != nil && c.waits() == w.gone[i] {
			return fmt.Errorf("%s waits: %t", c.CallID, c.waits())
		}
	}
	for i, c := range w.seats[:lesserCall] {
		if c == nil || w.gone[i] {
			w.without[i] = -1
			continue
		}
		if err := w.brokenFor(i, c); err != nil {
			return err
		}
	}
	return nil
}

// brokenFor returns the first rule that does not hold for an alarm that waits.
func (w *world) brokenFor(i int, c *caller) error {
	if c.climb == nil {
		return fmt.Errorf("%s does not climb", c.CallID)
	}
	if step := w.stepOf(c); step != c.climb.at || len(w.told[i]) != step+1 {
		return fmt.Errorf("%s is on step %d, told %d, should be on %d", c.CallID, c.climb.at, len(w.told[i]), step)
	}
	candidates := 0
	for k, a := range w.d.agents {
		if !w.may(c, k) {
			continue
		}
		candidates++
		if err := w.leftOut(c, a); err != nil {
			return err
		}
	}
	switch {
	case len(c.offers) > 0 || candidates < len(w.alarms()):
		w.without[i] = -1
	case w.without[i] < 0:
		w.without[i] = w.now
	case w.now-w.without[i] > 2*worldTakeBack:
		return fmt.Errorf("%s has no phone ringing for %d s, with %d agents for %d alarms", c.CallID,
			w.now-w.without[i], candidates, len(w.alarms()))
	}
	return nil
}

// leftOut returns why an agent whom an alarm's step allows should be ringing for an alarm and is not.
func (w *world) leftOut(c *caller, a *agent) error {
	o := a.offer
	switch {
	case o == nil:
		return fmt.Errorf("%s may have agent %s, who is left in peace", c.CallID, a.ID)
	case o.open && o.caller.climb == nil:
		if w.stepOf(c) > skilled {
			return fmt.Errorf("%s may have agent %s, who is rung for %s", c.CallID, a.ID, o.caller.CallID)
		}
	case o.open && o.caller != c && len(o.caller.offers) > 1 && c.phones() == 0:
		return fmt.Errorf("%s has no phone, and %s has %d", c.CallID, o.caller.CallID, len(o.caller.offers))
	}
	return nil
}
