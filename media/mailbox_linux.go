package media

import (
	"sync"
	"sync/atomic"
)

// command is something to be done on a shard.
type command struct {
	// line is the one it is about, or nil. When it has moved on, the command follows it.
	line *line
	f    func()
	// done is told true when f was done, false when the shard has ended before; nil: nobody waits.
	done chan<- bool
}

func (c command) answer(done bool) {
	if c.done != nil {
		c.done <- done
	}
}

// mailbox is a shard's. Anybody may post; the shard looks at it once per wake, by a flag, and takes all there is.
type mailbox struct {
	pending atomic.Bool // something may be in it; then wake was called, or is about to be
	wake    func()      // wakes the shard; safe for concurrent use

	mu    sync.Mutex // guards the following
	queue []command
	ended bool
}

// post reports whether a command was put in. first, if not nil, is called when it is, before the shard can see it.
func (m *mailbox) post(c command, first func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		return false
	}
	if first != nil {
		first()
	}
	m.queue = append(m.queue, c)
	if !m.pending.Swap(true) {
		m.wake()
	}
	return true
}

// take empties the mailbox.
func (m *mailbox) take() []command {
	m.pending.Store(false) // first: what is posted from here on wakes the shard once more
	m.mu.Lock()
	defer m.mu.Unlock()
	queue := m.queue
	m.queue = nil
	return queue
}

// end refuses what is posted from now on, and returns what was before.
func (m *mailbox) end() []command {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = true
	return m.queue
}
