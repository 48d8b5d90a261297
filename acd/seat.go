package acd

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"hotline/call"
)

// promiseLatest is when the promise clock starts at the latest, after the first offer's INVITE.
const promiseLatest = time.Second

// How an offer ended, as the record says it. It is a metric's label.
const (
	howAnswered    = "answered"
	howRefused     = "refused"
	howBusy        = "busy"
	howUnanswered  = "unanswered"
	howUnreachable = "unreachable"
	howWithdrawn   = "withdrawn"
	howTaken       = "taken" // another call had the agent, so that nothing rang
)

// How a visit that was left ended, as the record says it; one that was not is howAnswered.
const (
	howAbandoned = "abandoned"
	howMoved     = "moved"
	howShutdown  = "shutdown"
	howFailed    = "failed"
	howOverflow  = "overflow"
)

// seat is a caller's place: all that the desk and the caller's owner share. Its lock decides the two
// races between them.
//
// Answer against Leave: both end the visit under the lock, and the visit ends once. Leave first: the
// desk's answer returns false, and the desk hangs the agent's leg up. The answer first: it is in the
// channel before the lock is released, and Leave returns false.
//
// Leave against match: the desk writes an offer down, under the lock, before the phone is rung. Leave
// first: offer returns false, nobody is rung, and the agent stays free. The offer first: Leave ends it
// in the record, and the message that Leave posts withdraws it.
//
// Answer against fail, of a seat whose one try is over: both are the desk's, so they come one after the
// other, and the visit ends once. Leave against fail: first come as above; Leave returns true either way,
// and Failed has a cause only if failing was first.
type seat struct {
	cycle    time.Duration
	answered chan call.Answer
	failed   chan call.Cause
	turned   chan call.Overflow
	changed  chan struct{} // holds one token when something changed that was not seen
	placed   chan call.Place
	// ask asks the desk for the caller's place.
	ask func()
	// gone tells the desk that the place was given up; called once, without the lock.
	gone func()
	now  func() time.Time

	mu        sync.Mutex
	visit     call.Visit
	offers    []call.Offer // see call.MaxOffers
	made      int          // how many offers there were
	decisions []call.Decision
	// rang is the first 180 or 183 to one of the first offers, those sent in the same instant.
	rang time.Time
}

func newSeat(t call.Ticket, cycle time.Duration) *seat {
	return &seat{
		cycle:    cycle,
		now:      time.Now,
		answered: make(chan call.Answer, 1),
		failed:   make(chan call.Cause, 1),
		turned:   make(chan call.Overflow, 1),
		changed:  make(chan struct{}, 1),
		placed:   make(chan call.Place, 1),
		visit:    call.Visit{Queue: t.Queue, Entered: t.Entered},
	}
}

// Answered implements [call.Seat].
func (s *seat) Answered() <-chan call.Answer { return s.answered }

// Failed implements [call.Seat].
func (s *seat) Failed() <-chan call.Cause { return s.failed }

// Turned implements [call.Seat].
func (s *seat) Turned() <-chan call.Overflow { return s.turned }

// Decisions implements [call.Seat].
func (s *seat) Decisions() []call.Decision {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.decisions)
}

// decide writes a decision down, unless the visit has ended.
func (s *seat) decide(d call.Decision) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.visit.Left == nil {
		s.decisions = call.AddDecisions(s.decisions, d)
	}
}

// turn ends the visit because the queue turns the caller away, and writes the decision down; false when it had ended
// before.
func (s *seat) turn(why call.Overflow, at time.Time, d call.Decision) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.visit.Left != nil {
		return false
	}
	s.visit.Overflow = why
	s.decisions = call.AddDecisions(s.decisions, d)
	s.finish(howOverflow, at)
	s.turned <- why
	return true
}

// Changed implements [call.Seat].
func (s *seat) Changed() <-chan struct{} { return s.changed }

// tell puts the token there, unless it is.
func (s *seat) tell() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Leave implements [call.Seat].
func (s *seat) Leave(why call.Cause) (won bool) {
	s.mu.Lock()
	if s.visit.Left != nil {
		defer s.mu.Unlock()
		return s.visit.How != howAnswered
	}
	s.finish(cmp.Or(leftAs[why], howAbandoned), s.now())
	s.mu.Unlock()
	s.gone()
	return true
}

// leftAs is how a visit ended that was left for a cause; for any other it was abandoned.
var leftAs = map[call.Cause]string{
	call.CauseShutdown:  howShutdown,
	call.CauseWithdrawn: howMoved,
	call.CauseElsewhere: howMoved,
}

// Visit implements [call.Seat].
func (s *seat) Visit() (call.Visit, []call.Offer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.visit, slices.Clone(s.offers)
}

// PromiseClock implements [call.Seat]. An agent who answered before the clock would have started
// starts it: no time passed.
func (s *seat) PromiseClock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	clock, ok := s.clockLocked()
	if !ok {
		return time.Time{}
	}
	now := s.now()
	if s.visit.Left != nil {
		now = *s.visit.Left
	}
	switch {
	case !clock.After(now):
		return clock
	case s.visit.How == howAnswered:
		return now
	default:
		return time.Time{}
	}
}

// clock is when the promise clock began, or will begin if nothing comes before; false before the first offer.
func (s *seat) clock() (at time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clockLocked()
}

func (s *seat) clockLocked() (at time.Time, ok bool) {
	first := s.firstLocked()
	if first == nil {
		return time.Time{}, false
	}
	at = first.Sent.Add(promiseLatest)
	if !s.rang.IsZero() && s.rang.Before(at) {
		at = s.rang
	}
	return at, true
}

// firstLocked is the first offer whose phone may have rung; nil when there is none. The lock is held.
func (s *seat) firstLocked() *call.Offer {
	for i := range s.offers {
		if s.offers[i].How != howTaken {
			return &s.offers[i]
		}
	}
	return nil
}

// over reports whether the visit has ended.
func (s *seat) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.visit.Left != nil
}

// choose writes down, in one step, that a phone is about to be rung and why, and returns the offer's index;
// false when the place was given up. Without a reason, the last one was this agent's too.
func (s *seat) choose(agent string, sent time.Time, why *call.Decision) (index int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.visit.Left != nil {
		return 0, false
	}
	if n := len(s.decisions); why != nil {
		s.decisions = call.AddDecisions(s.decisions, *why)
	} else if n > 0 && s.decisions[n-1].Later == 0 {
		s.decisions[n-1].Chosen = append(s.decisions[n-1].Chosen, agent)
	}
	return s.offerLocked(call.Offer{Agent: agent, Sent: sent}), true
}

// offerNumber is offer for a number outside.
func (s *seat) offerNumber(number string, sent time.Time) (index int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.visit.Left != nil {
		return 0, false
	}
	return s.offerLocked(call.Offer{Number: number, Sent: sent}), true
}

// offerLocked writes an offer down and returns its index. The lock is held.
func (s *seat) offerLocked(o call.Offer) int {
	o.Queue = s.visit.Queue
	s.offers = call.AddOffers(s.offers, o)
	s.made++
	s.tell()
	return s.made - 1
}

// offerAt is the offer with an index, which counts those left out; nil if it was left out itself, as only one that has
// ended is. The lock is held.
func (s *seat) offerAt(index int) *call.Offer {
	for i := range s.offers {
		index -= s.offers[i].LeftOut
		if index == i {
			return &s.offers[i]
		}
	}
	return nil
}

// progress writes down an 18x of an offer that is open.
func (s *seat) progress(index, code int, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.offerAt(index)
	if o == nil || o.Ended != nil {
		return
	}
	if o.Rung == nil {
		o.Rung = new(at)
		s.tell()
	}
	first := o.Sent.Equal(s.firstLocked().Sent)
	if first && (code == 180 || code == 183) && (s.rang.IsZero() || at.Before(s.rang)) {
		s.rang = at
	}
}

// end writes down how an offer ended, and returns how it did: an offer ends once, and the caller's
// leaving may have been first.
func (s *seat) end(index int, how string, at time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.offerAt(index)
	if o == nil {
		return how
	}
	s.endLocked(o, how, at)
	return o.How
}

// answer ends the visit with an answer and hands it over; false when the place was given up before.
// The other offers are withdrawn in the record here, so that it is complete once the answer is read.
func (s *seat) answer(index int, a call.Answer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.visit.Left != nil {
		return false
	}
	if o := s.offerAt(index); o != nil {
		s.endLocked(o, howAnswered, a.At)
	}
	s.finish(howAnswered, a.At)
	s.answered <- a
	return true
}

// fail ends the visit because its one try came to nothing, unless it had ended before.
func (s *seat) fail(why call.Cause, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.visit.Left != nil {
		return
	}
	s.finish(cmp.Or(failedAs[why], howFailed), at)
	s.failed <- why
}

// failedAs is how a visit ended whose one try came to nothing; for any other cause it failed.
var failedAs = map[call.Cause]string{call.CauseShutdown: howShutdown}

// finish ends the visit and whatever offer is open. The lock is held.
func (s *seat) finish(how string, at time.Time) {
	s.visit.Left, s.visit.How = new(at), how
	for i := range s.offers {
		s.endLocked(&s.offers[i], howWithdrawn, at)
	}
}

// endLocked ends an offer unless it has ended. The lock is held.
func (s *seat) endLocked(o *call.Offer, how string, at time.Time) {
	if o.Ended != nil {
		return
	}
	o.Ended, o.How = new(at), how
	s.tell()
	if o.Rung != nil {
		o.Rings = int(max(0, at.Sub(*o.Rung))/s.cycle) + 1
	}
}

// ended is how the visit ended, and when; zero while it lasts.
func (s *seat) ended() (how string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.visit.Left == nil {
		return "", time.Time{}
	}
	return s.visit.How, *s.visit.Left
}
