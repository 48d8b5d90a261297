package media

import "github.com/prometheus/client_golang/prometheus"

// qualityMetrics are how good streams were, each observed once, when it closes, and what was wrong with them meanwhile.
// Directions are "in", what we heard, and "out", what the far end reported to hear.
type qualityMetrics struct {
	score, jitter, lossRatio *prometheus.HistogramVec
	roundTrip                prometheus.Histogram
	faults                   *prometheus.CounterVec
}

func newQualityMetrics() *qualityMetrics {
	direction := []string{"direction"}
	m := &qualityMetrics{
		score: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hotline_rtp_mos",
			Help: "Mean opinion scores of streams by the E-model (ITU-T G.107).",
			// The categories of ITU-T G.109: from poor to best; 4.41 is a line without fault.
			Buckets: []float64{1.5, 2, 2.58, 3.1, 3.6, 4.03, 4.34, 4.4},
		}, direction),
		jitter: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hotline_rtp_jitter_seconds",
			Help:    "Interarrival jitter of streams (RFC 3550 A.8), the mean.",
			Buckets: []float64{.001, .002, .005, .01, .02, .04, .08, .16},
		}, direction),
		lossRatio: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hotline_rtp_loss_ratio",
			Help:    "Share of the packets of streams that never came.",
			Buckets: []float64{0, .001, .005, .01, .02, .05, .1, .2},
		}, direction),
		roundTrip: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "hotline_rtp_round_trip_seconds",
			Help:    "Round trips of streams, by the far ends' reports (RFC 3550 section 6.4.1).",
			Buckets: []float64{.005, .01, .02, .05, .1, .15, .2, .3, .5, 1},
		}),
		faults: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_rtp_faults_total",
			Help: "Streams on which nothing was heard for the time-out, and on which audio went one way only.",
		}, []string{"kind"}),
	}
	for _, f := range []Fact{FactSilent, FactOneWay} {
		m.faults.WithLabelValues(f.String())
	}
	return m
}

func (m *qualityMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.score, m.jitter, m.lossRatio, m.roundTrip, m.faults}
}

// observe counts a stream that has closed.
func (m *qualityMetrics) observe(v verdict) {
	for direction, h := range map[string]hearing{"in": v.in, "out": v.out} {
		if h.known {
			m.score.WithLabelValues(direction).Observe(h.score)
			m.jitter.WithLabelValues(direction).Observe(h.jitter.Seconds())
			m.lossRatio.WithLabelValues(direction).Observe(h.loss)
		}
	}
	if v.timed {
		m.roundTrip.Observe(v.roundTrip.Seconds())
	}
}
