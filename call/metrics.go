package call

import (
	"cmp"
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of calls. All of a finished call's figures come from its record.
type metrics struct {
	calls, answerTarget, talkTarget *prometheus.CounterVec
	agentCalls, transfers           *prometheus.CounterVec
	hangups, level, supervisions    *prometheus.CounterVec
	active                          *prometheus.GaugeVec
	rings, wait, talk, scores       *prometheus.HistogramVec
	audio                           *audioMetrics
}

// byQueue is the label of a call's first queue.
const byQueue = "queue"

// byResult is the label of a call's Result.
const byResult = "result"

// byOutcome is the label of how something ended.
const byOutcome = "outcome"

// outcomes are how transfers mostly end; others are causes too.
var outcomes = []string{
	transferDone, transferRefused, string(CauseBusy), string(CauseDeclined), string(CauseNoAnswer),
	string(CauseUnreachable), string(CauseNotFound), string(CauseForbidden), string(CauseCancel),
}

// noQueue labels a call that entered none.
const noQueue = "none"

// newMetrics begins every counter of the queues named at zero, so that the first event is a rise.
func newMetrics(reg prometheus.Registerer, queues map[string]QueueOptions) (*metrics, error) {
	m := &metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_calls_total", Help: "Calls finished, by first queue and result; not those that agents made.",
		}, []string{byQueue, byResult}),
		agentCalls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_agent_calls_total", Help: "Calls finished that agents' phones made, by result.",
		}, []string{byResult}),
		transfers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_transfers_total", Help: "Transfers that agents' phones asked for, by how they ended.",
		}, []string{"kind", byOutcome}),
		hangups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_agent_hangups_total",
			Help: "Talks of queues that the agent ended first; handing a caller on is not that.",
		}, []string{byQueue}),
		level: newLevel(), scores: newScores(), audio: newAudioMetrics(),
		supervisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_supervisions_total", Help: "Times that a supervisor was on the line of a talk, by mode.",
		}, []string{"mode"}),
		active: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hotline_calls_active", Help: "Calls in progress, by stage.",
		}, []string{"state"}),
		rings: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hotline_answer_rings", Help: "Rings until an agent answered, of the promise clock.",
			Buckets: prometheus.LinearBuckets(1, 1, 10),
		}, []string{byQueue}),
		answerTarget: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_answer_target_total", Help: "Calls by whether the phone was answered within the rings promised.",
		}, []string{byQueue, "met"}),
		wait: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hotline_wait_seconds", Help: "From entering the queue to the agent's answer or the caller's leaving.",
			Buckets: []float64{1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600},
		}, []string{byQueue}),
		talk: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hotline_talk_seconds", Help: "From the agent's answer to the end of the agent's part, holds included.",
			Buckets: []float64{5, 10, 20, 30, 60, 90, 120, 150, 180, 240, 300, 600, 1200},
		}, []string{byQueue}),
		talkTarget: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_talk_target_total", Help: "Joined calls by whether they were solved within the time promised.",
		}, []string{byQueue, "met"}),
	}
	for k := range moves {
		if k != Done {
			m.active.WithLabelValues(string(k))
		}
	}
	for _, r := range []Result{Answered, Abandoned, Informed, Failed} {
		m.agentCalls.WithLabelValues(string(r))
	}
	for _, kind := range []string{blindTransfer, attendedTransfer} {
		for _, outcome := range outcomes {
			m.transfers.WithLabelValues(kind, outcome)
		}
	}
	for _, mode := range Modes() {
		m.supervisions.WithLabelValues(string(mode))
	}
	m.begin(queues)
	return m, m.register(reg)
}

// register registers all of them, if there is a registry.
func (m *metrics) register(reg prometheus.Registerer) error {
	if reg == nil {
		return nil
	}
	var errs []error
	for _, c := range append(m.audio.collectors(), m.calls, m.agentCalls, m.transfers, m.hangups, m.level, m.supervisions, m.active, m.rings, m.answerTarget, m.wait, m.talk, m.talkTarget, m.scores) {
		errs = append(errs, reg.Register(c))
	}
	return errors.Join(errs...)
}

// begin begins the counters of queues at zero, unless they have begun.
func (m *metrics) begin(queues map[string]QueueOptions) {
	for q := range queues {
		m.hangups.WithLabelValues(q)
		for _, r := range []Result{Answered, Overflowed, Abandoned, Failed} {
			m.calls.WithLabelValues(q, string(r))
		}
		for _, level := range levels {
			m.level.WithLabelValues(q, level)
		}
		for _, met := range []string{"true", "false"} {
			m.answerTarget.WithLabelValues(q, met)
			m.talkTarget.WithLabelValues(q, met)
		}
	}
}

// move counts a call out of one stage and into another.
func (m *metrics) move(from, to Kind) {
	if from != "" && from != Done {
		m.active.WithLabelValues(string(from)).Dec()
	}
	if to != Done {
		m.active.WithLabelValues(string(to)).Inc()
	}
}

// finished counts a finished call; within is the service level's time.
func (m *metrics) finished(r *Record, within time.Duration) {
	m.audio.finished(r.Legs)
	for _, t := range r.Transfers {
		m.transfers.WithLabelValues(t.Kind, t.How).Inc()
	}
	for _, s := range r.Supervisions {
		m.supervisions.WithLabelValues(string(s.Mode)).Inc()
	}
	for _, t := range r.Talks {
		if t.hungUpByAgent() {
			m.hangups.WithLabelValues(t.Queue).Inc()
		}
	}
	for _, s := range r.Survey {
		m.scores.WithLabelValues(cmp.Or(s.Queue, noQueue), s.Question).Observe(float64(s.Score))
	}
	if r.agentMade() {
		m.agentCalls.WithLabelValues(string(r.Result)).Inc()
		return
	}
	queue := cmp.Or(r.Queue, noQueue)
	if r.calledBack() { // its outcome is a callback's, and its wait began in the call before
		m.talked(r, queue)
		return
	}
	m.calls.WithLabelValues(queue, string(r.Result)).Inc()
	if level := levelOf(r, within); level != "" {
		m.level.WithLabelValues(queue, level).Inc()
	}
	if len(r.Visits) > 0 {
		m.wait.WithLabelValues(queue).Observe(r.WaitSeconds)
	}
	if r.Answered != nil && r.PromiseClock != nil {
		m.rings.WithLabelValues(queue).Observe(float64(r.Rings))
	}
	if r.RingsMet != nil {
		m.answerTarget.WithLabelValues(queue, strconv.FormatBool(*r.RingsMet)).Inc()
	}
	m.talked(r, queue)
}

// talked counts what was talked in a finished call.
func (m *metrics) talked(r *Record, queue string) {
	if len(r.Talks) > 0 {
		m.talk.WithLabelValues(queue).Observe(r.TalkSeconds)
	}
	if r.TalkMet != nil {
		m.talkTarget.WithLabelValues(queue, strconv.FormatBool(*r.TalkMet)).Inc()
	}
}
