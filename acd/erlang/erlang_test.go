package erlang_test

import (
	"fmt"
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/acd/erlang"
)

// TestPublished: what books and tables print.
func TestPublished(t *testing.T) {
	// Erlang B, the table of every textbook of teletraffic (ITU-D, Teletraffic Engineering Handbook): the traffic
	// that n lines carry with 1 % of loss.
	for n, erlangs := range map[int]float64{1: 0.0101, 5: 1.3608, 10: 4.4612, 20: 12.031, 50: 37.901, 100: 84.064} {
		require.InDelta(t, 0.01, erlang.B(n, erlangs), 1e-5, n)
	}
	// The worked example of Erlang C that call centres know: 100 calls in half an hour of 180 s, 14 agents.
	c := erlang.System{Agents: 14, Arrivals: 100.0 / 1800, Talk: 180}
	require.InDelta(t, 0.174, c.Figures().Waits, 0.0005)
	require.InDelta(t, 7.8, c.Figures().MeanWait, 0.05)
	require.InDelta(t, 0.888, c.ServiceLevel(20), 0.0005)
	require.InDelta(t, 0.714, c.Figures().Occupancy, 0.0005)
	// Garnett, Mandelbaum and Reiman's comparison: 50 agents, 48 calls a minute, talks of one minute; patience
	// of two minutes, and none.
	a := erlang.System{Agents: 50, Arrivals: 48.0 / 60, Talk: 60, Patience: 120}
	f := a.Figures()
	require.InDelta(t, 0.031, f.Abandons, 0.0005)
	require.InDelta(t, 3.7, f.MeanWait, 0.1)
	require.InDelta(t, 0.93, f.Occupancy, 0.005)
	a.Patience = 0
	require.InDelta(t, 20.8, a.Figures().MeanWait, 0.05)
	require.InDelta(t, 0.96, a.Figures().Occupancy, 0.005)
}

var systems = []erlang.System{
	{Agents: 1, Arrivals: 0.004, Talk: 150},
	{Agents: 10, Arrivals: 0.95 * 10 / 150, Talk: 150, Patience: 120},
	{Agents: 10, Arrivals: 1.3 * 10 / 150, Talk: 150, Patience: 30},
	{Agents: 50, Arrivals: 0.5 * 50 / 150, Talk: 150, Patience: 120},
	{Agents: 50, Arrivals: 0.9 * 50 / 150, Talk: 150, Patience: 3600},
	{Agents: 50, Arrivals: 2.0 * 50 / 150, Talk: 150, Patience: 600},
	{Agents: 2, Arrivals: 0.01, Talk: 10, Patience: 1},
}

// TestAgainstSumsOfFactorials: the same figures by the sums of the definition, in numbers of 400 bits, which share
// nothing with the recursion.
func TestAgainstSumsOfFactorials(t *testing.T) {
	for _, s := range systems {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			want := bySums(s)
			got := s.Figures()
			require.InEpsilon(t, want.Waits, got.Waits, 1e-9)
			require.InEpsilon(t, want.MeanWait, got.MeanWait, 1e-9)
			require.InEpsilon(t, want.Occupancy, got.Occupancy, 1e-9)
			if s.Patience > 0 {
				require.InEpsilon(t, want.Abandons, got.Abandons, 1e-9)
			}
		})
	}
}

// bySums weighs each state by the product of the rates that lead to it.
func bySums(s erlang.System) erlang.Figures {
	number := func(x float64) *big.Float { return new(big.Float).SetPrec(400).SetFloat64(x) }
	weight, total, busy, queue, talking := number(1), number(1), number(0), number(0), number(0)
	for k := 1; k < 6000; k++ {
		waiting := max(0, k-s.Agents)
		leave := number(float64(min(k, s.Agents)) / s.Talk)
		if s.Patience > 0 {
			leave.Add(leave, number(float64(waiting)/s.Patience))
		}
		weight.Mul(weight, number(s.Arrivals))
		weight.Quo(weight, leave)
		total.Add(total, weight)
		talking.Add(talking, number(0).Mul(weight, number(float64(min(k, s.Agents)))))
		if k >= s.Agents {
			busy.Add(busy, weight)
			queue.Add(queue, number(0).Mul(weight, number(float64(waiting))))
		}
	}
	share := func(x *big.Float) float64 { f, _ := number(0).Quo(x, total).Float64(); return f }
	f := erlang.Figures{Waits: share(busy), MeanWait: share(queue) / s.Arrivals, Occupancy: share(talking) / float64(s.Agents)}
	if s.Patience > 0 {
		f.Abandons = share(queue) / s.Patience / s.Arrivals
	}
	return f
}

// TestServiceLevelAgainstStates: who is answered in time, by another way than the integral: the caller who finds j
// waiting is followed through the chain of those ahead, in small steps of time.
func TestServiceLevelAgainstStates(t *testing.T) {
	const within = 15.0
	for _, s := range systems {
		if s.Patience == 0 {
			continue
		}
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			answered, lost := byStates(s, within)
			require.InDelta(t, answered, s.AnsweredWithin(within), 2e-4)
			require.InDelta(t, answered/(1-lost), s.ServiceLevel(within), 2e-4)
		})
	}
}

// byStates steps the law of how many are ahead, for a caller who is there until answered or out of patience.
func byStates(s erlang.System, within float64) (answered, lost float64) {
	const most, step = 1500, 0.005
	n := float64(s.Agents)
	weights := make([]float64, s.Agents+most)
	log, top := 0.0, 0.0
	logs := make([]float64, len(weights))
	for k := 1; k < len(weights); k++ {
		waiting := math.Max(0, float64(k)-n)
		log += math.Log(s.Arrivals / (math.Min(float64(k), n)/s.Talk + waiting/s.Patience))
		logs[k] = log
		top = math.Max(top, log)
	}
	total := 0.0
	for k := range weights {
		weights[k] = math.Exp(logs[k] - top)
		total += weights[k]
	}
	for k := range s.Agents {
		answered += weights[k] / total
	}
	ahead := make([]float64, most)
	for j := range ahead {
		ahead[j] = weights[s.Agents+j] / total
	}
	for range int(math.Round(within / step)) {
		for j := range ahead {
			forward := ahead[j] * (n/s.Talk + float64(j)/s.Patience) * step
			gone := ahead[j] / s.Patience * step
			ahead[j] -= forward + gone
			lost += gone
			if j == 0 {
				answered += forward
			} else {
				ahead[j-1] += forward
			}
		}
	}
	return answered, lost
}

// TestEdges: no patience is the limit of much of it; too much traffic without impatience never settles; numbers that
// overflow a factorial do not here.
func TestEdges(t *testing.T) {
	patient := erlang.System{Agents: 10, Arrivals: 0.06, Talk: 150}
	long := patient
	long.Patience = 1e9
	require.InEpsilon(t, patient.Figures().Waits, long.Figures().Waits, 1e-4)
	require.InEpsilon(t, patient.ServiceLevel(15), long.ServiceLevel(15), 1e-4)
	require.InDelta(t, patient.AnsweredWithin(15), patient.ServiceLevel(15), 0)

	over := erlang.System{Agents: 10, Arrivals: 0.07, Talk: 150}
	require.Equal(t, erlang.Figures{Waits: 1, MeanWait: math.Inf(1), Occupancy: 1}, over.Figures())
	require.Zero(t, over.ServiceLevel(15))
	require.InDelta(t, 1, erlang.B(0, 3), 0)
	require.InDelta(t, 1, erlang.C(3, 3), 0)

	big := erlang.System{Agents: 5000, Arrivals: 60, Talk: 150, Patience: 120}
	f := big.Figures()
	require.InDelta(t, 1, f.Waits, 1e-3)
	require.InEpsilon(t, 1-5000.0/9000, f.Abandons, 1e-3, "what the agents cannot serve gives up")
	require.InDelta(t, 0, big.ServiceLevel(1), 1e-6)
	require.False(t, math.IsNaN(big.ServiceLevel(600)))
}

// TestNeeded: one agent fewer is too few, and the number is enough.
func TestNeeded(t *testing.T) {
	for _, patience := range []float64{0, 120} {
		for _, calls := range []float64{1, 20, 100, 700} {
			s := erlang.System{Arrivals: calls / 1800, Talk: 150, Patience: patience}
			n, ok := s.Needed(0.9, 15)
			require.True(t, ok)
			s.Agents = n
			require.GreaterOrEqual(t, s.ServiceLevel(15), 0.9)
			if s.Agents--; s.Agents > 0 {
				require.Less(t, s.ServiceLevel(15), 0.9)
			}
		}
	}
	n, ok := erlang.System{Talk: 150}.Needed(0.9, 15)
	require.True(t, ok)
	require.Zero(t, n)
	_, ok = erlang.System{Arrivals: 1e6, Talk: 150}.Needed(0.9, 15)
	require.False(t, ok)
}
