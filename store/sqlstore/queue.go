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
	switch w := q.waiting[r.id]; {
	case w == nil:
		q.rows = append(q.rows, r)
		q.waiting[r.id] = r
	case w.finished:
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
