package acd

import (
	"context"
	"errors"
	"time"

	"hotline/call"
)

// Bells are agents' phones in a simulation. A [Sim] calls them while it works, on the same goroutine.
type Bells interface {
	// Ring begins to ring an agent's phone. tell says, once, what became of it: the leg that answered
	// ([Sim.Leg]), or why there is none; it may be called before Ring returns. withdraw asks for the phone back:
	// tell is then owed, at once or later, unless it was called.
	Ring(r call.RingRequest, tell func(leg call.Leg, failed *call.RingError)) (withdraw func(why call.Cause))
}

// Sim is a desk in simulated time: the code of a [Center], without its goroutines, under a clock that
// whoever drives it sets. What is told to the center is taken in by the next [Sim.Work]. Nothing of it is
// safe for more than one goroutine.
type Sim struct {
	center *Center
	bells  Bells
	now    time.Time
}

// NewSim makes a desk at which every agent is offline and it is the instant start. The options need no
// Phones. It returns every problem at once, as [New] does.
func NewSim(o Options, bells Bells, start time.Time) (*Sim, error) {
	s := &Sim{bells: bells, now: start}
	o.now, o.outside, o.Phones = s.Now, s, noPhones{}
	center, err := New(o)
	if err != nil {
		return nil, err
	}
	s.center = center
	return s, nil
}

// Center is the desk, to be told things; it is not to be Run.
func (s *Sim) Center() *Center { return s.center }

// Now is the simulated time.
func (s *Sim) Now() time.Time { return s.now }

// Next is the desk's next deadline, if it has one.
func (s *Sim) Next() (at time.Time, ok bool) {
	a, ok := s.center.desk.alarms.first()
	if !ok {
		return time.Time{}, false
	}
	return a.at, true
}

// Set sets the clock, which never goes back: what is told or done from here on, such as the end of a leg or a
// caller's leaving, is at that instant.
func (s *Sim) Set(now time.Time) { s.now = later(s.now, now) }

// Work has the desk take in what it was told and what is due, and pair callers and agents, until nothing is left to
// do at this instant.
func (s *Sim) Work() {
	for {
		s.center.work()
		if s.center.inbox.empty() {
			return
		}
	}
}

func (s *Sim) ring(d *desk, o *offer) context.CancelCauseFunc {
	told := false
	withdraw := s.bells.Ring(d.request(o), func(leg call.Leg, failed *call.RingError) {
		if told {
			return
		}
		told = true
		switch {
		case leg != nil:
			d.report(o, leg, s.now, nil)
		case failed != nil:
			d.report(o, nil, s.now, failed)
		default:
			d.report(o, nil, s.now, errNeither)
		}
	})
	return func(cause error) {
		if !told && cause != nil {
			withdraw(o.why)
		}
	}
}

func (*Sim) watch(leg call.Leg, ended func()) func() bool {
	l, ours := leg.(*SimLeg)
	if !ours {
		return goroutines{}.watch(leg, ended)
	}
	return l.watch(ended)
}

func (*Sim) hangUp(_ *desk, leg call.Leg, why call.Cause) { leg.Hangup(why) }

// errNeither: bells told neither a leg nor why there is none. Such a phone is unreachable.
var errNeither = errors.New("a phone neither answered nor failed")

// noPhones stands where a Center wants phones: a Sim never asks it.
type noPhones struct{}

// Ring implements [Phones].
func (noPhones) Ring(context.Context, call.RingRequest) (call.Leg, error) {
	return nil, &call.RingError{Why: call.CauseUnreachable}
}
