package mediaload

import "time"

// A Spread tells times apart by the microsecond up to spreadFine, by 0.1 ms up to spreadMost, and not at all beyond.
const (
	spreadFine   = 20 * time.Millisecond
	spreadMost   = 10 * time.Second
	spreadCoarse = 100 * time.Microsecond
)

// Spread counts times: to the microsecond up to 20 ms, to 0.1 ms up to 10 s. The zero Spread is empty and ready.
type Spread struct {
	counts []uint32
	n      int
	most   time.Duration
}

// fineSteps is how many microseconds are told apart by themselves.
const fineSteps = int(spreadFine / time.Microsecond)

// place is where a time is counted.
func place(d time.Duration) int {
	if d < spreadFine {
		return int(max(0, d) / time.Microsecond)
	}
	return fineSteps + int((min(d, spreadMost)-spreadFine)/spreadCoarse)
}

// least is the least time that is counted at a place.
func least(at int) time.Duration {
	if at < fineSteps {
		return time.Duration(at) * time.Microsecond
	}
	return spreadFine + time.Duration(at-fineSteps)*spreadCoarse
}

// newSpread is a Spread that allocates no more.
func newSpread() Spread { return Spread{counts: make([]uint32, place(spreadMost)+1)} }

// add counts a time; one below 0 as 0.
func (s *Spread) add(d time.Duration) {
	if s.counts == nil {
		*s = newSpread()
	}
	s.counts[place(d)]++
	s.n++
	s.most = max(s.most, d)
}

// Count is how many times were counted.
func (s *Spread) Count() int { return s.n }

// Max is the greatest; 0 when there is none.
func (s *Spread) Max() time.Duration { return s.most }

// Quantile is the time that a share q of them, 0 to 1, stayed within (the nearest rank), at most 10 s; 0 when there is
// none.
func (s *Spread) Quantile(q float64) time.Duration {
	rank, below := min(s.n-1, int(q*float64(s.n))), 0
	for at, c := range s.counts {
		if below += int(c); below > rank {
			return least(at)
		}
	}
	return 0
}
