package media

import (
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of one engine.
type metrics struct {
	lost    prometheus.Counter
	quality *qualityMetrics
	packets [2]prometheus.Collector // in, out

	mu      sync.Mutex
	tallies []*tally // one a shard
}

func newMetrics() *metrics {
	m := &metrics{quality: newQualityMetrics(), lost: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "hotline_rtp_lost_total",
		Help: "RTP packets that never came, by sequence numbers (RFC 3550 A.3); counted when a stream closes.",
	})}
	packets := func(direction string, of func(*tally) uint64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name:        "hotline_rtp_packets_total",
			Help:        "RTP packets received from, or sent to, the far ends of streams.",
			ConstLabels: prometheus.Labels{"direction": direction},
		}, func() float64 { return m.sum(of) })
	}
	m.packets = [2]prometheus.Collector{
		packets("in", func(t *tally) uint64 { return t.in.Load() }),
		packets("out", func(t *tally) uint64 { return t.out.Load() }),
	}
	return m
}

// register has a registry show the metrics: all of them, or, with an error, none. A nil registry is silent. Errors: the
// registry's.
func (m *metrics) register(registry prometheus.Registerer) error {
	if registry == nil {
		return nil
	}
	all := append(m.quality.collectors(), m.packets[0], m.packets[1], m.lost)
	for i, c := range all {
		if err := registry.Register(c); err != nil {
			for _, before := range all[:i] {
				registry.Unregister(before)
			}
			return fmt.Errorf("register RTP metrics: %w", err)
		}
	}
	return nil
}

// tally is one more shard's.
func (m *metrics) tally() *tally {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := &tally{}
	m.tallies = append(m.tallies, t)
	return t
}

func (m *metrics) sum(of func(*tally) uint64) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	total := uint64(0)
	for _, t := range m.tallies {
		total += of(t)
	}
	return float64(total)
}
