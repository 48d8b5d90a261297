package media

import (
	"sync/atomic"
	"time"
)

// pace is how well a wheel keeps its time. Its shard writes it, anybody reads it.
type pace struct {
	due   atomic.Int64 // of the next turn, since begun; 0: nobody waits for one
	turns atomic.Int64 // so far
	late  atomic.Int64 // by how long those were late, together
}

// begun is what the times of paces count from.
var begun = time.Now()

// set notes when the wheel is to turn next; the zero time: it stands still.
func (p *pace) set(due time.Time) {
	if due.IsZero() {
		p.due.Store(0)
		return
	}
	p.due.Store(int64(due.Sub(begun)))
}

// turned notes a turn that was due at one time and began at another.
func (p *pace) turned(due, at time.Time) {
	p.turns.Add(1)
	p.late.Add(int64(max(0, at.Sub(due))))
}

// lag returns what tells by how long turns were late, on average, since it was asked last; where there was none, by how long the next
// one is. It must not be used by two at a time.
func (p *pace) lag() func(now time.Time) time.Duration {
	turns, late := p.turns.Load(), p.late.Load()
	return func(now time.Time) time.Duration {
		n, sum := p.turns.Load(), p.late.Load()
		many, lost := n-turns, sum-late
		turns, late = n, sum
		if due := p.due.Load(); many == 0 && due != 0 {
			return max(0, now.Sub(begun)-time.Duration(due))
		}
		return time.Duration(lost / max(1, many))
	}
}
