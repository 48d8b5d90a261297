package call

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// audioMetrics are how the legs of finished calls were heard, from their records.
type audioMetrics struct {
	score          *prometheus.HistogramVec
	oneWay, silent *prometheus.CounterVec
}

// byRole is the label of whose leg it was.
const byRole = "role"

// What became of legs that were silent.
const (
	silentLived = "lived" // they were asked, and answered
	silentLost  = "lost"
)

func newAudioMetrics() *audioMetrics {
	m := &audioMetrics{
		score: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hotline_leg_mos",
			Help:    "Mean opinion score of legs, the worse direction, by the E-model (ITU-T G.107).",
			Buckets: []float64{1.5, 2, 2.58, 3.1, 3.6, 4.03, 4.34, 4.4}, // the categories of ITU-T G.109, as of hotline_rtp_mos
		}, []string{byRole}),
		oneWay: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_leg_one_way_total",
			Help: "Legs whose audio went one way only, by whether it went both ways in the end.",
		}, []string{byRole, "healed"}),
		silent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_leg_silent_total",
			Help: "Legs on which nothing was heard for the time-out, by whether their far ends were there when they were asked.",
		}, []string{byRole, byOutcome}),
	}
	for _, r := range roles {
		m.score.WithLabelValues(string(r))
		for _, healed := range []string{"true", "false"} {
			m.oneWay.WithLabelValues(string(r), healed)
		}
		for _, outcome := range []string{silentLived, silentLost} {
			m.silent.WithLabelValues(string(r), outcome)
		}
	}
	return m
}

func (m *audioMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.score, m.oneWay, m.silent}
}

// finished counts the legs of a finished call.
func (m *audioMetrics) finished(legs []LegAudio) {
	for i := range legs {
		a, role := &legs[i], string(legs[i].Role)
		if a.MOS > 0 {
			m.score.WithLabelValues(role).Observe(a.MOS)
		}
		if a.OneWay != nil {
			m.oneWay.WithLabelValues(role, strconv.FormatBool(a.OneWay.Healed != nil)).Inc()
		}
		switch {
		case a.NoMedia:
			m.silent.WithLabelValues(role, silentLost).Inc()
		case a.Silent > 0:
			m.silent.WithLabelValues(role, silentLived).Inc()
		}
	}
}
