package acd

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotline/call"
)

// figures are the desk's metrics. The desk publishes a snapshot after each round of work; whoever
// collects reads the newest one and never waits for the desk.
type figures struct {
	load     *load
	offers   *prometheus.CounterVec
	overflow *prometheus.CounterVec
	snapshot atomic.Pointer[snapshot]

	waiting, longest, agents, saturation *prometheus.Desc
}

// snapshot is what the gauges are made from.
type snapshot struct {
	queues []queueFigures
	agents [len(agentStates)]int
}

type queueFigures struct {
	name    string
	waiting int
	// oldest is when the one who waits longest entered; zero when nobody waits.
	oldest time.Time
}

// agentStates are all the states, so that each has a series from the start.
var agentStates = [...]call.AgentState{
	call.AgentOffline, call.AgentTalking, call.AgentRinging,
	call.AgentWrapUp, call.AgentLoggedOut, call.AgentPaused, call.AgentReady,
}

var _ prometheus.Collector = (*figures)(nil)

func newFigures(l *load) *figures {
	queue := []string{"queue"}
	return &figures{
		load: l,
		offers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_offers_total",
			Help: "Agents' phones rung, by queue and by how it ended.",
		}, append(queue, "how")),
		overflow: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_overflow_total",
			Help: "Callers whom a queue turned away, by why.",
		}, append(queue, "reason")),
		waiting: prometheus.NewDesc("hotline_queue_waiting",
			"Callers of this node waiting now.", queue, nil),
		longest: prometheus.NewDesc("hotline_queue_longest_wait_seconds",
			"How long the caller of this node who entered first has waited; 0 when nobody waits.", queue, nil),
		agents: prometheus.NewDesc("hotline_agents",
			"Agents by what they are doing; supervisors are none of them.", []string{"state"}, nil),
		saturation: prometheus.NewDesc("hotline_desk_saturation_ratio",
			"Share of the last 5 s in which the one goroutine that owns all queues was at work.", nil, nil),
	}
}

// open begins a queue's counters at zero, so that the first event is a rise.
func (f *figures) open(queue string) {
	for _, why := range overflows {
		f.overflow.WithLabelValues(queue, string(why))
	}
}

// publish makes the desk's snapshot the newest. Only the desk's goroutine calls it.
func (f *figures) publish(d *desk) {
	s := &snapshot{queues: make([]queueFigures, 0, len(d.queues))}
	for _, q := range d.queues {
		if q.hidden() {
			continue
		}
		waiting := q.waiting
		if q.own != nil { // each node counts its own, so that their sum is the site's
			waiting = q.own
		}
		figures := queueFigures{name: q.Name, waiting: waiting.len()}
		if c, ok := waiting.first(); ok {
			figures.oldest = c.Entered
		}
		s.queues = append(s.queues, figures)
	}
	for i, state := range agentStates {
		s.agents[i] = d.states[state]
	}
	f.snapshot.Store(s)
}

func (f *figures) offerEnded(queue, how string) { f.offers.WithLabelValues(queue, how).Inc() }

func (f *figures) turned(queue string, why call.Overflow) {
	f.overflow.WithLabelValues(queue, string(why)).Inc()
}

// Describe implements [prometheus.Collector].
func (f *figures) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{f.waiting, f.longest, f.agents, f.saturation} {
		ch <- d
	}
	f.offers.Describe(ch)
	f.overflow.Describe(ch)
}

// Collect implements [prometheus.Collector].
func (f *figures) Collect(ch chan<- prometheus.Metric) {
	s, now := f.snapshot.Load(), time.Now()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, q := range s.queues {
		gauge(f.waiting, float64(q.waiting), q.name)
		gauge(f.longest, waited(q.oldest, now), q.name)
	}
	for i, state := range agentStates {
		gauge(f.agents, float64(s.agents[i]), string(state))
	}
	gauge(f.saturation, f.load.ratio(now))
	f.offers.Collect(ch)
	f.overflow.Collect(ch)
}

// waited is how many seconds have passed since then; 0 for the zero time, or one still to come.
func waited(since, now time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return max(0, now.Sub(since).Seconds())
}
