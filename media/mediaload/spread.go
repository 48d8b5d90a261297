package mediaload

import "time"

// spreadMost is what a Spread tells apart, by microseconds; times beyond count as this, but for the greatest.
const spreadMost = 100_000

// Spread counts times by the microsecond, up to 100 ms. The zero Spread is empty and ready.
type Spread struct {
	counts []uint32 // by microsecond
	n      int
	most   time.Duration
}

// newSpread is a Spread that allocates no more.
func newSpread() Spread { return Spread{counts: make([]uint32, spreadMost+1)} }

// add counts a time; one below 0 as 0.
func (s *Spread) add(d time.Duration) {
	if s.counts == nil {
		*s = newSpread()
	}
	s.counts[min(max(0, d.Microseconds()), spreadMost)]++
	s.n++
	s.most = max(s.most, d)
}

// Count is how many times were counted.
func (s *Spread) Count() int { return s.n }

// Max is the greatest; 0 when there is none.
func (s *Spread) Max() time.Duration { return s.most }

// Quantile is the time that a share q of them, 0 to 1, stayed within (the nearest rank), to the microsecond and at most
// 100 ms; 0 when there is none.
func (s *Spread) Quantile(q float64) time.Duration {
	rank, below := min(s.n-1, int(q*float64(s.n))), 0
	for us, c := range s.counts {
		if below += int(c); below > rank {
			return time.Duration(us) * time.Microsecond
		}
	}
	return 0
}
