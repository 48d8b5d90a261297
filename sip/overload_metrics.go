package sip

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const metricOverload = "overload"

// newLoadMetrics are those of each new call and each request.
func newLoadMetrics() (admissions *prometheus.CounterVec, waits prometheus.Histogram) {
	admissions = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: metricPrefix, Subsystem: metricOverload, Name: "calls_total",
		Help: "New calls by class (rest, menu, agent, alarm) and what became of them: admitted, short (asked for an alarm alone), " +
			"refused (for load), full (no place left).",
	}, []string{"class", labelOutcome})
	for k := range classes {
		for v := range outcomes {
			admissions.WithLabelValues(k.String(), v.String())
		}
	}
	waits = prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: metricPrefix, Subsystem: metricOverload, Name: "wait_seconds",
		Help:    "How long requests waited, from their arrival at the socket (Linux, UDP; else from being read) to their handler.",
		Buckets: []float64{.0001, .001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
	})
	return admissions, waits
}

// loadOf registers what an overload finds. A nil registry is silent.
func (m *metrics) loadOf(r prometheus.Registerer, c *overload) error {
	if r == nil {
		return nil
	}
	var errs []error
	gauge := func(name, help string, of func(l load) float64) {
		errs = append(errs, r.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: metricPrefix, Subsystem: metricOverload, Name: name, Help: help,
		}, func() float64 { return of(c.found()) })))
	}
	gauge("level", "0 normal, 1 new calls are bounded by a rate, 2 alarms alone are let in.",
		func(l load) float64 { return float64(l.Level) })
	gauge("rate", "New calls a second that are let in at most; +Inf without a bound.", func(l load) float64 { return l.Rate })
	gauge("live_limit", "Calls that may be in at most while audio was late; +Inf without a bound but that of the places.",
		func(l load) float64 { return l.Most })
	gauge("lag_seconds", "Mean wait of requests for their handlers, the lateness of a timer or half the time a call took to ring, whichever is most, "+
		"in the last tenth of a second.", func(l load) float64 { return l.Lag.Seconds() })
	gauge("audio_lag_seconds", "How late the media engine sent what it sends by the clock, on average, in the last tenth of a second.",
		func(l load) float64 { return l.Audio.Seconds() })
	gauge("cpu_ratio", "Share of the cores it may use that this process uses, over half a second; 0 where it is not known.",
		func(l load) float64 { return l.CPU })
	return errors.Join(errs...)
}

func (m *metrics) admission(k class, v admission) {
	m.admissions.WithLabelValues(k.String(), v.String()).Inc()
}

// waited counts how long a request waited for its handler.
func (u *UA) waited(d time.Duration) {
	u.load.waited(d)
	u.metrics.waits.Observe(d.Seconds())
}
