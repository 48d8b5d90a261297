package acd

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"hotline/call"
)

// An agent's shift is what the agent chose: logged in to which queues, paused or not. It is kept apart from
// what the phone does, so that a phone which registers anew changes nothing of it, and each change is told to
// Options.OnShift, so that a restart does not either.

// Pause keeps calls of queues away from an agent, for a reason in the agent's words; "" is none. An offer that
// rings goes on, and so does a talk. Paused already, only the reason changes. Errors: [call.ErrNoAgent],
// [call.ErrLoggedOut], [ErrStopped].
func (c *Center) Pause(id, reason string) error {
	return c.act("pause", id, func(d *desk, a *agent) error { return d.pause(a, reason) })
}

// Ready takes up work again after a pause; wrap-up goes on. Errors: as for Pause.
func (c *Center) Ready(id string) error {
	return c.act("ready", id, func(d *desk, a *agent) error {
		if a.loggedOut() {
			return call.ErrLoggedOut
		}
		a.unpause()
		d.shifted(a)
		return nil
	})
}

// Login has an agent take calls of a queue that the agent serves, or of all of them (""). From being logged out
// of all the shift begins anew: without a pause, and idle since now. Logged in already, nothing changes.
// Errors: [call.ErrNoAgent], [call.ErrNotServed], [ErrStopped].
func (c *Center) Login(id, queue string) error {
	return c.act("login", id, func(d *desk, a *agent) error {
		slots, err := a.slotsOf(queue)
		if err != nil {
			return err
		}
		if a.loggedOut() {
			a.idle = later(d.now, a.wrapUntil)
			a.unpause() // a reload can have taken the last queue from one who was paused
		}
		for _, s := range slots {
			s.away = false
		}
		a.missed = 0
		d.shifted(a)
		return nil
	})
}

// Logout keeps calls of a queue away from an agent, or of all queues (""), which ends a pause too. An offer
// that rings goes on, and so does a talk; calls from colleagues go on to come. Errors: those of Login, and
// [call.ErrLoggedOut].
func (c *Center) Logout(id, queue string) error {
	return c.act("logout", id, func(d *desk, a *agent) error {
		slots, err := a.slotsOf(queue)
		if err != nil {
			return err
		}
		changed := false
		for _, s := range slots {
			changed = changed || !s.away
			s.away = true
		}
		if !changed {
			return call.ErrLoggedOut
		}
		if a.loggedOut() {
			a.unpause()
		}
		d.shifted(a)
		return nil
	})
}

// act does something about an agent, on the desk's goroutine, and returns what came of it. Before Run has begun it
// waits for that.
func (c *Center) act(what, id string, f func(d *desk, a *agent) error) error {
	a, ok := c.desk.names.Load().agents[id]
	if !ok {
		return fmt.Errorf("%s %q: %w", what, id, call.ErrNoAgent)
	}
	reply := make(chan error, 1)
	if !c.inbox.put(func(d *desk) {
		err := errFault // unless f returns
		defer func() { reply <- err }()
		err = f(d, a)
	}) {
		return fmt.Errorf("%s %s: %w", what, id, ErrStopped)
	}
	var err error
	select {
	case err = <-reply:
	case <-c.done:
		err = ErrStopped
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, id, err)
	}
	return nil
}

// errFault: a panic was contained.
var errFault = errors.New("a fault of ours")

// slotsOf are an agent's places in a queue, or in all of them ("").
func (a *agent) slotsOf(queue string) ([]*slot, error) {
	if queue == "" && len(a.slots) > 0 {
		return a.slots, nil
	}
	for i, s := range a.slots {
		if s.queue.Name == queue {
			return a.slots[i : i+1], nil
		}
	}
	return nil, fmt.Errorf("queue %q: %w", queue, call.ErrNotServed)
}

// loggedOut reports whether the agent is logged out of every queue; one who serves none is not.
func (a *agent) loggedOut() bool {
	for _, s := range a.slots {
		if !s.away {
			return false
		}
	}
	return len(a.slots) > 0
}

// takes reports whether the agent has the skill of a queue and is logged in to it.
func (a *agent) takes(q *queue) bool {
	s := a.serves(q)
	return s != nil && !s.away
}

func (d *desk) pause(a *agent, reason string) error {
	if a.loggedOut() {
		return call.ErrLoggedOut
	}
	if !a.paused || a.reason != reason {
		a.paused, a.reason, a.pausedAt = true, reason, d.now
		d.shifted(a)
	}
	return nil
}

func (a *agent) unpause() {
	a.paused, a.reason, a.pausedAt, a.missed = false, "", time.Time{}, 0
}

// shift is what the agent chose, to be kept.
func (a *agent) shift() call.Shift {
	s := call.Shift{Agent: a.ID, Paused: a.paused, Reason: a.reason, Since: a.pausedAt, All: a.loggedOut()}
	for _, slot := range a.slots {
		if slot.away {
			s.Out = append(s.Out, slot.queue.Name)
		}
	}
	return s
}

// shifted is called after each change of a shift.
func (d *desk) shifted(a *agent) {
	d.refresh(a)
	d.o.OnShift(a.shift())
	d.sayShift(a)
}

// restore takes up the shifts of before a restart; agents and queues that are not there any more are passed
// over.
func (d *desk) restore(shifts []call.Shift) {
	for _, s := range shifts {
		if a, ok := d.byAgent[s.Agent]; ok {
			a.choose(&s)
		}
	}
}

// choose has an agent who chose nothing choose what they did before.
func (a *agent) choose(s *call.Shift) {
	for _, slot := range a.slots {
		slot.away = s.All || slices.Contains(s.Out, slot.queue.Name)
	}
	if s.Paused && !a.loggedOut() {
		a.paused, a.reason, a.pausedAt = true, s.Reason, s.Since
	}
}

// unanswered counts an offer that an agent let ring to its limit, and pauses the agent after as many in a row as
// the queue allows: nobody seems to be there. An answer, a refusal, a call of the agent's own, and the agent's
// being ready or logging in begin the row anew; a phone that is busy or cannot be reached says nothing of it.
func (d *desk) unanswered(a *agent, c *caller) {
	a.missed++
	limit := c.queue.AutoPause
	if limit == 0 || a.missed < limit || a.paused || a.loggedOut() {
		return
	}
	a.paused, a.reason, a.pausedAt = true, call.AutoPause, d.now
	d.o.OnShift(a.shift()) // who calls this refreshes the agent
	d.sayShift(a)
	d.o.OnEvent(call.Event{
		Kind: call.EventAgentPaused, At: d.now, Call: c.CallID, Queue: c.Queue, Agent: a.ID,
	})
}
