package sip

import "sync"

// tasks counts goroutines that may start each other, so that someone can wait for the last. Unlike a
// sync.WaitGroup it allows a start while somebody waits, and refuses starts once the wait is over.
type tasks struct {
	mu     sync.Mutex
	n      int
	idle   chan struct{} // closed when n falls to 0; made by wait
	sealed bool
}

// enter counts a task in; false means that nobody would wait for it, and it must not run.
func (t *tasks) enter() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sealed {
		return false
	}
	t.n++
	return true
}

// leave counts a task out.
func (t *tasks) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n--
	if t.n == 0 && t.idle != nil {
		close(t.idle)
		t.idle, t.sealed = nil, true
	}
}

// wait returns when no task is left, and seals. It is called once.
func (t *tasks) wait() {
	t.mu.Lock()
	if t.n == 0 {
		t.sealed = true
		t.mu.Unlock()
		return
	}
	idle := make(chan struct{})
	t.idle = idle
	t.mu.Unlock()
	<-idle
}
