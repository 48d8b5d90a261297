package acd

import (
	"fmt"

	"hotline/call"
)

// Hold stops the desk until release is called: what it is told meanwhile it takes in together, as what happened
// in one instant. It must be running.
func (c *Center) Hold() (release func()) {
	held, let := make(chan struct{}), make(chan struct{})
	c.inbox.put(func(*desk) {
		close(held)
		<-let
	})
	<-held
	return func() { close(let) }
}

// Leftovers are what a desk at rest should not have: deadlines other than midnight's and that of what is
// remembered, callers, offers, alarms, numbers
// being called.
func (c *Center) Leftovers() (what []string) {
	reply := make(chan []string)
	c.inbox.put(func(d *desk) {
		var left []string
		note := func(name string, n int) {
			if n != 0 {
				left = append(left, fmt.Sprintf("%d %s", n, name))
			}
		}
		d.alarms.remove(&d.forgetting) // the lab is about to end
		note("deadlines", d.alarms.len()-1)
		note("phones ringing", d.ringing)
		for _, q := range append(d.queues, d.people) {
			note("callers in "+q.Name, q.waiting.len()+q.want.len()+sizeOf(q.line.root)+q.bare)
		}
		for _, a := range d.agents {
			note("callers for "+a.ID, a.direct.len())
		}
		if l := d.ladder; l != nil {
			note("alarms and numbers", len(l.climbing)+len(l.calling)+len(l.booked))
		}
		reply <- left
	})
	return <-reply
}

// Must is what a desk shows that has no fault.
func Must[T any](shown T, err error) T {
	if err != nil {
		panic(err)
	}
	return shown
}

// Shown is what a desk shows.
type Shown struct {
	Queues []call.QueueView
	Agents []call.AgentView
}

// Shows is what the desk shows now.
func (s *Sim) Shows() Shown {
	v := s.center.desk.views()
	return Shown{v.queues, v.agents}
}

// Do does what waits for the desk, such as a change of an agent's shift.
func (s *Sim) Do(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	for {
		select {
		case err := <-done:
			return err
		case <-s.center.inbox.ready:
			s.Work()
		}
	}
}
