package call

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// How a finished call that entered a queue counts for the service level; one that was neither answered nor abandoned
// counts apart, by its Result.
const (
	answeredWithin  = "answered-within"
	answeredAfter   = "answered-after"
	abandonedWithin = "abandoned-within"
	abandonedAfter  = "abandoned-after"
)

// levels are all the ways to count.
var levels = []string{
	answeredWithin, answeredAfter, abandonedWithin, abandonedAfter,
	string(Overflowed), string(Message), string(CalledFor), string(Informed), string(Failed),
}

// levelOf is how a record counts, by the rules of [Summary.Count]; empty if it does not.
func levelOf(r *Record, within time.Duration) string {
	var s Summary
	s.Count(*r, within)
	switch {
	case s.Offered == 0:
		return ""
	case s.AnsweredWithin > 0:
		return answeredWithin
	case s.Answered > 0:
		return answeredAfter
	case s.AbandonedAfter > 0:
		return abandonedAfter
	case s.Abandoned > 0:
		return abandonedWithin
	default:
		return string(r.Result)
	}
}

// newLevel is the counter from which Prometheus makes the service level, by either formula, and the connect rate.
func newLevel() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hotline_service_level_total",
		Help: "Calls that entered a queue, by first queue and how they count. " +
			"Service level: answered-within / (answered-within + answered-after + abandoned-after), " +
			"or / (answered-within + answered-after). " +
			"Connect rate: (answered-within + answered-after) / all.",
	}, []string{byQueue, byOutcome})
}
