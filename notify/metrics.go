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

// noQueue labels an event that is no queue's.
const noQueue = "none"

type metrics struct {
	events *prometheus.CounterVec // by kind and queue
	hooks  *prometheus.CounterVec // by hook and outcome

	mu     sync.Mutex         // guards what follows
	lanes  map[string][]*lane // by hook
	queues []string           // that are labels
}

// newMetrics begins every counter at zero, so that the first event is a rise.
func newMetrics(o *Options) (*metrics, error) {
	m := &metrics{
		lanes: make(map[string][]*lane),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_target_events_total",
			Help: "What was told while it could still be acted on, by kind (half of a target used up, the whole, alarms) and queue.",
		}, []string{"kind", "queue"}),
		hooks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_webhook_total",
			Help: "Events sent to webhooks, by what came of it: delivered, refused for good, expired after a day, dropped for want of room, damaged on the disk; and failed, the tries that are repeated.",
		}, []string{"hook", "outcome"}),
	}
	m.begin(append([]string{noQueue}, o.Queues...))
	for _, h := range o.Hooks {
		for _, outcome := range []string{outcomeDelivered, outcomeFailed, outcomeRefused, outcomeExpired, outcomeDropped, outcomeDamaged} {
			m.hooks.WithLabelValues(h.Name, outcome)
		}
	}
	if o.Registry == nil {
		return m, nil
	}
	queue := waiting{m, prometheus.NewDesc("hotline_webhook_queue",
		"Events that wait for a webhook to take them.", []string{"hook"}, nil)}
	return m, errors.Join(o.Registry.Register(m.events), o.Registry.Register(m.hooks), o.Registry.Register(queue))
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

// watch has the length of a hook's queue shown.
func (m *metrics) watch(k *hook) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lanes[k.Name] = []*lane{&k.alarms, &k.others}
}

// waiting is the collector of how many events wait for each hook.
type waiting struct {
	m    *metrics
	desc *prometheus.Desc
}

// Describe implements [prometheus.Collector].
func (w waiting) Describe(ch chan<- *prometheus.Desc) { ch <- w.desc }

// Collect implements [prometheus.Collector].
func (w waiting) Collect(ch chan<- prometheus.Metric) {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	for hook, lanes := range w.m.lanes {
		n := 0
		for _, l := range lanes {
			n += l.len()
		}
		ch <- prometheus.MustNewConstMetric(w.desc, prometheus.GaugeValue, float64(n), hook)
	}
}
