package acd

import (
	"math"
	"time"
)

// everyone is a number of phones without a limit.
const everyone = math.MaxInt

// plan is how many phones may ring at once for one caller, as a function of the time since the caller's
// promise clock began ([call.Seat]): so many from the start, and more the longer nobody answers. It is pure:
// the desk asks it, and sets the deadline at which it will say more.
type plan struct {
	first int
	// growths are the ways in which it becomes more; the one that allows most counts.
	growths []growth
	// lost is when the promise is: an offer that comes later begins the clock anew.
	lost time.Duration
}

// growth is one phone more from an instant of the clock on, and one more after each interval from then.
type growth struct{ from, every time.Duration }

// phones is how many may ring so long after the clock began; before it began that is negative.
func (p plan) phones(since time.Duration) int {
	n := p.first
	for _, g := range p.growths {
		if since >= g.from {
			n = max(n, p.first+1+int((since-g.from)/g.every))
		}
	}
	return n
}

// next is the first instant of the clock, after one, at which more may ring than at that one; false if there
// is none.
func (p plan) next(since time.Duration) (at time.Duration, ok bool) {
	for now := p.phones(since); len(p.growths) > 0; {
		for _, g := range p.growths {
			t := g.from
			if since >= t {
				t = since + g.every - (since-t)%g.every
			}
			if !ok || t < at {
				at, ok = t, true
			}
		}
		if p.phones(at) > now { // of two growths, one may only catch up with the other
			return at, true
		}
		since, ok = at, false
	}
	return 0, false
}

// plan is a strategy's plan in one queue. Every strategy that does not ring all at once has the rescue: the
// promise of n rings is kept if an agent answers within them, so that at the start of the last one, if nobody
// has, another phone joins in, and one more at each ring after it.
func (s strategy) plan(o *Options, q *Queue) plan {
	p := plan{first: s.fanOut}
	if s.fanOut == everyone {
		return p
	}
	cycle := o.Ring.Cycle()
	p.lost = time.Duration(o.Rings) * cycle
	p.growths = append(p.growths, growth{from: time.Duration(o.Rings-1) * cycle, every: cycle})
	if s.progressive {
		p.growths = append(p.growths, growth{from: q.Progress, every: q.Progress})
	}
	return p
}
