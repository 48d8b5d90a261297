package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/sim"
)

// TestBenchOverload: a short round at two loads that any machine carries, each with a hotline of its own: every call is
// accounted for, and every alarm is answered. How soon, a machine that does much else may not keep; it says so then.
func TestBenchOverload(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	drawn := filepath.Join(t.TempDir(), "overload.svg")
	bench := exec.CommandContext(t.Context(), self, "bench", "overload", "--limit", "10", "--loads", "1,2", "--for", "1s",
		"--hold", "200ms", "--rounds", "1", "--json", "--svg", drawn)
	bench.Env = append(os.Environ(), asProgram+"=1")
	var errs bytes.Buffer
	bench.Stderr = &errs
	out, err := bench.Output()
	if err != nil {
		require.Contains(t, errs.String(), errOverload.Error())
		require.NotContains(t, errs.String(), "alarms answered")
	}
	var lines []overloadLine
	for line := range bytes.Lines(out) {
		var l overloadLine
		require.NoError(t, json.Unmarshal(line, &l))
		lines = append(lines, l)
	}
	require.Len(t, lines, 2)
	for i, l := range lines {
		require.InDelta(t, float64(i+1), l.Load, 0)
		require.Equal(t, 10*(i+1), l.Offered)
		require.Equal(t, l.Offered, l.Completed+l.Short+l.Menu+l.Rest+l.Silent)
		require.Positive(t, l.P50)
		require.Positive(t, l.Audio)
		require.Positive(t, l.Alarms)
		require.Equal(t, l.Alarms, l.Answered)
		require.Zero(t, l.Unheard+l.Lost)
	}
	svg, err := os.ReadFile(drawn)
	require.NoError(t, err)
	require.Subset(t, wellFormed(t, string(svg)), []string{"completed", "refused", "short menu", "set-up, p99", "alarm to agent, p50"})
}

// The verdict is of the worst load beyond the limit, up to twice that, held against the most that any load has, wherever that is; of the longest
// set-ups there; and of every alarm.
func TestOverloadTable(t *testing.T) {
	t.Parallel()
	table := func(limit float64, change func(l []overloadLine), rates ...float64) (string, error) {
		var out bytes.Buffer
		r := &overloadReport{con: &console{out: &out}, limit: overloadLine{PerSecond: 100, Rate: limit, Offered: 1}}
		r.head()
		lines := make([]overloadLine, len(rates))
		for i, rate := range rates {
			lines[i] = overloadLine{Load: float64(i+1) / 2, Rate: rate, Alarms: 10, Answered: 10, P99: 499, Audio: 0.95, MenuIn: 0.9, RestIn: 0.2, WaitMost: 5000}
		}
		change(lines)
		for _, l := range lines {
			r.add(l)
		}
		err := r.foot()
		require.NoError(t, r.err)
		return out.String(), err
	}
	for name, c := range map[string]struct {
		limit  float64
		change func(l []overloadLine)
		rates  []float64
		want   string
		kept   bool
	}{
		"kept":                     {99, nil, []float64{50, 100, 96, 95}, "at least 95 % of it is completed. Wanted: 95 %: kept.\n", true},
		"less beyond twice it":     {99, nil, []float64{50, 100, 96, 95, 97, 91}, "Wanted: 95 %: kept. Beyond that: 91 %.", true},
		"late beyond twice it":     {99, func(l []overloadLine) { l[5].P99 = 501 }, []float64{50, 100, 96, 95, 97, 97}, "within 501 ms. Wanted: less than 500 ms", false},
		"less beyond it":           {99, nil, []float64{50, 100, 94, 99}, "at least 94 % of it is completed. Wanted: 95 %: not kept.", false},
		"the most is beyond it":    {99, nil, []float64{50, 100, 350, 281}, "at least 80 % of it is completed. Wanted: 95 %: not kept.", false},
		"the most found the limit": {110, nil, []float64{50, 100, 100, 100}, "at least 91 % of it is completed. Wanted: 95 %: not kept.", false},
		"late beyond it":           {99, func(l []overloadLine) { l[2].P99 = 500 }, []float64{50, 100, 100, 100}, "within 500 ms. Wanted: less than 500 ms, when an INVITE is sent again: not kept.", false},
		"late at it":               {99, func(l []overloadLine) { l[1].P99 = 500 }, []float64{50, 100, 100, 100}, "within 499 ms. Wanted: less than 500 ms, when an INVITE is sent again: kept.", true},
		"without its audio":        {99, func(l []overloadLine) { l[3].Audio = 0.94 }, []float64{50, 100, 100, 350}, "at least 94 % of their audio. Wanted: 95 %: not kept.", false},
		"that is no yardstick":     {99, func(l []overloadLine) { l[3].Audio = 0.94 }, []float64{50, 100, 100, 350}, "found: 100 calls/s.", false},
		"an alarm is refused":      {99, func(l []overloadLine) { l[0].Unheard = 1 }, []float64{50, 100, 100, 100}, "40 dialled, 1 refused, 0 let in and not answered. Wanted: all answered: not kept.", false},
		"an alarm is lost":         {99, func(l []overloadLine) { l[3].Lost = 2 }, []float64{50, 100, 100, 100}, "40 dialled, 0 refused, 2 let in and not answered. Wanted: all answered: not kept.", false},
		"others before alarms":     {99, func(l []overloadLine) { l[3].RestIn = 0.3 }, []float64{50, 100, 100, 100}, "at most 0.33 are let in for each of them. Wanted: 0.25: not kept.", false},
		"beside alarms":            {99, func(l []overloadLine) { l[3].MenuIn, l[3].RestIn = 1, 1 }, []float64{50, 100, 100, 100}, "at most 0.22 are let in for each of them. Wanted: 0.25: kept.", true},
		"an alarm waits":           {99, func(l []overloadLine) { l[3].WaitMost = 5100 }, []float64{50, 100, 100, 100}, "waited for more than 5.1 s. Wanted: a ring, 5 s: not kept.", false},
		"where there was no alarm": {99, func(l []overloadLine) { clearAlarms(l) }, []float64{50, 100, 100, 100}, "Alarms: 0 dialled, 0 refused, 0 let in and not answered. Wanted: all answered: not kept.", false},
	} {
		if c.change == nil {
			c.change = func([]overloadLine) {}
		}
		said, err := table(c.limit, c.change, c.rates...)
		require.Contains(t, said, c.want, name)
		if c.kept {
			require.NoError(t, err, name)
		} else {
			require.ErrorIs(t, err, errOverload, name)
		}
	}
}

func clearAlarms(lines []overloadLine) {
	for i := range lines {
		lines[i].Alarms, lines[i].Answered = 0, 0
	}
}

// What became of alarms is accounted for, whatever it was.
func TestOverloadAlarms(t *testing.T) {
	t.Parallel()
	var l overloadLine
	l.of(sim.Figures{Dialled: 9, Answered: 5, Refused: 1, Lost: 2, GaveUp: 1}, []time.Duration{3 * time.Millisecond, time.Millisecond, 2 * time.Millisecond})
	require.Equal(t, overloadLine{Alarms: 9, Answered: 5, Unheard: 1, Lost: 3, Wait50: 2, WaitMost: 3}, l)
	m := middleOverload([]overloadLine{l, {Completed: 1, Alarms: 2, Answered: 2}, {Completed: 2, Alarms: 1, Lost: 1}})
	require.Equal(t, overloadLine{Completed: 1, Alarms: 12, Answered: 7, Unheard: 1, Lost: 4, WaitMost: 3}, m)
}

// The limit is what is carried, whatever becomes of more than that, and whether or not one try is spoilt.
func TestOverloadLimit(t *testing.T) {
	t.Parallel()
	const capacity = 300.0
	for name, beyond := range map[string]func(rate float64) float64{
		"as much":          func(float64) float64 { return capacity },
		"it collapses":     func(float64) float64 { return 1 },
		"ever less":        func(rate float64) float64 { return capacity * capacity / rate },
		"unheard":          func(rate float64) float64 { return rate },
		"more for a while": func(rate float64) float64 { return 0.98 * rate },
	} {
		for _, spoilt := range []bool{false, true} {
			for _, size := range []float64{0.01, 1, 10} {
				tries := 0
				limit, err := findLimit(func(rate float64) (overloadLine, error) {
					done, audio := rate, 1.0
					if rate > size*capacity {
						done = size * beyond(rate/size)
						if name == "unheard" {
							audio = 0.9
						}
					}
					if tries++; spoilt && tries%2 == 1 {
						done /= 2
					}
					return overloadLine{Offered: int(1000 * rate), Completed: int(1000 * done), Rate: done, Audio: audio}, nil
				})
				require.NoError(t, err, name)
				require.LessOrEqual(t, overloadCarried*limit.PerSecond, size*capacity, name)
				require.Greater(t, limit.PerSecond*overloadFine, size*capacity, name)
				require.GreaterOrEqual(t, limit.Rate, overloadCarried*limit.PerSecond, name)
				require.Less(t, tries, 40, name)
			}
		}
	}
	_, err := findLimit(func(rate float64) (overloadLine, error) { return overloadLine{Offered: 1, Completed: 1, Audio: 1}, nil })
	require.ErrorContains(t, err, "no rate")
	_, err = findLimit(func(rate float64) (overloadLine, error) { return overloadLine{Offered: 1}, nil })
	require.ErrorContains(t, err, "no rate")
	_, err = findLimit(func(rate float64) (overloadLine, error) { return overloadLine{}, errStopped })
	require.ErrorIs(t, err, errStopped)
}

func TestBenchOverloadRefusesNonsense(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--for", "0s"}, {"--hold", "0s"}, {"--rounds", "0"}, {"--loads", "0.5,1"}, {"--loads", "0,2"}, {"--loads", "1,3"}, {"--cores=-1"}, {"--limit=-1"}} {
		var errs bytes.Buffer
		code := run(append([]string{"bench", "overload"}, args...), &console{out: &errs, err: &errs})
		require.Equal(t, exitFault, code, args)
		require.Contains(t, errs.String(), "above 0")
	}
}
