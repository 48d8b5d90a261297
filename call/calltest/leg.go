// Package calltest has a scripted call.Leg and media.Stream that live without a network, so that
// whole calls run under testing/synctest, and the suite that every call.Leg passes, the scripted one
// and the real one. It is for tests only.
package calltest

import (
	"context"
	"sync"
	"time"

	"hotline/call"
	"hotline/media"
)

// Leg is a call.Leg driven by a test. Its methods may be called from any goroutine.
type Leg struct {
	id     call.LegID
	ctx    context.Context
	cancel context.CancelCauseFunc
	stream *Stream

	mu       sync.Mutex
	post     func(call.Command) bool
	answered time.Time
	rung     int
	asked    int
	mended   int
	call     string
	owned    func()
}

var _ call.Leg = (*Leg)(nil)

// NewLeg makes a leg that is up.
func NewLeg(id string) *Leg {
	ctx, cancel := context.WithCancelCause(context.Background())
	l := &Leg{id: call.LegID(id), ctx: ctx, cancel: cancel, stream: NewStream()}
	l.stream.OnKey(func(k media.Key) { l.Post(call.KeyPressed{Leg: l.id, Key: k, At: time.Now()}) })
	return l
}

// End ends the leg as its far end, or the network, would.
func (l *Leg) End(by call.Party, why call.Cause) {
	l.cancel(&call.LegEnd{By: by, Why: why, At: time.Now()})
	_ = l.stream.Close()
}

// Post puts a command in the owner's mailbox, and reports whether there was an owner with room.
func (l *Leg) Post(cmd call.Command) bool {
	l.mu.Lock()
	post := l.post
	l.mu.Unlock()
	return post != nil && post(cmd)
}

// Reoffer has the phone send a re-INVITE that leaves the stream held or not. The result is closed when
// it was answered; it carries false when it was refused.
func (l *Leg) Reoffer(held bool) <-chan bool {
	done := make(chan bool, 1)
	ok := l.Post(call.Reoffered{
		Leg: l.id, At: time.Now(),
		Accept: func() (bool, error) {
			l.stream.SetHeld(held)
			done <- true
			return held, nil
		},
		Refuse: func(call.Cause) { done <- false },
	})
	if !ok {
		done <- false
	}
	return done
}

// Rung is how often Ring was called.
func (l *Leg) Rung() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rung
}

// WasAnswered is when Answer was first called; zero before.
func (l *Leg) WasAnswered() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answered
}

// Stream is the leg's scripted stream.
func (l *Leg) Stream() *Stream { return l.stream }

// ID implements call.Leg.
func (l *Leg) ID() call.LegID { return l.id }

// Context implements call.Leg.
func (l *Leg) Context() context.Context { return l.ctx }

// Ring implements call.Leg.
func (l *Leg) Ring() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rung++
	return context.Cause(l.ctx)
}

// Answer implements call.Leg.
func (l *Leg) Answer() (time.Time, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := context.Cause(l.ctx); err != nil {
		return time.Time{}, err
	}
	if l.answered.IsZero() {
		l.answered = time.Now()
	}
	return l.answered, nil
}

// Hangup implements call.Leg.
func (l *Leg) Hangup(why call.Cause) { l.End(call.System, why) }

// Ask implements call.Leg. Whether its far end is there the test says, by End.
func (l *Leg) Ask() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
}

// Asked is how often Ask was called.
func (l *Leg) Asked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked
}

// Mend implements call.Leg.
func (l *Leg) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mended++
}

// Mended is how often Mend was called.
func (l *Leg) Mended() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mended
}

// Belongs implements call.Leg.
func (l *Leg) Belongs(callID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.call = callID
}

// Call is the call that the leg belongs to, as Belongs was told last.
func (l *Leg) Call() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.call
}

// Audio implements call.Leg.
func (l *Leg) Audio() media.Stream { return l.stream }

// WhenOwned has f run, once, in the goroutine of the next call that takes the leg, before that looks at anything else.
func (l *Leg) WhenOwned(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.owned = f
}

// Attach implements call.Leg.
func (l *Leg) Attach(post func(call.Command) bool) {
	l.mu.Lock()
	l.post = post
	owned := l.owned
	if post != nil {
		l.owned = nil
	}
	l.mu.Unlock()
	if post != nil && owned != nil {
		owned()
	}
}
