package media

import "sync"

// teller tells the outside of keys, facts and faults, those of one stream in the order in which they came: away from the
// shard, since whoever is told may call the stream, which there would wait for itself. A stream has a goroutine only while
// there is something to tell, so that one whose function is slow delays no other. Safe for any goroutine.
type teller struct {
	running sync.WaitGroup

	mu sync.Mutex
	// untold is what waits, by stream: one that is in it has a goroutine.
	untold map[*stream][]func()
}

func newTeller() *teller { return &teller{untold: make(map[*stream][]func())} }

// tell queues what is to be told of a stream. What can be queued for one is bounded by its line.
func (t *teller) tell(s *stream, f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	waiting, telling := t.untold[s]
	t.untold[s] = append(waiting, f)
	if !telling {
		t.running.Go(func() { t.run(s) })
	}
}

// end returns when all that was queued has been told.
func (t *teller) end() { t.running.Wait() }

// run tells what is queued for a stream until nothing is.
func (t *teller) run(s *stream) {
	for {
		queue := t.take(s)
		if len(queue) == 0 {
			return
		}
		for _, f := range queue {
			f()
		}
	}
}

// take empties a stream's queue; one that was empty is none any more.
func (t *teller) take(s *stream) []func() {
	t.mu.Lock()
	defer t.mu.Unlock()
	queue := t.untold[s]
	if len(queue) == 0 {
		delete(t.untold, s)
		return nil
	}
	t.untold[s] = nil
	return queue
}
