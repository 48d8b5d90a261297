package erlang

import "math"

// steady is the long run of a system whose callers lose patience.
type steady struct {
	// allBusy is the probability that every agent is, which is what a caller finds.
	allBusy float64
	// queue is the mean number of callers who wait.
	queue float64
	// logFull is the logarithm of the probability that every agent is busy and nobody waits.
	logFull float64
}

// negligible is the probability below which the states that are left do not count.
const negligible = 1e-17

// steady adds one state (number of calls present) after the other, as in the recursion of B: b is the probability
// of the newest among those so far, and what was summed over the others shrinks by the rest.
func (s System) steady() steady {
	var p steady
	b := 1.0
	n := float64(s.Agents)
	for k := 1.0; ; k++ {
		waiting := max(k-n, 0)
		leave := min(k, n)/s.Talk + waiting/s.Patience
		b = s.Arrivals * b / (leave + s.Arrivals*b)
		p.allBusy *= 1 - b
		p.queue *= 1 - b
		p.logFull += math.Log1p(-b)
		if k == n {
			p.logFull = math.Log(b)
		}
		if k >= n {
			p.allBusy += b
			p.queue += waiting * b
		}
		// Past the mode the states shrink at least as a geometric row does.
		if k > n && leave > s.Arrivals && b*(waiting+1)*leave/(leave-s.Arrivals) < negligible*max(p.allBusy, negligible) {
			return p
		}
	}
}

// steps of the integration; even, for Simpson's rule. The density is smooth, and within is of the order of the
// times in it.
const steps = 2000

// within is the share of callers who are answered within a time, and of those who gave up sooner.
//
// The wait of one who never gives up has the density v(t) = P(all busy, nobody waits) · n/Talk · exp(Arrivals ·
// Patience · (1 − exp(−t/Patience)) − t · n/Talk): the callers ahead leave by an answer or by their patience.
func (s System) within(t float64) (answered, lostSooner float64) {
	p := s.steady()
	serve := float64(s.Agents) / s.Talk
	density := func(t float64) float64 {
		lost := -math.Expm1(-t / s.Patience)
		return math.Exp(p.logFull + math.Log(serve) + s.Arrivals*s.Patience*lost - serve*t)
	}
	h := t / steps
	var waited, patient float64 // the integrals of v(t), and of v(t) times who is still there
	for i := range steps + 1 {
		weight := 4.0
		switch {
		case i == 0 || i == steps:
			weight = 1
		case i%2 == 0:
			weight = 2
		}
		at := float64(i) * h
		v := weight * h / 3 * density(at)
		waited += v
		patient += v * math.Exp(-at/s.Patience)
	}
	answered = 1 - p.allBusy + patient
	still := max(0, p.allBusy-waited) // would wait longer than t
	lostSooner = waited - patient - still*math.Expm1(-t/s.Patience)
	return answered, lostSooner
}
