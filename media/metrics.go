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

	mu      sync.Mutex
	tallies []*tally // one a shard
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
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
	if registry == nil {
		return m, nil
	}
	for _, c := range append(m.quality.collectors(),
		packets("in", func(t *tally) uint64 { return t.in.Load() }),
		packets("out", func(t *tally) uint64 { return t.out.Load() }),
		m.lost,
	) {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("register RTP metrics: %w", err)
		}
	}
	return m, nil
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
