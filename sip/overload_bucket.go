package sip

import (
	"math"
	"time"
)

// burstOf is how many calls may come at once at a rate: a quarter of a second's, and as many as people who dial at
// random cannot but need at a low one.
func burstOf(rate float64) float64 {
	const least = 4
	return max(least, rate/least)
}

// leaky is a leaky bucket, as RFC 7415 section 3.5.1 has it: what is in it drains at the rate. Its zero value is empty.
type leaky struct {
	full float64 // in calls
	at   time.Time
}

func (l *leaky) drain(rate float64, now time.Time) {
	if gone := now.Sub(l.at).Seconds(); gone > 0 {
		l.full = max(0, l.full-gone*rate)
		l.at = now
	}
}

// room tells whether take would add a call.
func (l *leaky) room(rate, burst, leave float64, now time.Time) bool {
	l.drain(rate, now)
	return l.full+1 <= burst-leave
}

// take adds a call where that leaves as many calls of the burst free as are to be left.
func (l *leaky) take(rate, burst, leave float64, now time.Time) bool {
	if !l.room(rate, burst, leave, now) {
		return false
	}
	l.full++
	return true
}

// force adds a call that is let in anyway. It keeps the others out for at most two bursts.
func (l *leaky) force(rate, burst float64, now time.Time) {
	if math.IsInf(rate, 1) {
		return
	}
	l.drain(rate, now)
	l.full = min(l.full+1, 2*burst)
}
