package media

import "sync"

// teller tells the outside of keys and faults, in the order in which they came, on a goroutine of its own: whoever is
// told may call the stream, which on the line's shard would wait for itself. Safe for any goroutine.
type teller struct {
	mu    sync.Mutex
	queue []func()
	ended bool

	wake chan struct{}
	done chan struct{}
}

func newTeller() *teller {
	t := &teller{wake: make(chan struct{}, 1), done: make(chan struct{})}
	go t.run()
	return t
}

// tell queues what is to be told. What can be queued for one line is bounded by the line.
func (t *teller) tell(f func()) {
	t.mu.Lock()
	t.queue = append(t.queue, f)
	t.mu.Unlock()
	t.ring()
}

// end returns when all that was queued has been told.
func (t *teller) end() {
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
	t.ring()
	<-t.done
}

func (t *teller) ring() {
	select {
	case t.wake <- struct{}{}:
	default: // it is awake, and looks once more before it sleeps
	}
}

func (t *teller) run() {
	defer close(t.done)
	for range t.wake {
		for {
			queue, ended := t.take()
			if len(queue) == 0 && ended {
				return
			}
			if len(queue) == 0 {
				break
			}
			for _, f := range queue {
				f()
			}
		}
	}
}

func (t *teller) take() (queue []func(), ended bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	queue, t.queue = t.queue, nil
	return queue, t.ended
}
