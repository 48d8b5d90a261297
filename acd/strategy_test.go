package acd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"hotline/call"
)

// anyFacts are of few values, so that ties come up; of a precision that the words of keys show.
func anyFacts(t *rapid.T, id int) facts {
	few := func(name string) int { return rapid.IntRange(0, 2).Draw(t, name) }
	return facts{
		id: fmt.Sprint("agent-", id), number: id, level: 1 + few("level"), weight: 1 + few("weight"),
		idle: time.Unix(int64(few("idle")), 0), calls: few("calls"), talked: time.Duration(few("talked")) * time.Second,
		cursor: cursor{lap: few("lap"), at: id, draw: float64(few("draw")) / 8},
		now:    time.Unix(100, 0),
	}
}

// TestStrategies: what holds for every strategy of the table. The order is total; the level goes before the key;
// the key goes before the id; and the key is in the words: who is told apart by it reads differently.
func TestStrategies(t *testing.T) {
	for name, s := range strategies {
		t.Run(name, func(t *testing.T) {
			require.GreaterOrEqual(t, s.fanOut, 1)
			rapid.Check(t, func(t *rapid.T) {
				f := []facts{anyFacts(t, 1), anyFacts(t, 2), anyFacts(t, 3)}
				for _, a := range f {
					require.NotEmpty(t, s.key(a))
					require.False(t, s.goesBefore(a, a))
					for _, b := range f {
						if a.id == b.id {
							continue
						}
						require.NotEqual(t, s.goesBefore(a, b), s.goesBefore(b, a), "total and antisymmetric")
						if a.level > b.level {
							require.True(t, s.goesBefore(a, b), "the level first")
						}
						if a.level == b.level && s.before(a, b) {
							require.True(t, s.goesBefore(a, b), "then the key")
							require.NotEqual(t, s.key(a), s.key(b), "which explains itself")
						}
						for _, c := range f {
							require.False(t, s.goesBefore(a, b) && s.goesBefore(b, c) && !s.goesBefore(a, c) && a.id != c.id, "transitive")
						}
					}
				}
			})
		})
	}
}

// drawn is a desk with one queue of a strategy and agents of these weights, all ready, whose lots come from a
// seed.
func drawn(t *testing.T, strategy string, seed uint64, weights ...int) *desk {
	t.Helper()
	o := Options{
		Phones: silent{}, Queues: []Queue{{Name: "repair", Strategy: strategy}},
		Random: rand.New(rand.NewPCG(seed, 1)), //nolint:gosec // a test's
	}
	for i, w := range weights {
		o.Agents = append(o.Agents, Agent{ID: fmt.Sprint(8001 + i), Weight: w, Skills: map[string]int{"repair": 1}})
	}
	require.NoError(t, o.complete())
	d := newDesk(&o, newFigures(newLoad(time.Now())), func(message) bool { return true })
	for _, a := range d.agents {
		d.setFlow(a, true)
	}
	return d
}

// pick has the strategy choose, and takes the agent out of those ready.
func (d *desk) pick() *agent {
	s, _ := d.queues[0].ready.first()
	d.chosen(&caller{queue: d.queues[0]}, s.agent)
	s.agent.paused = true
	d.refresh(s.agent)
	return s.agent
}

func (d *desk) back(a *agent) {
	a.paused = false
	d.refresh(a)
}

// TestLotsAreFair: each agent's share is that of the weight, whether the one chosen comes back at once or others
// are chosen meanwhile; and each choice is independent of the last. Three standard errors and a half are allowed,
// at a seed that is always the same.
func TestLotsAreFair(t *testing.T) {
	for name, weights := range map[string][]int{Random: {7, 1, 3, 9}, Weighted: {1, 2, 3, 4}} {
		const rounds = 40_000
		d := drawn(t, name, 42, weights...)
		share := func(i int) float64 {
			if name == Random {
				return 0.25
			}
			return float64(weights[i]) / 10
		}
		counts, again := make([]float64, len(weights)), 0.0
		var last *agent
		for range rounds {
			a := d.pick()
			d.back(a)
			counts[a.slots[0].number-1]++
			if a == last {
				again++
			}
			last = a
		}
		repeats := 0.0
		for i := range weights {
			p := share(i)
			require.InDelta(t, p*rounds, counts[i], 3.5*math.Sqrt(rounds*p*(1-p)), "%s %d", name, i)
			repeats += p * p
		}
		require.InDelta(t, repeats*rounds, again, 3.5*math.Sqrt(rounds*repeats*(1-repeats)), "%s: no memory", name)
	}
}

// TestLotsOfWhoIsThere: of those who are ready, each choice is by the weights of just those, though they have
// drawn at different times and the best lots are gone.
func TestLotsOfWhoIsThere(t *testing.T) {
	const rounds = 30_000
	d := drawn(t, Weighted, 43, 1, 2, 3, 4)
	heavier := 0.0
	for range rounds {
		busy := []*agent{d.pick(), d.pick()}
		left := 0
		for _, s := range d.queues[0].ready.items {
			left += s.key.weight
		}
		s, _ := d.queues[0].ready.first()
		other := left - s.key.weight
		if s.key.weight > other {
			heavier += 1 - float64(s.key.weight)/float64(left)
		} else {
			heavier -= float64(other) / float64(left)
		}
		for _, a := range busy {
			d.back(a)
		}
	}
	// The heavier one is chosen as often as its weight is of both: what is above that and below cancels out.
	require.InDelta(t, 0, heavier/rounds, 3.5*0.5/math.Sqrt(rounds))
}

// TestLotsAreRepeatable: the same seed and the same doings choose the same agents.
func TestLotsAreRepeatable(t *testing.T) {
	order := func(seed uint64) (ids []string) {
		d := drawn(t, Random, seed, 1, 1, 1, 1, 1)
		for range 50 {
			a := d.pick()
			ids = append(ids, a.ID)
			d.back(a)
		}
		return ids
	}
	first, second := order(1), order(1)
	require.Equal(t, first, second)
	require.NotEqual(t, first, order(2))
}

// TestDecisionNamesTen: the first ten in order, and how many more, though a thousand are ready.
func TestDecisionNamesTen(t *testing.T) {
	d := drawn(t, Linear, 1, make([]int, 1000)...)
	ticket := call.Ticket{CallID: "c1", Queue: "repair"}
	c := &caller{Ticket: ticket, queue: d.queues[0], seat: newSeat(ticket, time.Second), unwatch: func() bool { return true }}
	d.agents[3].paused = true
	d.refresh(d.agents[3])
	d.admit(c)
	why := d.decision(c)
	require.Len(t, why.Candidates, shownCandidates)
	require.Equal(t, call.Candidate{Agent: "8005", Level: 1, Key: "place 5"}, why.Candidates[3])
	require.Equal(t, 989, why.More)
	require.Equal(t, map[string]int{"paused": 1}, why.Excluded)
}
