package sip

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// counters are those of a vector by what decides their labels, so that a message that is counted costs neither the
// labels' making nor their look-up. K has few values: those of the labels, which are closed sets. Any goroutine may
// count.
type counters[K comparable] struct {
	vec    *prometheus.CounterVec
	labels func(k K) []string // in the vector's order

	mu    sync.RWMutex
	known map[K]prometheus.Counter
}

func newCounters[K comparable](vec *prometheus.CounterVec, labels func(k K) []string) *counters[K] {
	return &counters[K]{vec: vec, labels: labels, known: make(map[K]prometheus.Counter)}
}

// inc counts one.
func (c *counters[K]) inc(k K) {
	c.mu.RLock()
	one := c.known[k]
	c.mu.RUnlock()
	if one == nil {
		one = c.vec.WithLabelValues(c.labels(k)...)
		c.mu.Lock()
		c.known[k] = one
		c.mu.Unlock()
	}
	one.Inc()
}
