package forecast

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Wait is one wait as it was seen: to its end by the caller's giving up, or cut short by an answer, after which
// nobody knows how long the caller would have waited.
type Wait struct {
	Lasted time.Duration
	GaveUp bool
}

// MeanPatience is the mean of an exponential patience, by greatest likelihood: all that was waited, divided by how
// many gave up (W. Nelson, Applied Life Data Analysis, 1982). It is 0 when nobody gave up.
func MeanPatience(waits []Wait) time.Duration {
	var sum time.Duration
	gaveUp := 0
	for _, w := range waits {
		sum += w.Lasted
		if w.GaveUp {
			gaveUp++
		}
	}
	if gaveUp == 0 {
		return 0
	}
	return max(1, sum/time.Duration(gaveUp))
}

// Patience is how long callers are ready to wait, estimated from waits many of which were cut short: the estimate of
// Kaplan and Meier (Nonparametric estimation from incomplete observations, Journal of the American Statistical
// Association 53, 1958), and beyond the longest wait that anybody gave up after, an exponential law of [MeanPatience].
type Patience struct {
	steps []survival
	tail  time.Duration
}

// survival is the share of callers who are ready to wait longer than at.
type survival struct {
	at    time.Duration
	share float64
}

// KaplanMeier estimates patience.
func KaplanMeier(waits []Wait) Patience {
	sorted := slices.Clone(waits)
	slices.SortFunc(sorted, func(a, b Wait) int { return int(a.Lasted - b.Lasted) })
	p := Patience{tail: MeanPatience(waits)}
	share := 1.0
	for i := 0; i < len(sorted); {
		at, gaveUp, atRisk := sorted[i].Lasted, 0, len(sorted)-i
		for ; i < len(sorted) && sorted[i].Lasted == at; i++ {
			if sorted[i].GaveUp {
				gaveUp++
			}
		}
		if gaveUp > 0 {
			share *= 1 - float64(gaveUp)/float64(atRisk)
			p.steps = append(p.steps, survival{at, share})
		}
	}
	return p
}

// Share is how many of all are ready to wait longer than that.
func (p Patience) Share(than time.Duration) float64 {
	share, last := 1.0, time.Duration(0)
	for _, s := range p.steps {
		if s.at > than {
			return share
		}
		share, last = s.share, s.at
	}
	if p.tail == 0 || than <= last {
		return share
	}
	return share * math.Exp(-float64(than-last)/float64(p.tail))
}

// Draw draws the patience of a caller who is known to have waited that long already; 0 means that it never ends.
func (p Patience) Draw(r *rand.Rand, waited time.Duration) time.Duration {
	if p.tail == 0 {
		return 0
	}
	left := p.Share(waited) * (1 - r.Float64()) // above 0
	share, last := 1.0, waited
	for _, s := range p.steps {
		share, last = s.share, max(waited, s.at)
		if s.at > waited && share <= left {
			return s.at
		}
	}
	if len(p.steps) > 0 && waited > p.steps[len(p.steps)-1].at {
		share = p.Share(waited)
	}
	return max(1, last+time.Duration(math.Log(share/left)*float64(p.tail)))
}
