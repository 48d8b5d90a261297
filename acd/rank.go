package acd

import (
	"cmp"
	"time"
)

// rank is a caller's place in the one order of all callers over all queues. It is settled when the caller
// is taken in and never changes while they wait, so that the heaps made by it stay right:
//
//  1. callers of the alarm queue;
//  2. callers put to the front, of whatever queue (their agent was lost);
//  3. the virtual instant of entering: the entering, less the queue's priority times the ageing. One point of
//     priority is so worth one [Options.Ageing] of waiting. Without ageing the priority decides, and then the
//     entering;
//  4. the order of joining; among the callers of several nodes, that of their calls' names.
//
// Nobody starves: a caller of priority p is overtaken only by those who enter within (P − p) · ageing after
// them, where P is the highest priority of all queues, and by alarms and those put to the front.
type rank struct {
	alarm, front bool
	// priority is that of the queue where there is no ageing, else 0.
	priority int
	// virtual is counted from the start of the desk; those who entered before it have a negative one. Where there are other nodes it
	// is counted by their common clock, see site_order.go.
	virtual time.Duration
	// call is what the nodes of a site go by who entered in the same instant: they do not know each other's seq. Empty
	// where there are none.
	call string
	seq  uint64
}

// before reports whether r goes first. It is a total order: no two ranks have the same seq.
func (r rank) before(x rank) bool {
	if r.alarm != x.alarm {
		return r.alarm
	}
	if r.front != x.front {
		return r.front
	}
	if order := cmp.Or(cmp.Compare(x.priority, r.priority), cmp.Compare(r.virtual, x.virtual)); order != 0 {
		return order < 0
	}
	if r.call != x.call {
		return r.call < x.call
	}
	return r.seq < x.seq
}

// longestWait bounds what is made of an instant of entering that cannot be true, such as one kept by a
// clock that was wrong: in either direction.
const longestWait = 366 * 24 * time.Hour

// rankOf is the rank of a caller who joined as number seq and entered so long after the desk's start.
func rankOf(q *queue, front bool, entered, ageing time.Duration, seq uint64) rank {
	r := rank{alarm: q.Alarm, front: front, virtual: entered, seq: seq}
	if ageing > 0 {
		r.virtual -= time.Duration(q.Priority) * ageing
	} else {
		r.priority = q.Priority
	}
	return r
}

// rankOf is the rank of a caller who joins now.
func (d *desk) rankOf(c *caller) rank {
	if d.site == nil {
		return rankOf(c.queue, c.Front, c.entered, d.o.Ageing, d.seq)
	}
	r := rankOf(c.queue, c.Front, c.common, d.o.Ageing, d.seq)
	r.call = c.CallID
	return r
}

// entered is when a caller entered, counted from the desk's start. An instant of this process is taken by the
// monotonic clock, one from a record by the wall clock as it is now; so all are on one scale from here on,
// whatever the wall clock does.
func (d *desk) entered(c *caller) time.Duration {
	age := min(max(d.now.Sub(c.Entered), -longestWait), longestWait)
	return d.now.Sub(d.opened) - age
}
