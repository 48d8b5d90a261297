package forecast_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/acd/erlang"
	"hotline/acd/forecast"
)

func trial(agents int, load, patience float64) forecast.Trial {
	return forecast.Trial{
		System: erlang.System{Agents: agents, Arrivals: load * float64(agents) / 150, Talk: 150, Patience: patience},
		Within: 15, Calls: 4000, Batches: 20, Seed: 1,
	}
}

// TestDeskAgainstFormulas: the desk's own code against Erlang C and A, few calls; the command has many.
func TestDeskAgainstFormulas(t *testing.T) {
	for _, patience := range []float64{0, 120} {
		row, err := trial(10, 0.8, patience).Hold(t.Context(), 4000)
		require.NoError(t, err)
		require.NotEqual(t, forecast.Fails, row.Verdict(), "patience %v: %+v", patience, row.Measures)
	}
}

// TestTrialRepeats: the same seed gives the same figures, another gives others.
func TestTrialRepeats(t *testing.T) {
	a := trial(10, 0.9, 120)
	a.Calls = 2000
	first, err := a.Run(t.Context())
	require.NoError(t, err)
	second, err := a.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, first, second)
	a.Seed++
	other, err := a.Run(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, first[0].Measured, other[0].Measured)
}

// TestTrialSeesAFault: calls that come more often by a quarter than the formula is told are seen: 3 standard errors are
// not so wide that anything fits.
func TestTrialSeesAFault(t *testing.T) {
	a := trial(10, 0.8, 120)
	ms, err := a.Run(t.Context())
	require.NoError(t, err)
	a.Arrivals /= 1.25
	off := ms[0]
	off.Formula = a.Figures().Waits
	require.Equal(t, forecast.Fails, off.Close())
}

func TestVerdicts(t *testing.T) {
	a := trial(10, 0.9, 0)
	for name, c := range map[string]struct {
		m     forecast.Measure
		load  float64
		close forecast.Verdict
		near  forecast.Verdict
	}{
		"near":                 {forecast.Measure{Name: forecast.Waits, Measured: 0.505, Error: 0.003, Formula: 0.5}, 0.9, forecast.Holds, forecast.Holds},
		"beyond 2 %":           {forecast.Measure{Name: forecast.Waits, Measured: 0.511, Error: 0.0033, Formula: 0.5}, 0.9, forecast.Fails, forecast.Fails},
		"too few to tell":      {forecast.Measure{Name: forecast.Waits, Measured: 0.511, Error: 0.004, Formula: 0.5}, 0.9, forecast.Holds, forecast.Open},
		"not held to 2 %":      {forecast.Measure{Name: forecast.Waits, Measured: 0.511, Error: 0.0033, Formula: 0.5}, 0.95, forecast.Fails, ""},
		"few wait":             {forecast.Measure{Name: forecast.Waits, Measured: 0.0015, Error: 0.0003, Formula: 0.001}, 0.7, forecast.Holds, forecast.Holds},
		"another measure":      {forecast.Measure{Name: forecast.MeanWait, Measured: 11, Error: 1, Formula: 10}, 0.7, forecast.Holds, ""},
		"exactly, without err": {forecast.Measure{Name: forecast.Abandons}, 0.7, forecast.Holds, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a.Arrivals = c.load * 10 / 150
			require.Equal(t, c.close, c.m.Close())
			near, held := a.Near(c.m)
			require.Equal(t, c.near, near)
			require.Equal(t, c.near != "", held)
			row := forecast.Row{Trial: a, Measures: []forecast.Measure{c.m}}
			row.Calls = 1_000_000
			outside := c.close == forecast.Fails || c.near == forecast.Fails
			require.Equal(t, outside, row.Verdict() == forecast.Fails)
			row.Calls = 100 // a call or two in a batch
			require.Equal(t, outside, row.Verdict() == forecast.Open)
			require.NotEqual(t, forecast.Fails, row.Verdict())
		})
	}
}

// TestHoldMeasuresMore: where the first calls are too few for the 2 %, more are measured, up to the most.
func TestHoldMeasuresMore(t *testing.T) {
	a := trial(10, 0.8, 120)
	a.Calls = 2000
	row, err := a.Hold(t.Context(), 2500)
	require.NoError(t, err)
	require.Equal(t, 2500, row.Calls)
	near, _ := row.Near(row.Measures[0])
	require.Equal(t, forecast.Open, near)

	a = trial(2, 0.05, 120) // where few wait, few calls tell
	a.Calls = 400
	row, err = a.Hold(t.Context(), 20_000)
	require.NoError(t, err)
	require.Greater(t, row.Calls, 1000)
	require.NotEqual(t, forecast.Fails, row.Verdict(), "%+v", row.Measures)
}

func TestTrialRefusesNonsense(t *testing.T) {
	a := trial(10, 0.8, 0)
	a.Batches = 1
	_, err := a.Run(t.Context())
	require.ErrorContains(t, err, "at least 2 batches")
	stopped := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stopped)
	_, err = trial(10, 0.8, 0).Hold(ctx, 1)
	require.ErrorIs(t, err, stopped)
}

// TestStrategiesWaitAlike: whom a strategy rings first changes nothing of who waits, while all agents are alike.
func TestStrategiesWaitAlike(t *testing.T) {
	a := trial(10, 0.8, 120)
	want, err := a.Run(t.Context())
	require.NoError(t, err)
	a.Strategy = "ring-all"
	got, err := a.Run(t.Context())
	require.NoError(t, err)
	require.InDelta(t, want[0].Measured, got[0].Measured, 0.03)
	require.InDelta(t, want[1].Measured, got[1].Measured, 1.5)
}
