package calltest

import (
	"context"
	"sync"
	"time"

	"hotline/call"
)

// Desk is a call.Desk with no agents of its own: the test answers for them.
type Desk struct {
	Queues map[string]bool

	mu      sync.Mutex
	seats   []*Seat
	left    []call.Cause
	moves   []Move
	engaged []string
}

// Join implements call.Desk.
func (d *Desk) Join(_ context.Context, t call.Ticket) (call.Seat, error) {
	if !d.Queues[t.Queue] && (t.Queue != "" || t.Agent == "") {
		return nil, call.ErrNoQueue
	}
	s := &Seat{Ticket: t, desk: d, answered: make(chan call.Answer, 1), changed: make(chan struct{}, 1), failed: make(chan call.Cause, 1), turned: make(chan call.Overflow, 1), placed: make(chan call.Place, 1)}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seats = append(d.seats, s)
	return s, nil
}

// Moved implements call.Desk.
func (d *Desk) Moved(agent string, leg call.LegID, callID, queue string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.moves = append(d.moves, Move{Agent: agent, Leg: leg, Call: callID, Queue: queue})
}

// Move is what the desk was told by Moved.
type Move struct {
	Agent       string
	Leg         call.LegID
	Call, Queue string
}

// Engaged implements call.Desk.
func (d *Desk) Engaged(agent string, _ call.Leg) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.engaged = append(d.engaged, agent)
}

// EngagedOf are those who were told to have a leg of their own, in order.
func (d *Desk) EngagedOf() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.engaged...)
}

// Moves are the legs that went to another call, in order.
func (d *Desk) Moves() []Move {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Move(nil), d.moves...)
}

// Seats are all the seats there ever were, in order.
func (d *Desk) Seats() []*Seat {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]*Seat(nil), d.seats...)
}

// Left are the causes with which seats were given up, in order.
func (d *Desk) Left() []call.Cause {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]call.Cause(nil), d.left...)
}

// Seat is a seat of a Desk. The mutex decides whether the answer or the leaving won.
type Seat struct {
	Ticket   call.Ticket
	desk     *Desk
	answered chan call.Answer
	changed  chan struct{}
	failed   chan call.Cause
	turned   chan call.Overflow
	placed   chan call.Place

	mu          sync.Mutex
	done, won   bool
	rang, ended time.Time
	offer       call.Offer
	overflow    call.Overflow
	place       call.Place
	decisions   []call.Decision
}

// Ring begins an offer to an agent, whose phone rings at once.
func (s *Seat) Ring(agent string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rang = time.Now()
	s.offer = call.Offer{Agent: agent, Queue: s.Ticket.Queue, Sent: s.rang, Rung: new(s.rang)}
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Answer has the agent answer with a leg. It reports whether the answer won.
func (s *Seat) Answer(agent string, l call.Leg) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return false
	}
	s.done, s.ended = true, time.Now()
	s.endOffer("answered")
	s.answered <- call.Answer{Agent: agent, Queue: s.Ticket.Queue, Leg: l, At: s.ended}
	return true
}

// AnswerOutside has a number outside answer in an agent's place. It reports whether the answer won.
func (s *Seat) AnswerOutside(number string, l call.Leg) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return false
	}
	s.done, s.ended = true, time.Now()
	s.endOffer("answered")
	s.answered <- call.Answer{Number: number, Queue: s.Ticket.Queue, Leg: l, At: s.ended}
	return true
}

// AnswerAfter has the agent answer while the caller's owner is busy with what before does, which comes first.
func (s *Seat) AnswerAfter(before func(), agent string, l call.Leg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before()
	s.done, s.ended = true, time.Now()
	s.endOffer("answered")
	s.answered <- call.Answer{Agent: agent, Queue: s.Ticket.Queue, Leg: l, At: s.ended}
}

// Fail has the one try come to nothing. It reports whether that won over the leaving.
func (s *Seat) Fail(why call.Cause) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return false
	}
	s.done, s.won, s.ended = true, true, time.Now()
	s.endOffer(string(why))
	s.failed <- why
	return true
}

// Turn turns the caller away. It reports whether that won over the leaving.
func (s *Seat) Turn(why call.Overflow) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return false
	}
	s.done, s.won, s.ended, s.overflow = true, true, time.Now(), why
	s.endOffer("withdrawn")
	s.turned <- why
	return true
}

// SetPlace is what the caller is told who asks for the place from now on; one in position 0 is told nothing.
func (s *Seat) SetPlace(p call.Place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.place = p
}

// AskPlace implements call.Seat.
func (s *Seat) AskPlace() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done || s.place.Position == 0 {
		return
	}
	select {
	case <-s.placed:
	default:
	}
	s.placed <- s.place
}

// Placed implements call.Seat.
func (s *Seat) Placed() <-chan call.Place { return s.placed }

// Decide writes a decision down.
func (s *Seat) Decide(d call.Decision) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.decisions = append(s.decisions, d)
}

// endOffer ends the offer, if one began. The lock is held.
func (s *Seat) endOffer(how string) {
	if s.offer.Agent != "" {
		s.offer.How, s.offer.Ended = how, new(s.ended)
	}
}

// Failed implements call.Seat.
func (s *Seat) Failed() <-chan call.Cause { return s.failed }

// Turned implements call.Seat.
func (s *Seat) Turned() <-chan call.Overflow { return s.turned }

// Decisions implements call.Seat.
func (s *Seat) Decisions() []call.Decision {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]call.Decision(nil), s.decisions...)
}

// Changed implements call.Seat.
func (s *Seat) Changed() <-chan struct{} { return s.changed }

// Answered implements call.Seat.
func (s *Seat) Answered() <-chan call.Answer { return s.answered }

// Leave implements call.Seat.
func (s *Seat) Leave(why call.Cause) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return s.won
	}
	s.done, s.won, s.ended = true, true, time.Now()
	s.endOffer("withdrawn")
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	s.desk.left = append(s.desk.left, why)
	return true
}

// Visit implements call.Seat.
func (s *Seat) Visit() (call.Visit, []call.Offer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	how := "answered"
	if s.won {
		how = "abandoned"
	}
	if s.overflow != "" {
		how = "overflow"
	}
	v := call.Visit{Queue: s.Ticket.Queue, Entered: s.Ticket.Entered, Overflow: s.overflow}
	if s.done {
		v.Left, v.How = new(s.ended), how
	}
	if s.offer.Agent == "" {
		return v, nil
	}
	return v, []call.Offer{s.offer}
}

// PromiseClock implements call.Seat.
func (s *Seat) PromiseClock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rang
}
