// Package memstore keeps call records in memory (Store): for tests, and wherever records need not outlive the
// process. It passes the same suite (storetest) as the store on disk. It also has what several nodes share (Book), as the
// rules of site.Book in Go, for tests and for the checker of the protocol.
//
// Goroutines: every method may be called from any goroutine; a mutex guards the rows, and none waits
// for anything else.
package memstore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"hotline/call"
)

// Store implements call.Records and the reading port of package web. Use New.
type Store struct {
	mu       sync.Mutex
	rows     map[string]row
	ladders  map[string][][]call.SIPMessage // by call, as they were given
	shifts   map[string]call.Shift          // by agent
	outages  map[string]call.Outage
	bookings map[string]booked

	ladderKeep time.Duration // 0: none is kept
	clock      func() time.Time
}

// row holds the record encoded: a copy that nobody outside can change, read back as a database would.
type row struct {
	text     []byte
	started  time.Time
	finished bool
}

// New returns an empty store.
func New() *Store {
	return &Store{
		rows: make(map[string]row), ladders: make(map[string][][]call.SIPMessage), shifts: make(map[string]call.Shift),
		outages:  make(map[string]call.Outage),
		bookings: make(map[string]booked), clock: time.Now,
	}
}

// Begin implements call.Records.
func (s *Store) Begin(r call.Record) { s.Update(r) }

// Update implements call.Records. A record that cannot be encoded is dropped, as is one that is
// finished already.
func (s *Store) Update(r call.Record) {
	// The port has no error to return; whatever is wrong with the record, Finish will say.
	_ = s.put(r, false)
}

// Finish implements call.Records. It does not wait.
func (s *Store) Finish(_ context.Context, r call.Record) error {
	if err := s.put(r, true); err != nil {
		return fmt.Errorf("finish record of call %s: %w", r.ID, err)
	}
	return nil
}

func (s *Store) put(r call.Record, finished bool) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode record: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rows[r.ID].finished {
		return call.ErrFinished
	}
	s.rows[r.ID] = row{text: text, started: r.Started, finished: finished}
	return nil
}

// Get returns one record. Errors: call.ErrNotFound.
func (s *Store) Get(_ context.Context, id string) (call.Record, error) {
	s.mu.Lock()
	w, ok := s.rows[id]
	s.mu.Unlock()
	if !ok {
		return call.Record{}, call.ErrNotFound
	}
	return w.decode()
}

// List returns a page of records, newest first, and the cursor of the page after it; empty when there
// is none. Errors: call.ErrBadCursor. It costs time in proportion to all records held.
func (s *Store) List(_ context.Context, q call.Query) (page []call.Record, next string, err error) {
	var before call.Cursor
	if q.Before != "" {
		if before, err = call.ParseCursor(q.Before); err != nil {
			return nil, "", err
		}
	}
	all, err := s.since(time.Time{})
	if err != nil {
		return nil, "", err
	}
	page = slices.DeleteFunc(all, func(r call.Record) bool {
		return !q.Match(r) || q.Before != "" && before.Newer(r)
	})
	slices.SortFunc(page, func(a, b call.Record) int {
		if c := b.Started.Compare(a.Started); c != 0 {
			return c
		}
		return strings.Compare(b.ID, a.ID)
	})
	if limit := q.Rows(); len(page) > limit {
		page = page[:limit]
		next = call.CursorOf(page[limit-1]).String()
	}
	return page, next, nil
}

// Summaries counts the calls that began at since or later, by their first queue; within is the service level's time.
func (s *Store) Summaries(_ context.Context, since time.Time, within time.Duration) (call.Summaries, error) {
	all, err := s.since(since)
	if err != nil {
		return nil, err
	}
	n := make(call.Summaries)
	for _, r := range all {
		n.Count(r, within)
	}
	return n, nil
}

// since decodes the records of calls that began at t or later, in no order.
func (s *Store) since(t time.Time) ([]call.Record, error) {
	s.mu.Lock()
	rows := make([]row, 0, len(s.rows))
	for _, w := range s.rows {
		if !w.started.Before(t) {
			rows = append(rows, w)
		}
	}
	s.mu.Unlock()
	all := make([]call.Record, 0, len(rows))
	for _, w := range rows {
		r, err := w.decode()
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

func (w row) decode() (call.Record, error) {
	var r call.Record
	if err := json.Unmarshal(w.text, &r); err != nil {
		return call.Record{}, fmt.Errorf("decode record: %w", err)
	}
	return r, nil
}
