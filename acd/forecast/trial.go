package forecast

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"hotline/acd"
	"hotline/acd/erlang"
)

// Trial is one system of agents that the desk's code is held against: phones answer at once and there is no
// wrap-up, since the formulas know neither.
type Trial struct {
	erlang.System
	// Within is the service level's time, in seconds.
	Within float64
	// Calls are how many are measured, in Batches one after the other; as many as one batch has go before them, for
	// the empty queue at the beginning to be forgotten.
	Calls, Batches int
	Seed           uint64
	// Strategy of the queue; empty is the desk's default.
	Strategy string
}

// Measure is one figure of a trial, next to its formula.
type Measure struct {
	Name string
	// Measured is the mean over the batches, Error its standard error, Formula what is to be expected. All are
	// shares, but the mean wait, which is in seconds.
	Measured, Error, Formula float64
}

// Errors is how many standard errors lie between the two.
func (m Measure) Errors() float64 {
	off := math.Abs(m.Measured - m.Formula)
	if off == 0 {
		return 0
	}
	return off / m.Error
}

// The names of measures.
const (
	Waits        = "waits"
	MeanWait     = "mean wait"
	ServiceLevel = "service level"
	Abandons     = "abandons"
)

// batch counts one stretch of callers.
type batch struct {
	came, waited, answered, soon, abandoned, late int
	wait                                          float64
}

func (b *batch) count(o Outcome, within float64) {
	wait := o.Wait.Seconds()
	b.came++
	b.wait += wait
	if o.Wait > 0 {
		b.waited++
	}
	switch {
	case o.Answered && wait <= within:
		b.answered++
		b.soon++
	case o.Answered:
		b.answered++
	default:
		b.abandoned++
		if wait > within {
			b.late++
		}
	}
}

// Run measures it. Errors are those of [Run], or that calls and batches do not fit.
func (t Trial) Run(ctx context.Context) ([]Measure, error) {
	if t.Batches < 2 || t.Calls < t.Batches {
		return nil, fmt.Errorf("%d calls in %d batches: at least 2 batches, and a call in each", t.Calls, t.Batches)
	}
	const queue = "queue"
	size := t.Calls / t.Batches
	batches := make([]batch, t.Batches+1)
	random := rand.New(rand.NewPCG(t.Seed, uint64(t.Agents))) //nolint:gosec // a simulation, not a secret
	var patience Draw
	if t.Patience > 0 {
		patience = Exponential(secondsOf(t.Patience))
	}
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	o := Options{
		Desk:  acd.Options{Queues: []acd.Queue{{Name: queue, Strategy: t.Strategy}}, Random: random},
		Start: start,
		Next:  Poisson(random, queue, start, size*len(batches), t.Arrivals, Exponential(secondsOf(t.Talk)), patience),
		Ended: func(out Outcome) { batches[out.Index/size].count(out, t.Within) },
	}
	for i := range t.Agents {
		o.Desk.Agents = append(o.Desk.Agents, acd.Agent{ID: fmt.Sprint(8001 + i), Skills: map[string]int{queue: 1}})
	}
	if err := Run(ctx, o); err != nil {
		return nil, err
	}
	return t.measures(batches[1:]), nil
}

func (t Trial) measures(batches []batch) []Measure {
	f := t.Figures()
	measures := []Measure{
		{Name: Waits, Formula: f.Waits},
		{Name: MeanWait, Formula: f.MeanWait},
		{Name: ServiceLevel, Formula: t.ServiceLevel(t.Within)},
	}
	if t.Patience > 0 {
		measures = append(measures, Measure{Name: Abandons, Formula: f.Abandons})
	}
	of := map[string]func(b batch) float64{
		Waits:        func(b batch) float64 { return float64(b.waited) / float64(b.came) },
		MeanWait:     func(b batch) float64 { return b.wait / float64(b.came) },
		ServiceLevel: func(b batch) float64 { return float64(b.soon) / float64(max(1, b.answered+b.late)) },
		Abandons:     func(b batch) float64 { return float64(b.abandoned) / float64(b.came) },
	}
	for i := range measures {
		m := &measures[i]
		m.Measured, m.Error = mean(batches, of[m.Name])
		m.Error = max(m.Error, t.least(*m, f))
	}
	return measures
}

// mean is over the batches, with its standard error: batches long against what the queue remembers are as good as
// independent (Law and Kelton, Simulation Modeling and Analysis, section 9.5.3).
func mean(batches []batch, of func(batch) float64) (m, standardError float64) {
	n := float64(len(batches))
	for _, b := range batches {
		m += of(b) / n
	}
	var squares float64
	for _, b := range batches {
		squares += (of(b) - m) * (of(b) - m)
	}
	return m, math.Sqrt(squares / (n - 1) / n)
}

// least is the standard error that callers would have who are all independent, by the formula. Callers of one queue
// are not, so the true one is greater; what the batches show may be less by chance, most of all where so few wait
// that many batches saw none.
func (t Trial) least(m Measure, f erlang.Figures) float64 {
	if m.Name == MeanWait {
		// A wait that is 0, or else much like an exponential one of the mean of those who wait.
		waiting := f.MeanWait / cmp.Or(f.Waits, 1)
		return math.Sqrt((2*f.Waits*waiting*waiting - f.MeanWait*f.MeanWait) / float64(t.Calls))
	}
	return math.Sqrt(m.Formula * (1 - m.Formula) / float64(t.Calls))
}

func secondsOf(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
