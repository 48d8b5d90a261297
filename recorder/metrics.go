package recorder

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// The outcomes of a recording: a closed set.
const (
	outcomeOK        = "ok"        // whole
	outcomeFailed    = "failed"    // there is none, or it is not whole
	outcomeRecovered = "recovered" // a crash left a header that had to be repaired
	outcomeDiscarded = "discarded" // taken away again, closed before or not: of a message that was none
)

type metrics struct {
	outcomes *prometheus.CounterVec
	dropped  prometheus.Counter
	deleted  prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_recordings_total",
			Help: "Recordings by outcome: ok, failed (none, or not whole), recovered (repaired after a crash), discarded (taken away again).",
		}, []string{"outcome"}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hotline_recording_dropped_seconds_total",
			Help: "Audio of one side dropped because the disk stalled for too long.",
		}),
		deleted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hotline_recordings_deleted_total",
			Help: "Recordings deleted because they had been kept for as long as they are to be.",
		}),
	}
	for _, o := range []string{outcomeOK, outcomeFailed, outcomeRecovered, outcomeDiscarded} {
		m.outcomes.WithLabelValues(o)
	}
	if reg == nil {
		return m, nil
	}
	if err := errors.Join(reg.Register(m.outcomes), reg.Register(m.dropped), reg.Register(m.deleted)); err != nil {
		return nil, fmt.Errorf("register the recorder's metrics: %w", err)
	}
	return m, nil
}

func (m *metrics) count(err error) {
	outcome := outcomeOK
	if err != nil {
		outcome = outcomeFailed
	}
	m.outcomes.WithLabelValues(outcome).Inc()
}
