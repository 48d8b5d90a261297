package forecast

import (
	"context"
	"math"
	"slices"
)

// What a trial is held to: three standard errors in everything, and the share that waits within 2 % of the formula
// up to a load of 0.9. Where fewer than one in twenty wait, 2 % of one in twenty: a share of some thousandths would
// need hundreds of millions of calls to be known to 2 % of itself.
const (
	MostErrors = 3
	WaitsOff   = 0.02
	waitsLoad  = 0.9
	fewWait    = 0.05
)

// Verdict is what a measure comes to.
type Verdict string

// The verdicts.
const (
	Holds Verdict = "holds"
	Fails Verdict = "FAILS"
	// Open: too few calls were measured to tell.
	Open Verdict = "open"
)

// Close is the verdict on three standard errors.
func (m Measure) Close() Verdict {
	if m.Errors() > MostErrors {
		return Fails
	}
	return Holds
}

// Near is the verdict on the 2 % of the share that waits; ok is false where a measure is not held to them.
func (t Trial) Near(m Measure) (v Verdict, ok bool) {
	tolerance, ok := t.tolerance(m)
	switch {
	case !ok:
		return "", false
	case MostErrors*m.Error > tolerance:
		return Open, true
	case math.Abs(m.Measured-m.Formula) > tolerance:
		return Fails, true
	default:
		return Holds, true
	}
}

// longBatch is how many times as long as the queue's memory a batch is at least, for batches to be as good as
// independent: else the errors that they show are too low by much.
const longBatch = 5

// remembers is over how many calls the queue remembers, about: those that come in the relaxation time of an M/M/1 queue
// whose one server is as fast as all agents, talk ÷ agents ÷ (1 − √load)²; and those that come in one talk.
func (t Trial) remembers() float64 {
	load := t.Load()
	return max(load/math.Pow(1-math.Sqrt(load), 2), t.Erlangs())
}

// Tells reports whether the batches are long enough for three standard errors of theirs to mean anything.
func (t Trial) Tells() bool {
	return t.Batches > 0 && float64(t.Calls/t.Batches) >= longBatch*t.remembers()
}

// Load is the share of the agents' time that the calls ask for.
func (t Trial) Load() float64 { return t.Erlangs() / float64(t.Agents) }

func (t Trial) tolerance(m Measure) (off float64, ok bool) {
	const exactly = 1e-9 // a load of 0.9 is not one of 0.9000000001
	return WaitsOff * max(m.Formula, fewWait), m.Name == Waits && t.Load() < waitsLoad+exactly
}

// Row is one trial as it was held against its formula.
type Row struct {
	Trial
	Measures []Measure
	// Again: a first trial was outside of three standard errors, and this is another, with other calls.
	Again bool
}

// Hold runs a trial, with more calls (up to most) where the first are too few to judge the 2 %. One that is outside
// of three standard errors is run once more, with other calls and four times as many: of a table of a hundred
// figures, chance alone puts one outside in four runs, and does not do so twice in one place; a fault does.
func (t Trial) Hold(ctx context.Context, most int) (Row, error) {
	measures, err := t.Run(ctx)
	if err != nil {
		return Row{}, err
	}
	const growths = 4 // what a first trial says of the errors is an estimate itself, and may be too low
	for tries := 0; tries < growths && t.open(measures) && t.Calls < most; tries++ {
		t.Calls, t.Seed = min(t.enough(measures), most), t.Seed+1
		if measures, err = t.Run(ctx); err != nil {
			return Row{}, err
		}
	}
	row := Row{Trial: t, Measures: measures}
	if row.close() {
		return row, nil
	}
	const more = 4
	row.Calls, row.Seed, row.Again = max(t.Calls, min(more*t.Calls, most)), t.Seed+2, true
	row.Measures, err = row.Run(ctx)
	return row, err
}

// open reports whether a measure is not known well enough to judge the 2 %.
func (t Trial) open(measures []Measure) bool {
	return slices.ContainsFunc(measures, func(m Measure) bool {
		v, _ := t.Near(m)
		return v == Open
	})
}

// enough is how many calls the 2 % want, by the errors of those measured; some more, since these are only an
// estimate.
func (t Trial) enough(measures []Measure) int {
	const spare = 1.2
	calls := 0.0
	for _, m := range measures {
		if off, ok := t.tolerance(m); ok {
			wider := spare * MostErrors * m.Error / off
			calls = max(calls, float64(t.Calls)*wider*wider)
		}
	}
	return int(calls)
}

func (r Row) close() bool {
	for _, m := range r.Measures {
		if m.Close() != Holds {
			return false
		}
	}
	return true
}

// Verdict is what the row comes to: Open where it is outside of what it is held to, and too few calls were measured for
// that to mean anything.
func (r Row) Verdict() Verdict {
	switch {
	case !r.outside():
		return Holds
	case !r.Tells():
		return Open
	default:
		return Fails
	}
}

// outside reports whether a measure is outside of what it is held to.
func (r Row) outside() bool {
	for _, m := range r.Measures {
		if v, _ := r.Near(m); v == Fails {
			return true
		}
	}
	return !r.close()
}
