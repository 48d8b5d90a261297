package forecast_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"hotline/acd"
	"hotline/acd/forecast"
	"hotline/call"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var nine = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return nine.Add(time.Duration(seconds * float64(time.Second))) }

// callers gives them one after the other.
func callers(all ...forecast.Caller) func() (forecast.Caller, bool) {
	return func() (c forecast.Caller, more bool) {
		if len(all) == 0 {
			return c, false
		}
		c, all = all[0], all[1:]
		return c, true
	}
}

func play(t *testing.T, o forecast.Options) (outcomes []forecast.Outcome) {
	t.Helper()
	o.Start = nine
	o.Desk.Queues = []acd.Queue{{Name: "repair", WrapUp: 5 * time.Second, AfterNoAnswer: 3 * time.Second, AfterReject: 2 * time.Second}}
	o.Desk.Agents = []acd.Agent{{ID: "8001", Skills: map[string]int{"repair": 2}}, {ID: "8002", Skills: map[string]int{"repair": 1}}}
	o.Ended = func(out forecast.Outcome) { outcomes = append(outcomes, out) }
	require.NoError(t, forecast.Run(t.Context(), o))
	return outcomes
}

func caller(from, patience, talk float64) forecast.Caller {
	return forecast.Caller{Queue: "repair", At: at(from), Patience: at(patience).Sub(nine), Talk: at(talk).Sub(nine)}
}

// TestRun: three callers and two agents, by hand: the third waits for the first talk and its wrap-up.
func TestRun(t *testing.T) {
	got := play(t, forecast.Options{Next: callers(caller(0, 0, 60), caller(1, 0, 100), caller(2, 0, 10))})
	require.Len(t, got, 3)
	for i, wait := range []float64{0, 0, 63} {
		require.True(t, got[i].Answered)
		require.Equal(t, i, got[i].Index)
		require.Equal(t, at(wait).Sub(nine), got[i].Wait)
		require.Equal(t, 1, got[i].Rings)
	}
}

// TestPatience: it ends at its very instant, whatever happened last before it; a caller who gives up is no agent's.
func TestPatience(t *testing.T) {
	got := play(t, forecast.Options{Next: callers(caller(0, 0, 60), caller(0, 0, 60), caller(1, 20.5, 10), caller(30, 1, 10))})
	require.Len(t, got, 4)
	require.False(t, got[2].Answered)
	require.Equal(t, at(20.5).Sub(nine), got[2].Wait)
	require.Zero(t, got[2].Rings)
	require.Equal(t, at(1).Sub(nine), got[3].Wait)
}

// TestPhones: each thing that a phone may do, at the first agent's; the second answers at once.
func TestPhones(t *testing.T) {
	for name, c := range map[string]struct {
		ring forecast.Ring
		wait float64
	}{
		"answers at once":  {forecast.Ring{}, 0},
		"answers":          {forecast.Ring{After: 4 * time.Second}, 4},
		"refuses":          {forecast.Ring{After: 2 * time.Second, Why: call.CauseDeclined}, 2},
		"rings on":         {forecast.Ring{Why: call.CauseNoAnswer}, 10}, // the rescue ring
		"gives no sign":    {forecast.Ring{After: time.Hour, Why: call.CauseUnreachable}, 2},
		"fails":            {forecast.Ring{After: time.Second, Why: call.CauseUnreachable}, 1},
		"answers too late": {forecast.Ring{After: time.Minute}, 10},
	} {
		t.Run(name, func(t *testing.T) {
			got := play(t, forecast.Options{
				Next: callers(caller(0, 0, 60)),
				Ring: func(agent string) forecast.Ring {
					if agent == "8001" {
						return c.ring
					}
					return forecast.Ring{}
				},
			})
			require.Len(t, got, 1)
			require.True(t, got[0].Answered)
			require.Equal(t, at(c.wait).Sub(nine), got[0].Wait)
		})
	}
}

// TestShifts: nobody is rung who is not there, and who waits at the end of it all is told of.
func TestShifts(t *testing.T) {
	got := play(t, forecast.Options{
		Next:   callers(caller(0, 0, 10), caller(100, 0, 10)),
		Shifts: []forecast.Shift{{Agent: "8002", From: at(30), To: at(60)}},
		Until:  at(200),
	})
	require.Len(t, got, 2)
	require.Equal(t, at(30).Sub(nine), got[0].Wait)
	require.False(t, got[1].Answered)
}

// TestTurnedAway: a queue's limits hold: who comes to a full one is told so at once, who waits too long at that instant.
func TestTurnedAway(t *testing.T) {
	var outcomes []forecast.Outcome
	require.NoError(t, forecast.Run(t.Context(), forecast.Options{
		Start: nine,
		Desk: acd.Options{
			Queues: []acd.Queue{{Name: "repair", Limits: acd.Limits{MaxWaiting: 1, MaxWait: 30 * time.Second}}},
			Agents: []acd.Agent{{ID: "8001", Skills: map[string]int{"repair": 1}}},
		},
		Next:  callers(caller(0, 0, 600), caller(10, 0, 10), caller(20, 0, 10)),
		Ended: func(out forecast.Outcome) { outcomes = append(outcomes, out) },
	}))
	require.Len(t, outcomes, 3)
	require.True(t, outcomes[0].Answered)
	require.Equal(t, []int{2, 1}, []int{outcomes[1].Index, outcomes[2].Index})
	require.Equal(t, []call.Overflow{call.QueueFull, call.QueueTooLong}, []call.Overflow{outcomes[1].Turned, outcomes[2].Turned})
	require.Equal(t, []time.Duration{0, 30 * time.Second}, []time.Duration{outcomes[1].Wait, outcomes[2].Wait})
}

func TestNoSuchQueue(t *testing.T) {
	err := forecast.Run(t.Context(), forecast.Options{Next: callers(forecast.Caller{Queue: "nowhere"})})
	require.ErrorIs(t, err, call.ErrNoQueue)
}

// TestDraws: the laws have the means they are asked for.
func TestDraws(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, draw := range map[string]forecast.Draw{
		"exponential": forecast.Exponential(time.Minute),
		"lognormal":   forecast.Lognormal(time.Minute, 30*time.Second),
		"recorded":    forecast.Among([]time.Duration{30 * time.Second, 90 * time.Second}),
	} {
		const n = 50_000
		var sum, squares float64
		for range n {
			d := draw(r).Seconds()
			sum += d
			squares += d * d
		}
		require.InDelta(t, 60, sum/n, 1, name)
		deviation := map[string]float64{"exponential": 3600, "lognormal": 900, "recorded": 900}[name]
		require.InEpsilon(t, deviation, squares/n-(sum/n)*(sum/n), 0.05, name)
	}
	for _, none := range []forecast.Draw{forecast.Exponential(0), forecast.Lognormal(0, 0), forecast.Among(nil)} {
		require.Zero(t, none(r))
	}
}
