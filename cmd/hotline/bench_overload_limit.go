package main

import (
	"fmt"
	"math"
)

const (
	// overloadCarried is the share of the calls offered that is completed at a rate that is carried, with overloadAudio.
	overloadCarried = 0.99
	// overloadTries is how often a rate is offered before it is held to be too much: what else the machine does can only lower
	// what is completed.
	overloadTries = 2
	// overloadFine is how many times the highest rate that is carried the lowest that is not may be, at the end.
	overloadFine = 1.1
	// The rates that are tried, in calls a second: the first, and how far from it.
	overloadFirst, overloadLeast, overloadMost = 100.0, 1.0, 12800.0
)

// findLimit is what came of the highest rate that is carried: the first rate is doubled, or halved, until one is carried and
// one is not, and then the space between them is halved, by ratio. That is from below: how a hotline does with too many calls,
// which is to be held against its limit, has no part in it. Errors: those of offer; the hotline carries each of the rates that
// are tried, or none.
func findLimit(offer func(rate float64) (overloadLine, error)) (limit overloadLine, err error) {
	low, high, rate := 0.0, 0.0, overloadFirst // low is carried, high is not
	for high == 0 || low == 0 || high > overloadFine*low {
		if rate < overloadLeast || rate > overloadMost {
			return limit, fmt.Errorf("no rate from %g to %g calls a second is the first that is too much for it", overloadLeast, overloadMost)
		}
		line, carried, err := carries(rate, offer)
		if err != nil {
			return limit, err
		}
		if carried {
			limit, low, rate = line, rate, 2*rate
		} else {
			high, rate = rate, rate/2
		}
		if low > 0 && high > 0 {
			rate = math.Sqrt(low * high)
		}
	}
	return limit, nil
}

// carries tells whether a rate is carried, and what came of it then.
func carries(rate float64, offer func(rate float64) (overloadLine, error)) (line overloadLine, ok bool, err error) {
	for range overloadTries {
		line, err = offer(rate)
		if err != nil {
			return line, false, fmt.Errorf("at %.0f calls a second: %w", rate, err)
		}
		if line.Offered > 0 && float64(line.Completed) >= overloadCarried*float64(line.Offered) && line.Audio >= overloadAudio {
			line.Load, line.PerSecond = 1, rate
			return line, true, nil
		}
	}
	return line, false, nil
}
