package notify

import (
	"errors"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"hotline/call"
)

// What becomes of an event, or of a try at it (failed), as a metric's label.
const (
	outcomeDelivered = "delivered"
	outcomeFailed    = "failed"
	outcomeRefused   = "refused"
	outcomeExpired   = "expired"
	outcomeDropped   = "dropped"
	outcomeDamaged   = "damaged"
)

// byHook labels what is of one hook.
const byHook = "hook"

// noQueue labels an event that is no queue's.
const noQueue = "none"

type metrics struct {
	events *prometheus.CounterVec // by kind and queue
	hooks  *prometheus.CounterVec // by hook and outcome

	mu      sync.Mutex       // guards what follows
	watched map[string]*hook // by name
	queues  []string         // that are labels
}

// newMetrics begins the counters of the queues at zero, as watch does those of the hooks.
func newMetrics(o *Options) (*metrics, error) {
	m := &metrics{
		watched: make(map[string]*hook),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_target_events_total",
			Help: "What was told while it could still be acted on, by kind (half of a target used up, the whole, alarms) and queue.",
		}, []string{"kind", "queue"}),
		hooks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_webhook_total",
			Help: "Events sent to webhooks, by what came of it: delivered, refused for good, expired after a day, dropped for want of room, damaged on the disk; and failed, the tries that are repeated.",
		}, []string{byHook, "outcome"}),
	}
	m.begin(append([]string{noQueue}, o.Queues...))
	if o.Registry == nil {
		return m, nil
	}
	w := waiting{
		m: m,
		queue: prometheus.NewDesc("hotline_webhook_queue",
			"Events that wait for a webhook to take them.", []string{byHook}, nil),
		unkept: prometheus.NewDesc("hotline_webhook_unkept",
			"1 while the spool of a webhook cannot be written, so that a restart would lose the events that wait for it; else 0.",
			[]string{byHook}, nil),
	}
	return m, errors.Join(o.Registry.Register(m.events), o.Registry.Register(m.hooks), o.Registry.Register(w))
}

// begin makes labels of queues, besides those that are.
func (m *metrics) begin(queues []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, q := range queues {
		if slices.Contains(m.queues, q) {
			continue
		}
		m.queues = append(m.queues, q)
		for _, kind := range call.EventKinds() {
			m.events.WithLabelValues(string(kind), q)
		}
	}
}

// told counts an event.
func (m *metrics) told(e call.Event) {
	queue := noQueue
	m.mu.Lock()
	if slices.Contains(m.queues, e.Queue) {
		queue = e.Queue
	}
	m.mu.Unlock()
	m.events.WithLabelValues(string(e.Kind), queue).Inc()
}

// outcomes are all of them.
var outcomes = []string{outcomeDelivered, outcomeFailed, outcomeRefused, outcomeExpired, outcomeDropped, outcomeDamaged}

// watch has a hook shown, with every counter at zero, so that the first event is a rise.
func (m *metrics) watch(k *hook) {
	for _, outcome := range outcomes {
		m.hooks.WithLabelValues(k.name, outcome)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watched[k.name] = k
}

// unwatch has a hook's queue shown no more. Its counters stay: what was sent was sent.
func (m *metrics) unwatch(k *hook) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.watched, k.name)
}

// waiting is the collector of how many events wait for each hook, and whether they are kept.
type waiting struct {
	m             *metrics
	queue, unkept *prometheus.Desc
}

// Describe implements [prometheus.Collector].
func (w waiting) Describe(ch chan<- *prometheus.Desc) {
	ch <- w.queue
	ch <- w.unkept
}

// Collect implements [prometheus.Collector].
func (w waiting) Collect(ch chan<- prometheus.Metric) {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	for name, k := range w.m.watched {
		unkept := 0.0
		if k.spool.failing.Load() {
			unkept = 1
		}
		ch <- prometheus.MustNewConstMetric(w.queue, prometheus.GaugeValue, float64(k.waiting()), name)
		ch <- prometheus.MustNewConstMetric(w.unkept, prometheus.GaugeValue, unkept, name)
	}
}
