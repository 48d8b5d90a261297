package erlang

import "math"

// System is one queue with agents who are all alike: calls come by a Poisson process, talks and patience are
// exponential, and callers are served in the order of their coming.
type System struct {
	// Agents is how many there are, at least 1.
	Agents int
	// Arrivals are calls a second, above 0.
	Arrivals float64
	// Talk is the mean time that a call keeps its agent, in seconds, above 0.
	Talk float64
	// Patience is the mean time after which a waiting caller gives up, in seconds; 0 means never.
	Patience float64
}

// Erlangs is the traffic offered: how many agents it would keep busy.
func (s System) Erlangs() float64 { return s.Arrivals * s.Talk }

// Figures are what a system comes to in the long run.
type Figures struct {
	// Waits is the share of callers who find every agent busy.
	Waits float64
	// MeanWait is the mean over all callers, those who gave up included, in seconds; infinite where a system
	// without impatience has more traffic than agents.
	MeanWait float64
	// Abandons is the share of callers who give up.
	Abandons float64
	// Occupancy is the share of their time that the agents talk.
	Occupancy float64
}

// B is Erlang's loss formula: the share of calls that find every one of n agents busy, where nobody waits, for a
// traffic in Erlangs. Without agents it is 1.
func B(n int, erlangs float64) float64 {
	b := 1.0
	for k := 1; k <= n; k++ {
		b = erlangs * b / (float64(k) + erlangs*b)
	}
	return b
}

// C is Erlang's delay formula: the share of callers who wait, where everybody waits as long as it takes. It is 1
// where the traffic is as much as the agents or more.
func C(n int, erlangs float64) float64 {
	if erlangs >= float64(n) {
		return 1
	}
	b := B(n, erlangs)
	return float64(n) * b / (float64(n) - erlangs*(1-b))
}

// Figures are by Erlang A, or Erlang C where nobody loses patience.
func (s System) Figures() Figures {
	if s.Patience <= 0 {
		return s.patient()
	}
	p := s.steady()
	f := Figures{Waits: p.allBusy, MeanWait: p.queue / s.Arrivals}
	f.Abandons = f.MeanWait / s.Patience
	f.Occupancy = s.Erlangs() * (1 - f.Abandons) / float64(s.Agents)
	return f
}

func (s System) patient() Figures {
	f := Figures{Waits: C(s.Agents, s.Erlangs()), MeanWait: math.Inf(1), Occupancy: 1}
	if spare := s.spare(); spare > 0 {
		f.MeanWait = f.Waits / spare
		f.Occupancy = s.Erlangs() / float64(s.Agents)
	}
	return f
}

// spare is how many more calls a second the agents could serve.
func (s System) spare() float64 { return float64(s.Agents)/s.Talk - s.Arrivals }

// ServiceLevel is the share answered within a time in seconds, of those answered and those who gave up later than
// that. Who gave up sooner is not counted.
func (s System) ServiceLevel(within float64) float64 {
	if s.Patience <= 0 {
		if s.spare() <= 0 {
			return 0
		}
		return 1 - C(s.Agents, s.Erlangs())*math.Exp(-s.spare()*within)
	}
	answered, lostSooner := s.within(within)
	return answered / (1 - lostSooner)
}

// AnsweredWithin is the share of all callers who are answered within a time in seconds.
func (s System) AnsweredWithin(within float64) float64 {
	if s.Patience <= 0 {
		return s.ServiceLevel(within)
	}
	answered, _ := s.within(within)
	return answered
}

// mostAgents bounds the search of Needed.
const mostAgents = 100_000

// Needed is the least number of agents with whom the service level is reached: level from 0 to below 1, within in
// seconds. It is 0 where no call comes, and ok is false where no number up to 100,000 is enough. s.Agents means
// nothing.
func (s System) Needed(level, within float64) (n int, ok bool) {
	if s.Arrivals <= 0 {
		return 0, true
	}
	enough := func(n int) bool {
		s.Agents = n
		return s.ServiceLevel(within) >= level
	}
	high := 1
	for ; !enough(high); high *= 2 {
		if high > mostAgents {
			return 0, false
		}
	}
	low := high / 2 // not enough, or 0
	for high-low > 1 {
		if middle := (low + high) / 2; enough(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high, true
}
