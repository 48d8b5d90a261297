package ivr

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of look-ups. The label menu is from the configuration, outcome answered or failed.
type metrics struct {
	lookups *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		lookups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_lookups_total", Help: "Look-ups of menus by outcome: answered, failed.",
		}, []string{"menu", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hotline_lookup_seconds", Help: "How long look-ups of menus took, failed ones too.",
			Buckets: []float64{.01, .03, .1, .3, 1, 3, 10, 30},
		}, []string{"menu"}),
	}
	if r == nil {
		return m, nil
	}
	var err error
	if m.lookups, err = registered(r, m.lookups); err != nil {
		return nil, err
	}
	if m.seconds, err = registered(r, m.seconds); err != nil {
		return nil, err
	}
	return m, nil
}

// registered is c, or what was registered in its place by the menus that a reload replaces.
func registered[C prometheus.Collector](r prometheus.Registerer, c C) (C, error) {
	err := r.Register(c)
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if same, ok := already.ExistingCollector.(C); ok {
			return same, nil
		}
	}
	return c, err
}

func (m *metrics) lookedUp(menu string, took time.Duration, failed error) {
	outcome := "answered"
	if failed != nil {
		outcome = "failed"
	}
	m.lookups.WithLabelValues(menu, outcome).Inc()
	m.seconds.WithLabelValues(menu).Observe(took.Seconds())
}
