package hep

import (
	"sync"
	"time"

	"hotline/call"
)

// queue holds messages until they are sent, bounded in number and in octets. It is never waited for. Those of no call, as all
// that strangers send, have no more than half of it: a flood of them leaves room for the calls that go on meanwhile.
type queue struct {
	mu     sync.Mutex
	waits  []call.WireMessage
	all    load
	strays load          // of them, those of no call
	bell   chan struct{} // has room for one: something was put in
}

// load is how much waits.
type load struct{ messages, octets int }

// add adds a message, or takes it out with a sign of -1.
func (l *load) add(m *call.WireMessage, sign int) {
	l.messages += sign
	l.octets += sign * len(m.Data)
}

// fits tells whether one more is within a share of the queue's bounds.
func (l *load) fits(m *call.WireMessage, share int) bool {
	return l.messages < queueMost/share && l.octets+len(m.Data) <= queueOctets/share
}

// straysShare is the part of the queue that messages of no call may have: a half.
const straysShare = 2

func newQueue() *queue { return &queue{bell: make(chan struct{}, 1)} }

// put adds a message; false when there is no room.
func (q *queue) put(m call.WireMessage) bool {
	q.mu.Lock()
	if !q.all.fits(&m, 1) || m.Call == "" && !q.strays.fits(&m, straysShare) {
		q.mu.Unlock()
		return false
	}
	q.waits = append(q.waits, m)
	q.count(&m, 1)
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
		q.count(&q.waits[n], -1)
		n++
	}
	ready = q.waits[:n:n]
	if q.waits = q.waits[n:]; len(q.waits) == 0 {
		q.waits = nil // and not an array of which ready is the most
		return ready, time.Time{}
	}
	return ready, q.waits[0].At
}

// count is called with q.mu.
func (q *queue) count(m *call.WireMessage, sign int) {
	q.all.add(m, sign)
	if m.Call == "" {
		q.strays.add(m, sign)
	}
}
