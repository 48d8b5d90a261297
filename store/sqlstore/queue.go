package sqlstore

import (
	"sync"

	"hotline/call"
)

// queue holds the rows that wait for the writer, oldest first. A call has at most one record in it: an
// update that finds one there takes its place, so that a database that stands still costs memory for
// each call, not for each move of a call.
type queue struct {
	mu      sync.Mutex
	rows    []*row
	waiting map[string]*row // of rows, by call
	taken   int             // rows the writer has and may yet fail to write
	ladders int             // rows of SIP messages among those that wait or are taken
	closed  bool
	ended   *recent       // finished calls; nil where the database tells at once
	wake    chan struct{} // holds one token when there is something new
}

func newQueue() *queue {
	return &queue{waiting: make(map[string]*row), wake: make(chan struct{}, 1)}
}

// put queues a row and returns the one to wait for, and how many rows wait. Errors: ErrClosed;
// call.ErrFinished when the queue holds the call's finished record.
func (q *queue) put(r *row) (placed *row, waiting int, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, 0, ErrClosed
	}
	if r.Finished && q.ended != nil && !q.ended.add(r.Call) {
		return nil, 0, call.ErrFinished
	}
	switch w := q.waiting[r.Call]; {
	case w == nil:
		q.rows = append(q.rows, r)
		q.waiting[r.Call] = r
	case w.Finished:
		return nil, 0, call.ErrFinished
	default:
		*w = *r // nobody waits for an unfinished row
		r = w
	}
	q.tell()
	return r, len(q.rows) + q.taken, nil
}

// tell wakes the writer; q.mu is held.
func (q *queue) tell() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take hands all rows to the writer; open is false once nothing more can come.
func (q *queue) take() (rows []*row, open bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	rows, q.rows = q.rows, nil
	q.taken = len(rows)
	clear(q.waiting)
	return rows, !q.closed
}

// settled says that the rows taken last are written or refused.
func (q *queue) settled() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken = 0
	q.ladders = 0
	for _, r := range q.rows {
		if r.ladder != nil {
			q.ladders++
		}
	}
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.rows) + q.taken
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.tell()
}

// manyEnded is how many finished calls are remembered, so that none is finished twice. A call is finished by its one
// owner; this keeps the promise of the port against mistakes.
const manyEnded = 10_000

// recent are the ids added last.
type recent struct {
	ids  map[string]struct{}
	ring []string
	next int
}

func newRecent() *recent { return &recent{ids: make(map[string]struct{})} }

// add reports false when the id is there already.
func (r *recent) add(id string) bool {
	if _, there := r.ids[id]; there {
		return false
	}
	if len(r.ring) < manyEnded {
		r.ring = append(r.ring, id)
	} else {
		delete(r.ids, r.ring[r.next])
		r.ring[r.next] = id
	}
	r.next = (r.next + 1) % manyEnded
	r.ids[id] = struct{}{}
	return true
}
