package memstore

import (
	"context"
	"time"

	"hotline/call"
)

// NewWithLadders returns an empty store that keeps what calls said by SIP for so long, by this wall clock.
func NewWithLadders(keep time.Duration, clock func() time.Time) *Store {
	s := New()
	s.ladderKeep, s.clock = keep, clock
	return s
}

// Trace implements call.Ladders. A store made by New drops what it is given.
func (s *Store) Trace(callID string, messages []call.SIPMessage) {
	if s.ladderKeep <= 0 || len(messages) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ladders[callID] = append(s.ladders[callID], append([]call.SIPMessage(nil), messages...))
	since := s.clock().Add(-s.ladderKeep)
	for id, given := range s.ladders {
		if !kept(given[len(given)-1], since) {
			delete(s.ladders, id)
		}
	}
}

// Ladder returns what a call said by SIP, in the order of the wire. Errors: call.ErrNotFound when nothing is
// kept of it, or not any more.
func (s *Store) Ladder(_ context.Context, id string) ([]call.SIPMessage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []call.SIPMessage
	for _, messages := range s.ladders[id] {
		if kept(messages, s.clock().Add(-s.ladderKeep)) {
			all = append(all, messages...)
		}
	}
	if len(all) == 0 {
		return nil, call.ErrNotFound
	}
	call.SortLadder(all)
	return all, nil
}

// kept tells whether the last of messages that were given together is young enough.
func kept(messages []call.SIPMessage, since time.Time) bool {
	for _, m := range messages {
		if !m.At.Before(since) {
			return true
		}
	}
	return false
}
