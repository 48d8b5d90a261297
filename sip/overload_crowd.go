package sip

import (
	"math"
	"time"
)

// Those who are in are sent audio for as long as they are in. When the media engine is late, to let in fewer a second shows only as
// calls end, and by then far too few are let in. So how many are in has a bound of its own: as the engine is late, a little less
// than there are, whereupon one is let in for each that ends.
const (
	// crowdLeft is how many of those who are in may be when the engine is late.
	crowdLeft = 0.97
	// crowdNear is the share of those who were in when the engine began to be late up to which the bound rises by crowdFast in each
	// interval in which nearly as many are in; it rises by crowdSlow from there on.
	crowdNear            = 0.95
	crowdFast, crowdSlow = 1.02, 1.001
	// crowdEbb is how many may be let in, for each that is in the long run, when the bound has kept somebody out.
	crowdEbb = 1.1
	// fillsBelow is the share of those let in, in the long run, of which fewer end while calls only begin.
	fillsBelow = 0.5
	// crowdLeast is never gone below: so few are not what makes audio late; nor is leastShare of those who were in before the limit where it is not this process that
	// uses the CPU: a machine that does not run us in time makes audio late whoever is in.
	crowdLeast = 16.0
)

// crowd is the bound on those who are in, and what it is found by.
type crowd struct {
	most  float64 // may be in, above levelNormal
	began float64 // were in when the engine began to be late last
	least float64 // most is not lowered below it where we use little of the CPU
	// late is by how much the engine was, before in the interval before.
	late, before time.Duration
	heard        int // intervals in a row in which it was in time
}

func newCrowd() crowd { return crowd{most: math.Inf(1), began: math.Inf(1)} }

// inLocked is how many calls are in: as many as there were when the interval began, and those let in since.
func (c *overload) inLocked() float64 { return float64(c.live + c.admitted + c.asked) }

// boundLocked lets nobody more in than may be.
func (c *overload) boundLocked() bool {
	return c.level != levelNormal && c.inLocked() >= c.crowd.most
}

// followCrowdLocked moves the bound on those who are in, at the end of an interval.
func (c *overload) followCrowdLocked() {
	is, b := c.inLocked(), &c.crowd
	if c.barred > 0 { // else those let in would come and go in waves
		c.rate = max(leastRate, min(c.rate, crowdEbb*c.steady))
		c.lowered = max(c.rate, crowdEbb*c.steady)
	}
	row(&b.heard, c.signs.audio == 0)
	switch {
	case c.level != levelNormal && math.IsInf(b.most, 1) && c.signs.audio < muteRow: // before calls end, the rate alone bounds nobody
		b.most, b.began = max(crowdLeast, is), is
	case c.level == levelNormal:
		b.most, b.began, b.least = math.Inf(1), math.Inf(1), max(crowdLeast, leastShare*is)
	case c.signs.audio >= muteRow:
		if c.signs.audio == muteRow {
			b.began = is
		}
		least := b.least
		if c.oursLocked() {
			least = crowdLeast
		}
		if b.late >= b.before { // else what was done has begun to help: what waits has yet to be worked off
			b.most = max(least, min(b.most, crowdLeft*is))
		}
	case is >= crowdNear*b.most && !c.fillsLocked():
		if b.most < crowdNear*b.began {
			b.most *= crowdFast
		} else {
			b.most *= bolder(crowdSlow, crowdFast, b.heard)
		}
	}
}

// fillsLocked tells whether calls become ever more for want of ends, not of load: with too much of it already, or a standing queue, no more are to be in.
// Once as many end as are let in, the rate does what is needed.
func (c *overload) fillsLocked() bool {
	return (c.signs.hot > 0 || c.signs.late > 0) && c.ends < fillsBelow*c.steady
}
