package hep

import (
	"sync"
	"time"

	"hotline/call"
)

// queue holds messages until they are sent, bounded in number and in octets. It is never waited for.
type queue struct {
	mu     sync.Mutex
	waits  []call.WireMessage
	octets int
	bell   chan struct{} // has room for one: something was put in
}

func newQueue() *queue { return &queue{bell: make(chan struct{}, 1)} }

// put adds a message; false when there is no room.
func (q *queue) put(m call.WireMessage) bool {
	q.mu.Lock()
	if len(q.waits) >= queueMost || q.octets+len(m.Data) > queueOctets {
		q.mu.Unlock()
		return false
	}
	q.waits = append(q.waits, m)
	q.octets += len(m.Data)
	q.mu.Unlock()
	select {
	case q.bell <- struct{}{}:
	default:
	}
	return true
}

// take returns the messages from no later than until, the first first, and when the next one is from; zero: there is
// none.
func (q *queue) take(until time.Time) (ready []call.WireMessage, next time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for n < len(q.waits) && !q.waits[n].At.After(until) {
		q.octets -= len(q.waits[n].Data)
		n++
	}
	ready = q.waits[:n:n]
	if q.waits = q.waits[n:]; len(q.waits) == 0 {
		q.waits = nil // and not an array of which ready is the most
		return ready, time.Time{}
	}
	return ready, q.waits[0].At
}
