package web

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// takenFor is how long the page shows an alarm after somebody took it.
const takenFor = 30 * time.Second

// alarmState is what became of an alarm, as far as is known. The page knows the words.
type alarmState string

const (
	alarmOpen  alarmState = "open"  // nobody has answered yet
	alarmTaken alarmState = "taken" // somebody has, and may still talk
	alarmGone  alarmState = "gone"  // the caller is, and nobody had answered: somebody must call back
)

// fate is what became of an alarm. The zero value is one of which nothing could be learnt yet.
type fate struct {
	state alarmState
	by    string    // the agent who took it, or a number outside, masked
	since time.Time // of the state; zero while it is open
	over  bool      // the record is complete: this will not change
}

// fateOf follows from a record's facts: from the last stay in the alarm's queue on, whoever answered took it, the
// number of a queue that it went to from there included. A caller who was lost by an agent waits anew.
func fateOf(r *call.Record, queue string) fate {
	entered := r.Started
	for _, v := range r.Visits {
		if v.Queue == queue {
			entered = v.Entered
		}
	}
	for _, t := range r.Talks {
		if !t.Answered.Before(entered) {
			return fate{state: alarmTaken, by: cmp.Or(t.Agent, call.Mask(t.Number)), since: t.Answered, over: r.Ended != nil}
		}
	}
	if r.Ended != nil {
		return fate{state: alarmGone, since: *r.Ended, over: true}
	}
	return fate{state: alarmOpen}
}

// hides reports whether the page shows an alarm no more, by what became of it. One that is open stays.
func (f fate) hides(e call.Event, now time.Time) bool {
	switch f.state {
	case alarmOpen:
		return false
	case alarmTaken:
		return now.Sub(f.since) > takenFor
	case alarmGone:
		return now.Sub(f.since) > alertFor
	default:
		return now.Sub(e.At) > alertFor
	}
}

// alarms are the calls of the alarms that are remembered, the newest first, with their queue.
func (a *alerts) alarms() (calls []string, queue map[string]string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	queue = make(map[string]string)
	for _, e := range slices.Backward(a.events) {
		if _, known := queue[e.Call]; !known && isAlarm(e) {
			queue[e.Call] = e.Queue
			calls = append(calls, e.Call)
		}
	}
	return calls, queue
}

// follow learns what became of the alarms that are remembered: from the calls in progress, and of those that are over
// from their records; elsewhere are those in progress at other nodes. While a record is on its way to the disk, what was known last holds.
func (s *Server) follow(ctx context.Context, elsewhere []call.Live) {
	calls, queue := s.alerts.alarms()
	if len(calls) == 0 {
		return
	}
	live := make(map[string]*call.Record)
	for _, l := range slices.Concat(elsewhere, s.o.Live()) {
		live[l.Record.ID] = &l.Record
	}
	ctx, cancel := context.WithTimeout(ctx, summaryTimeout)
	defer cancel()
	before, fates, ask := s.alerts.known(), make(map[string]fate, len(calls)), s.o.Records != nil
	for _, id := range calls {
		fates[id] = before[id]
		switch r := live[id]; {
		case before[id].over:
		case r != nil:
			fates[id] = fateOf(r, queue[id])
		case ask:
			r, err := s.o.Records.Get(ctx, id)
			switch {
			case err == nil && r.Ended != nil:
				fates[id] = fateOf(&r, queue[id])
			case err != nil && !errors.Is(err, call.ErrNotFound):
				s.o.Logger.Warn("what became of an alarm not found", zap.String("call", id), zap.Error(err))
				ask = false // a store that hangs is not asked for each
			}
		}
	}
	s.alerts.mu.Lock()
	defer s.alerts.mu.Unlock()
	s.alerts.fates = fates
}

// known are the fates by call. The map is never written to.
func (a *alerts) known() map[string]fate {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.fates
}
