package forecast

import (
	"math"
	"math/rand/v2"
	"time"
)

// Draw is a law of times, drawn from.
type Draw func(r *rand.Rand) time.Duration

// Exponential draws times of that mean which remember nothing. It is never 0, unless the mean is.
func Exponential(mean time.Duration) Draw {
	return func(r *rand.Rand) time.Duration {
		if mean <= 0 {
			return 0
		}
		return max(1, time.Duration(r.ExpFloat64()*float64(mean)))
	}
}

// Lognormal draws times of that mean and standard deviation, as the lengths of talks are found to be (L. Brown and
// others, Statistical analysis of a telephone call center, Journal of the American Statistical Association 100, 2005).
func Lognormal(mean, deviation time.Duration) Draw {
	if mean <= 0 {
		return func(*rand.Rand) time.Duration { return 0 }
	}
	ratio := float64(deviation) / float64(mean)
	variance := math.Log1p(ratio * ratio)
	mu := math.Log(float64(mean)) - variance/2
	return func(r *rand.Rand) time.Duration {
		return time.Duration(math.Exp(mu + math.Sqrt(variance)*r.NormFloat64()))
	}
}

// Among draws one of the times recorded, each as likely; 0 if there is none.
func Among(recorded []time.Duration) Draw {
	return func(r *rand.Rand) time.Duration {
		if len(recorded) == 0 {
			return 0
		}
		return recorded[r.IntN(len(recorded))]
	}
}

// Poisson makes n callers of one queue, on average so many a second, with times drawn; nil patience is one without
// end.
func Poisson(r *rand.Rand, queue string, start time.Time, n int, perSecond float64, talk, patience Draw) func() (Caller, bool) {
	between := Exponential(time.Duration(float64(time.Second) / perSecond))
	at := start
	return func() (c Caller, more bool) {
		if n--; n < 0 {
			return c, false
		}
		at = at.Add(between(r))
		c = Caller{Queue: queue, At: at, Talk: talk(r)}
		if patience != nil {
			c.Patience = patience(r)
		}
		return c, true
	}
}
