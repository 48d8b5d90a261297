package media

import "fmt"

// slots are the lines whose sockets are in a shard's epoll set. An event names one, and its generation, which changes
// with its owner: what was reported of a socket that has since been closed, or has moved, reaches nobody else, though
// the next socket has its number. Not safe for concurrent use.
type slots struct {
	all  []slot
	free []int
}

type slot struct {
	owner      *descriptors // nil: free
	generation int32
}

// take gives an owner a free slot.
func (t *slots) take(owner *descriptors) (index int, generation int32) {
	if n := len(t.free); n > 0 {
		index, t.free = t.free[n-1], t.free[:n-1]
	} else {
		index, t.all = len(t.all), append(t.all, slot{})
	}
	t.all[index].owner = owner
	return index, t.all[index].generation
}

// release is the opposite.
func (t *slots) release(index int) {
	t.all[index].owner = nil
	t.all[index].generation++
	t.free = append(t.free, index)
}

// owner is whom an event is about; nil when it is stale.
func (t *slots) owner(index, generation int32) *descriptors {
	if k := &t.all[index]; k.generation == generation {
		return k.owner
	}
	return nil
}

// adopt makes a line the shard's own. Errors: the system's, and then it is not.
func (s *shard) adopt(d *descriptors) error {
	index, generation := s.slots.take(d)
	for i, fd := range []int{d.rtp, d.rtcp} {
		if err := s.poller.watch(fd, int32(index<<1|i), generation); err != nil {
			s.poller.unwatch(d.rtp)
			s.slots.release(index)
			s.lines.Add(-1)
			return fmt.Errorf("watch a socket: %w", err)
		}
	}
	d.slot, d.line.tally = index, s.tally
	s.wheel.add(d.line)
	if !s.armed {
		s.wheel.begin()
		s.arm()
	}
	return nil
}

// vacate takes a line from the shard, if it was adopted; its sockets may still be watched.
func (s *shard) vacate(d *descriptors) {
	if d.line.seat == nowhere {
		return
	}
	s.slots.release(d.slot)
	s.wheel.remove(d.line)
	s.lines.Add(-1)
}

// move gives a line to another shard. What comes for it meanwhile waits in its sockets.
func (s *shard) move(d *descriptors, to *shard) {
	s.poller.unwatch(d.rtp)
	s.poller.unwatch(d.rtcp)
	s.vacate(d)
	to.lines.Add(1)
	// The other shard has not ended: it does so when all lines are closed.
	to.mail.post(command{line: d.line, f: func() { to.arrive(d) }}, func() { d.home.Store(to) })
}

// arrive adopts a line that was moved here. One that cannot be is closed. One that was closed on its way, by who had
// been waiting here since it was last this shard's, has no sockets any more.
func (s *shard) arrive(d *descriptors) {
	if d.line.closed {
		s.lines.Add(-1)
		return
	}
	if err := s.adopt(d); err != nil {
		d.line.fail("media: move", err)
	}
}
