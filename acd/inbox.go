package acd

import "sync"

// message is something for the desk's goroutine to do.
type message func(d *desk)

// inbox carries messages to the desk, in order. Putting never blocks, since a phone's progress and a
// caller's hang-up arrive on goroutines that must not wait. It needs no bound of its own: an offer, a
// seat and a leg post a fixed number of messages each, and those are bounded by the calls admitted.
type inbox struct {
	// ready has a token when there is something to take.
	ready chan struct{}

	mu      sync.Mutex
	waiting []message
	closed  bool
}

func newInbox() *inbox { return &inbox{ready: make(chan struct{}, 1)} }

// put reports false when the inbox is closed; the message is then dropped.
func (b *inbox) put(m message) bool {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return false
	}
	b.waiting = append(b.waiting, m)
	b.mu.Unlock()
	select {
	case b.ready <- struct{}{}:
	default:
	}
	return true
}

// take returns what is waiting.
func (b *inbox) take() []message {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.waiting
	b.waiting = nil
	return taken
}

// empty reports whether nothing is waiting.
func (b *inbox) empty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting) == 0
}

func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.waiting = nil
}
