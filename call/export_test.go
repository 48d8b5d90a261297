package call

import (
	"context"
	"maps"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// Owners is how many legs the exchange thinks are somebody's.
func Owners(x *Exchange) int {
	x.legMu.Lock()
	defer x.legMu.Unlock()
	return len(x.legs)
}

// Callers are the legs that are the callers of their calls by now.
func Callers(x *Exchange) (legs []LegID) {
	x.legMu.Lock()
	defer x.legMu.Unlock()
	for l, o := range x.legs {
		if o.caller {
			legs = append(legs, l)
		}
	}
	return legs
}

// SetStage puts another stage in the place of one.
func SetStage(x *Exchange, k Kind, f func(ctx context.Context, c *Call, at Next) Next) {
	x.stages = maps.Clone(x.stages)
	x.stages[k] = f
}

// Enter adds a stay to a record.
func Enter(r *Record, v Visit) { r.enter(v) }

// WaitedSoFar is what was waited, and how many stays go on.
var WaitedSoFar = waitedSoFar

// CountLegs has the legs of a finished call counted, and returns where.
func CountLegs(t *testing.T, legs ...LegAudio) prometheus.Gatherer {
	t.Helper()
	m, reg := newAudioMetrics(), prometheus.NewPedanticRegistry()
	reg.MustRegister(m.collectors()...)
	m.finished(legs)
	return reg
}
