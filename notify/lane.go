package notify

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// The pauses between tries: the first, doubled each time, up to the slowest of the lane.
const (
	quickest     = time.Second
	slowest      = 5 * time.Minute
	alarmSlowest = 15 * time.Second
)

// lane sends what waits for one hook, in order: while the first is not taken, none of the others is tried.
type lane struct {
	hook    *hook
	slowest time.Duration
	wake    chan struct{} // has a token when something was added
	again   chan struct{} // has a token when the next try is not to be waited for

	mu    sync.Mutex // guards queue
	queue []item
}

func newLane(k *hook, slowest time.Duration) lane {
	return lane{hook: k, slowest: slowest, wake: make(chan struct{}, 1), again: make(chan struct{}, 1)}
}

// hurry has the next try made now: what kept the last from being taken may be over.
func (l *lane) hurry() { token(l.again) }

// token puts one into a channel that has room for one.
func token(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// add puts an item at the end. When there is no room any more, the oldest but the first, which is being tried, is
// dropped.
func (l *lane) add(it item) {
	l.mu.Lock()
	l.queue = append(l.queue, it)
	var dropped []item
	for len(l.queue) > maxQueued {
		dropped = append(dropped, l.queue[1])
		l.queue = slices.Delete(l.queue, 1, 2)
	}
	l.mu.Unlock()
	for _, it := range dropped {
		l.hook.finish(it, outcomeDropped)
	}
	token(l.wake)
}

// first is the item that is to be sent next.
func (l *lane) first() (item, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		return item{}, false
	}
	return l.queue[0], true
}

// len is how many wait.
func (l *lane) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

// done takes the first from the queue.
func (l *lane) done(it item, outcome string) {
	l.mu.Lock()
	l.queue = slices.Delete(l.queue, 0, 1)
	l.mu.Unlock()
	l.hook.finish(it, outcome)
}

// run sends until ctx ends.
func (l *lane) run(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		it, ok := l.first()
		if !ok {
			select {
			case <-l.wake:
			case <-ctx.Done():
			}
			continue
		}
		if time.Since(it.Told) >= giveUp {
			l.hook.log.Warn("event given up", zap.String("event", it.ID), zap.String("kind", string(it.Kind)))
			l.done(it, outcomeExpired)
			continue
		}
		select {
		case <-l.again: // the try that follows is that
		default:
		}
		result := l.hook.send(ctx, it, failures+1)
		switch {
		case ctx.Err() != nil: // cut off by us: it is sent again after a restart
		case result.outcome != outcomeFailed:
			failures = 0
			l.done(it, result.outcome)
		default:
			failures++
			l.hook.hub.metrics.hooks.WithLabelValues(l.hook.name, outcomeFailed).Inc()
			if failures == 1 { // what follows is in the metrics
				l.hook.log.Warn("webhook not taken, tried again until it is", zap.String("event", it.ID),
					zap.Int("status", result.status), zap.Error(result.err))
			}
			l.pause(ctx, max(min(result.after, l.slowest), backoff(failures, l.slowest)))
		}
	}
}

// backoff is how long to wait after so many failures in a row: doubled each time, up to the slowest, and spread by
// a fifth either way, so that many hotlines do not fall on one receiver at once.
func backoff(failures int, slowest time.Duration) time.Duration {
	d := slowest
	if failures < 20 { // beyond that the doubling would be longer than anybody waits
		d = min(slowest, quickest<<(failures-1))
	}
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}

// pause waits, unless ctx ends before, or the next try is wanted now.
func (l *lane) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.again:
	case <-ctx.Done():
	}
}
