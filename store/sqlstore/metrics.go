package sqlstore

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of the writer. They count whether or not a registry takes them.
type metrics struct {
	commits  *prometheus.CounterVec // by outcome
	rows     prometheus.Counter
	duration prometheus.Histogram
	// laddersDropped counts the handings-over of SIP messages that were not kept.
	laddersDropped prometheus.Counter
	aside          prometheus.Counter     // entries of the spool
	taken          []prometheus.Collector // by the registry
}

func newMetrics() metrics {
	return metrics{
		commits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_store_commits_total", Help: "Transactions that wrote call records, by outcome (ok, failed).",
		}, []string{"outcome"}),
		rows: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hotline_store_rows_total", Help: "Rows of call records committed.",
		}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "hotline_store_commit_seconds",
			Help:    "How long a transaction took, its flush to disk included.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		laddersDropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hotline_store_ladders_dropped_total", Help: "SIP messages of a leg's or ring's end that were not kept, since too much waits for the database.",
		}),
		aside: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hotline_store_spool_aside_total", Help: "Entries of the spool that were damaged, or refused by the database for what they are, and were set aside.",
		}),
	}
}

func (m *metrics) committed(took time.Duration, rows int, err error) {
	m.duration.Observe(took.Seconds())
	if err != nil {
		m.commits.WithLabelValues("failed").Inc()
		return
	}
	m.commits.WithLabelValues("ok").Inc()
	m.rows.Add(float64(rows))
}

func (m *metrics) register(reg prometheus.Registerer, s *Store) error {
	if reg == nil {
		return nil
	}
	all := []prometheus.Collector{
		m.commits, m.rows, m.duration, m.laddersDropped,
		gauge("hotline_store_queued_rows", "Rows of call records that wait in memory for the database.",
			func() float64 { return float64(s.queue.len()) }),
	}
	if s.spool != nil {
		all = append(all, m.aside,
			gauge("hotline_store_spooled_entries", "Entries on the local disk that wait for the database.",
				func() float64 { n, _ := s.spool.waiting(); return float64(n) }),
			gauge("hotline_store_spool_oldest_seconds", "How long the oldest entry on the local disk has been waiting for the database.",
				func() float64 { _, age := s.spool.waiting(); return age.Seconds() }),
			gauge("hotline_store_database_up", "1 while the database of call records does what it is asked.",
				func() float64 { return float64(bit(s.up.Load())) }))
	}
	for _, c := range all {
		if err := reg.Register(c); err != nil {
			m.unregister(reg)
			return fmt.Errorf("register metrics of the record store: %w", err)
		}
		m.taken = append(m.taken, c)
	}
	return nil
}

func gauge(name, help string, value func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
}

func (m *metrics) unregister(reg prometheus.Registerer) {
	for _, c := range m.taken {
		reg.Unregister(c)
	}
	m.taken = nil
}
