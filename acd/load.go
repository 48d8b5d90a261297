package acd

import (
	"sync"
	"time"
)

// loadWindow is over how long the desk's saturation is taken.
const loadWindow = 5 * time.Second

// load measures which share of the last loadWindow the desk's goroutine was at work. It has a lock of
// its own, so that whoever reads it does not wait for the desk.
type load struct {
	mu sync.Mutex
	// start of the current window; busy in it, and in the one before.
	start      time.Time
	busy, past time.Duration
	// since is when the work going on began; zero when there is none.
	since time.Time
}

func newLoad(now time.Time) *load { return &load{start: now} }

func (l *load) begin(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.roll(now)
	l.since = now
}

func (l *load) end(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.roll(now)
	l.since = time.Time{}
}

// ratio is the share, from 0 to 1: what was done in the current window, and as much of the last one
// as is still within loadWindow, taken as spread evenly. Work that goes on counts.
func (l *load) ratio(now time.Time) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.roll(now)
	rest := 1 - float64(now.Sub(l.start))/float64(loadWindow)
	return min(1, (float64(l.busy)+rest*float64(l.past))/float64(loadWindow))
}

// roll brings the windows up to now.
func (l *load) roll(now time.Time) {
	if horizon := now.Add(-2 * loadWindow); l.start.Before(horizon) {
		// Nothing from before the last two windows matters.
		l.start, l.busy = horizon, 0
		if !l.since.IsZero() {
			l.since = later(l.since, horizon)
		}
	}
	for next := l.start.Add(loadWindow); !now.Before(next); next = next.Add(loadWindow) {
		l.count(next)
		l.past, l.busy, l.start = l.busy, 0, next
	}
	l.count(now)
}

// count adds the work going on, up to an instant of the current window.
func (l *load) count(to time.Time) {
	if !l.since.IsZero() && to.After(l.since) {
		l.busy += to.Sub(l.since)
		l.since = to
	}
}
