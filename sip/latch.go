package sip

import "sync"

// latch closes once, and can be waited for. The zero value is open; it may be used from any goroutine.
type latch struct {
	mu     sync.Mutex
	closed bool
	c      chan struct{} // nil until somebody waits
}

func (l *latch) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed && l.c != nil {
		close(l.c)
	}
	l.closed = true
}

func (l *latch) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// done is a channel that is closed with the latch.
func (l *latch) done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.c == nil {
		l.c = make(chan struct{})
		if l.closed {
			close(l.c)
		}
	}
	return l.c
}
