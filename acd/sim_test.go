package acd_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/acd"
	"hotline/call"
)

// bells keep the phones that ring, in order.
type bells struct{ rings []*simRing }

type simRing struct {
	request   call.RingRequest
	tell      func(call.Leg, *call.RingError)
	withdrawn call.Cause
}

func (b *bells) Ring(r call.RingRequest, tell func(call.Leg, *call.RingError)) func(call.Cause) {
	ring := &simRing{request: r, tell: tell}
	b.rings = append(b.rings, ring)
	return func(why call.Cause) {
		ring.withdrawn = why
		tell(nil, &call.RingError{Why: why})
	}
}

var simStart = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func newSim(t *testing.T, o acd.Options) (*acd.Sim, *bells, func(after time.Duration)) {
	t.Helper()
	b := &bells{}
	o.OnPanic = func(where string, v any) { t.Errorf("panic in %s: %v", where, v) }
	s, err := acd.NewSim(o, b, simStart)
	require.NoError(t, err)
	for _, a := range o.Agents {
		s.Center().Flow(a.ID, true)
	}
	s.Work()
	return s, b, func(after time.Duration) {
		s.Set(simStart.Add(after))
		s.Work()
	}
}

func oneQueue(agents ...string) acd.Options {
	o := acd.Options{Queues: []acd.Queue{{Name: "repair", WrapUp: 5 * time.Second, AfterNoAnswer: 7 * time.Second}}}
	for _, id := range agents {
		o.Agents = append(o.Agents, acd.Agent{ID: id, Skills: map[string]int{"repair": 1}})
	}
	return o
}

// TestSimKeepsTheDesksTimes: a call in simulated time, with the times of the desk's own code: no answer within
// the rings, the delay after it, an answer, the talk's wrap-up, the next caller.
func TestSimKeepsTheDesksTimes(t *testing.T) {
	before := runtime.NumGoroutine()
	sim, b, at := newSim(t, oneQueue("8001"))
	first, err := sim.Center().Join(t.Context(), call.Ticket{CallID: "c1", Queue: "repair"})
	require.NoError(t, err)
	at(time.Second)
	require.Len(t, b.rings, 1)
	require.Equal(t, "8001", b.rings[0].request.Agent)
	b.rings[0].request.Progress(180, sim.Now())
	at(time.Second)
	next, ok := sim.Next()
	require.True(t, ok)
	require.Equal(t, simStart.Add(11*time.Second), next, "the third ring, of five seconds each: a rescue, if there were another")
	sim.Set(next)
	sim.Work()
	next, _ = sim.Next()
	require.Equal(t, simStart.Add(16*time.Second), next, "the end of three rings")
	sim.Set(next)
	sim.Work()
	require.Equal(t, call.CauseNoAnswer, b.rings[0].withdrawn)
	next, _ = sim.Next()
	require.Equal(t, simStart.Add(23*time.Second), next, "the delay after no answer")
	sim.Set(next)
	sim.Work()
	require.Len(t, b.rings, 2)
	leg := sim.Leg("l1")
	b.rings[1].tell(leg, nil)
	b.rings[1].tell(nil, nil) // told once
	at(23 * time.Second)
	require.Equal(t, "8001", (<-first.Answered()).Agent)

	_, err = sim.Center().Join(t.Context(), call.Ticket{CallID: "c2", Queue: "repair"})
	require.NoError(t, err)
	at(30 * time.Second)
	require.Len(t, b.rings, 2, "the agent talks")
	leg.End(call.Far, call.CauseBye)
	leg.End(call.Far, call.CauseBye)
	at(30 * time.Second)
	next, _ = sim.Next()
	require.Equal(t, simStart.Add(35*time.Second), next, "wrap-up")
	sim.Set(next)
	sim.Work()
	require.Len(t, b.rings, 3)
	require.LessOrEqual(t, runtime.NumGoroutine(), before, "the desk begins no goroutine of its own")

	visit, offers := first.Visit()
	require.Equal(t, simStart.Add(23*time.Second), *visit.Left)
	require.Equal(t, 3, offers[0].Rings-1, "it ended as the fourth ring began")
}

// TestSimLeaves: who leaves is gone at the simulated instant, and the phone is taken back.
func TestSimLeaves(t *testing.T) {
	sim, b, at := newSim(t, oneQueue("8001"))
	seat, err := sim.Center().Join(t.Context(), call.Ticket{CallID: "c1", Queue: "repair"})
	require.NoError(t, err)
	at(0)
	sim.Set(simStart.Add(3 * time.Second / 2))
	require.True(t, seat.Leave(call.CauseCancel))
	sim.Work()
	require.Equal(t, call.CauseWithdrawn, b.rings[0].withdrawn)
	visit, _ := seat.Visit()
	require.Equal(t, simStart.Add(3*time.Second/2), *visit.Left)
	require.Equal(t, "abandoned", visit.How)
}

// TestSimHangsUpWhoIsLate: of two phones that answer in one instant, the second is hung up and free again.
func TestSimHangsUpWhoIsLate(t *testing.T) {
	o := oneQueue("8001", "8002")
	o.Queues[0].Strategy = acd.RingAll
	sim, b, at := newSim(t, o)
	_, err := sim.Center().Join(t.Context(), call.Ticket{CallID: "c1", Queue: "repair"})
	require.NoError(t, err)
	at(0)
	require.Len(t, b.rings, 2)
	legs := []*acd.SimLeg{sim.Leg("l1"), sim.Leg("l2")}
	b.rings[0].tell(legs[0], nil)
	b.rings[1].tell(legs[1], nil)
	at(time.Second)
	_, ended := call.EndOf(legs[0])
	require.False(t, ended)
	end, ended := call.EndOf(legs[1])
	require.True(t, ended)
	require.Equal(t, call.LegEnd{By: call.System, Why: call.CauseElsewhere, At: simStart.Add(time.Second)}, end)
}

// TestSimRefusals: what refuses and what says nothing; both free the phone.
func TestSimRefusals(t *testing.T) {
	sim, b, at := newSim(t, oneQueue("8001"))
	seat, err := sim.Center().Join(t.Context(), call.Ticket{CallID: "c1", Queue: "repair"})
	require.NoError(t, err)
	at(0)
	b.rings[0].tell(nil, &call.RingError{Why: call.CauseDeclined})
	at(time.Second) // told, then rested for the least delay
	at(2 * time.Second)
	require.Len(t, b.rings, 2)
	b.rings[1].tell(nil, nil)
	at(2 * time.Second)
	_, offers := seat.Visit()
	require.Equal(t, "refused", offers[0].How)
	require.Equal(t, "unreachable", offers[1].How)
}

// TestOneClock: the package asks for the time in one place, or a simulation would mix two clocks. What is
// collected is collected at the instant of the collector, and a seat alone is one of a Center.
func TestOneClock(t *testing.T) {
	allowed := map[string]int{"options.go": 1, "metrics.go": 1, "seat.go": 1}
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		asked := 0
		for _, clock := range []string{"time.Now", "time.Since", "time.Until", "time.AfterFunc"} {
			asked += strings.Count(string(text), clock)
		}
		require.Equal(t, allowed[name], asked, "%s asks for the time: Options.now tells it (desk.now, on the desk)", name)
	}
}
