package site

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotline/call"
)

// What came of a ring's wish for a claim: a closed set.
const (
	resultGranted = "granted" // by the book
	resultAlone   = "alone"   // by the phone's gate, while the book was silent
	resultTaken   = "taken"   // another call has the agent
	resultNoFlow  = "no-flow" // the phone is at no living node
	resultDead    = "dead"    // this node's lease was over
	resultLate    = "late"    // the book did not answer in time
	resultMargin  = "margin"  // too little was left of the lease
	resultGate    = "gate"    // the phone's gate handed out no token
	resultBusy    = "busy"    // the call rings that agent already
)

type figures struct {
	m         *Member
	claims    *prometheus.CounterVec
	refusals  prometheus.Counter
	gaps      prometheus.Counter
	reads     prometheus.Counter
	deaths    prometheus.Counter
	abandoned prometheus.Counter
	cleared   prometheus.Counter
	doubts    prometheus.Counter
	lost      prometheus.Counter
	seeded    prometheus.Histogram
	last      atomic.Int64 // when the log last answered, in ns of the Unix clock

	state, nodes, cut, clock, lag, pending, orphans, held, unheard, namesakes *prometheus.Desc
}

var _ prometheus.Collector = (*figures)(nil)

var allStates = [...]call.SiteState{call.SiteSole, call.SiteJoining, call.SiteJoined, call.SiteFading, call.SiteCut}

func newFigures(m *Member, reg prometheus.Registerer) (*figures, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "hotline_site_" + name, Help: help})
	}
	gauge := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("hotline_site_"+name, help, labels, nil)
	}
	f := &figures{
		m: m,
		claims: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_site_claims_total",
			Help: "Agents to be claimed for a ring, by what came of it.",
		}, []string{"result"}),
		refusals:  counter("refusals_total", "Rings that the phone's edge refused, since another had the phone or the token was not the highest."),
		gaps:      counter("log_gaps_total", "Gaps in the site's log, after each of which the book was read whole."),
		reads:     counter("reads_total", "Times the book was read whole."),
		deaths:    counter("deaths_total", "Times this node was found dead in the book though it lives."),
		abandoned: counter("abandoned_total", "Claims given up without being sure that the phone was free."),
		cleared:   counter("cleared_total", "Orphans that this node's edge cleared."),
		doubts:    counter("doubts_total", "Phones new at this edge that are rung though not every node could be asked about them."),
		lost:      counter("facts_lost_total", "Facts, and deeds on claims, given up: too many while the book was silent, or refused by it again and again."),
		seeded: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hotline_site_seeding_seconds", Help: "From a phone's coming to this edge until it may be rung.",
			Buckets: []float64{.001, .005, .02, .1, .5, 1, 2, 5, 10, 30},
		}),
		state:     gauge("state", "How this node stands to its site: 1 for the state it is in.", "state"),
		nodes:     gauge("nodes", "Nodes of the site that live, as far as this one knows, itself among them."),
		cut:       gauge("cut_seconds_total", "How long this node went on without the book."),
		clock:     gauge("clock_margin_seconds", "By how much the book's instants may be wrong here, at most."),
		lag:       gauge("log_age_seconds", "How long ago the log last answered."),
		pending:   gauge("pending", "Facts and deeds that are to be written into the book yet."),
		orphans:   gauge("orphans", "Claims without an owner, whose phones may ring or talk."),
		held:      gauge("held_phones", "Phones at this edge that are not rung yet, since other nodes are to tell of them."),
		unheard:   gauge("unheard_nodes", "Nodes that live and have not answered this one for more than 10 s."),
		namesakes: gauge("namesakes", "Other nodes that have the name of this one for more than 10 s."),
	}
	for _, r := range []string{
		resultGranted, resultAlone, resultTaken, resultNoFlow, resultDead, resultLate, resultMargin, resultGate, resultBusy,
	} {
		f.claims.WithLabelValues(r)
	}
	if reg == nil {
		return f, nil
	}
	var failed error
	for _, c := range []prometheus.Collector{
		f.claims, f.refusals, f.gaps, f.reads, f.deaths, f.abandoned, f.cleared, f.doubts, f.lost, f.seeded, f,
	} {
		failed = errors.Join(failed, reg.Register(c))
	}
	if failed != nil {
		return nil, fmt.Errorf("register the site's metrics: %w", failed)
	}
	return f, nil
}

func (f *figures) followed(now time.Time) { f.last.Store(now.UnixNano()) }

// Describe implements [prometheus.Collector].
func (f *figures) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{f.state, f.nodes, f.cut, f.clock, f.lag, f.pending, f.orphans, f.held, f.unheard, f.namesakes} {
		c <- d
	}
}

// Collect implements [prometheus.Collector].
func (f *figures) Collect(c chan<- prometheus.Metric) {
	s, now := f.m.Status(), time.Now()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, state := range allStates {
		v := 0.0
		if state == s.State {
			v = 1
		}
		gauge(f.state, v, string(state))
	}
	gauge(f.nodes, float64(len(s.Nodes)))
	c <- prometheus.MustNewConstMetric(f.cut, prometheus.CounterValue, f.m.cutSeconds(now))
	gauge(f.clock, s.Clock.Seconds())
	if last := f.last.Load(); last != 0 {
		gauge(f.lag, max(0, now.Sub(time.Unix(0, last)).Seconds()))
	}
	gauge(f.pending, float64(s.Pending))
	gauge(f.orphans, float64(s.Orphans))
	gauge(f.held, float64(s.Held))
	gauge(f.unheard, float64(len(s.Unheard)))
	gauge(f.namesakes, float64(len(s.Namesakes)))
}

func (m *Member) cutSeconds(now time.Time) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.cutFor
	if m.state == call.SiteCut {
		d += now.Sub(m.since)
	}
	return d.Seconds()
}
