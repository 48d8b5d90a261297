package sip

import "time"

// noncesPerAgent bounds the nonces whose counts are remembered for one agent. A phone uses one or
// two at a time; one that takes more than this within a nonce's life loses its oldest, not anyone else's.
const noncesPerAgent = 8

// counts remembers, for one agent, which nonce counts were used (RFC 7616 section 3.4: the nc value
// seen twice is a replay). It has no lock: registrar.mu guards it.
type counts struct {
	used []nonceCounts
	// floor: a nonce made at this instant or before it was forgotten, and is never taken again.
	floor time.Duration
}

// nonceCounts are the counts used with one nonce: the highest, and which of the 64 up to it, so that
// two requests which overtook each other on the way are both taken (as RFC 6479 does for packets).
type nonceCounts struct {
	nonce   string
	made    time.Duration
	highest int
	window  uint64
}

// countWindow is how far a count may lie behind the highest.
const countWindow = 64

func newCounts() *counts { return &counts{floor: -1} }

// use takes a nonce and a count, and reports whether this is their first use.
func (c *counts) use(nonce string, made time.Duration, nc int) bool {
	if made <= c.floor {
		return false
	}
	for i := range c.used {
		if c.used[i].nonce == nonce {
			return c.used[i].take(nc)
		}
	}
	if len(c.used) == noncesPerAgent {
		c.forgetOldest()
		if made <= c.floor {
			return false
		}
	}
	c.used = append(c.used, nonceCounts{nonce: nonce, made: made, highest: nc, window: 1})
	return true
}

// forgetOldest drops the oldest nonce and shuts out all as old as it.
func (c *counts) forgetOldest() {
	oldest := 0
	for i := range c.used {
		if c.used[i].made < c.used[oldest].made {
			oldest = i
		}
	}
	c.floor = max(c.floor, c.used[oldest].made)
	c.used[oldest] = c.used[len(c.used)-1]
	c.used = c.used[:len(c.used)-1]
}

// take marks one count as used; false when it was, or when it is too far behind to know. Bit i of
// the window stands for the count highest-i.
func (n *nonceCounts) take(nc int) bool {
	if nc > n.highest {
		if shift := nc - n.highest; shift < countWindow {
			n.window = n.window<<shift | 1
		} else {
			n.window = 1
		}
		n.highest = nc
		return true
	}
	behind := n.highest - nc
	if behind >= countWindow || n.window&(1<<behind) != 0 {
		return false
	}
	n.window |= 1 << behind
	return true
}
