package sip

import (
	"sync/atomic"
	"time"
)

// What a stranger's datagram, connection and handshake take of a processor, roughly: reading and dropping it is most.
const (
	strangeMessage    = 10 * time.Microsecond
	strangeConnection = 100 * time.Microsecond
	strangeHandshake  = time.Millisecond
)

// strangers adds up what came from hosts that are no trunk and no agent's. Refusing calls does nothing against it, so that it is
// not to be taken for a load of calls. It may be used from any goroutine.
type strangers struct {
	came  atomic.Int64 // messages and connections
	known atomic.Int64 // datagrams of others
	spent atomic.Int64 // nanoseconds of a processor, on what came
}

// cost counts something that a stranger sent.
func (s *strangers) cost(d time.Duration) {
	s.came.Add(1)
	s.spent.Add(int64(d))
}

// take adds what has been counted since it was called last to the measures of an interval, of which took is set.
func (s *strangers) take(m *measures, cores float64) {
	m.strange, m.known = int(s.came.Swap(0)), int(s.known.Swap(0))
	if spent := s.spent.Swap(0); m.took > 0 && cores > 0 {
		m.theirs = min(1, float64(spent)/float64(m.took)/cores)
	}
}

// A flood is floodLeast things of strangers in an interval, or floodShare of the cores, and more than others sent. It is held to last for floodRow intervals
// more: what it left waiting is still there.
const (
	floodLeast = 50
	floodShare = 0.1
	floodRow   = 10
)

const (
	// usualWeight is that of the newest interval in the mean of what others have us do: a minute counts.
	usualWeight = 1.0 / 600
	// busier is how many times as much as usual is more than usual, and busyLeast what is not, in an interval.
	busier, busyLeast = 1.5, 5
	// callWork is what a new call counts, where a datagram counts one: over connections it is all that is counted.
	callWork = 5
)

// causedLocked tells whether new calls can be what the signs of an interval come from. In a flood of strangers' they are not
// unless this process spends at least half of its CPU's limit on others, so that a hotline with little to do cannot be shut by who has
// no business there. Where the CPU is not measured they are not unless others have us do more than before the flood, or new calls
// were bounded before it: else strangers could have us do without any bound.
func (c *overload) causedLocked(m measures) bool {
	if m.cpu >= 0 {
		c.theirs += cpuWeight * (m.theirs - c.theirs)
	}
	work := float64(m.known + callWork*(c.admitted+c.denied))
	c.work += cpuWeight * (work - c.work)
	began := c.flood == 0
	c.flood = max(0, c.flood-1)
	if m.strange > m.known && (m.strange >= floodLeast || m.theirs >= floodShare) {
		if c.flood = floodRow; began {
			c.bounded = c.level != levelNormal
		}
	}
	switch {
	case c.flood == 0:
		if c.level == levelNormal {
			c.usual += usualWeight * (work - c.usual)
		}
		return true
	case m.cpu < 0:
		return c.bounded || c.work > max(busyLeast, busier*c.usual)
	case c.o.CPU > 0:
		return c.cpu-c.theirs > c.o.CPU/2
	default: // no limit is as if all might be used
		return c.cpu-c.theirs > 0.5
	}
}
