package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"hotline/acd/erlang"
	"hotline/acd/forecast"
)

// modelCmd holds the desk's code against the formulas of Erlang.
type modelCmd struct {
	Agents   []int         `help:"How many agents." default:"10,50"`
	Loads    []float64     `help:"The share of the agents' time that the calls ask for." default:"0.5,0.6,0.7,0.8,0.9,0.95"`
	AHT      time.Duration `name:"aht" help:"The mean length of a talk." default:"150s"`
	Patience time.Duration `help:"The mean patience of a caller, for Erlang A." default:"2m"`
	Within   time.Duration `help:"The service level's time." default:"15s"`
	Calls    int           `help:"Calls measured in each row, at least." default:"200000"`
	Most     int           `help:"Calls measured in a row, at most; between the two it is as many as the 2 % need." default:"20000000"`
	Strategy string        `help:"The queue's strategy." default:"longest-idle"`
	Seed     uint64        `help:"For the same calls again; 0 makes one." default:"1"`
}

// modelBatches is into how many batches the calls of a row are cut.
const modelBatches = 20

// Run implements the command: the error says that a figure of the desk is not that of the formula.
func (m *modelCmd) Run(con *console) error {
	if err := m.check(); err != nil {
		return err
	}
	collectSeldom()
	if m.Seed == 0 {
		m.Seed = rand.Uint64() //nolint:gosec // a simulation, not a secret
	}
	ctx, stop := con.untilSignal()
	defer stop()
	m.head(con)
	begun := time.Now()
	failed, calls, figures, wrong := 0, 0, 0, 0
	for row := range m.rows(ctx) {
		if row.err != nil {
			return row.err
		}
		if m.print(con, row.Row) {
			failed++
		}
		calls += row.Calls
		for _, f := range row.Measures {
			figures++
			if f.Close() != forecast.Holds {
				wrong++
			}
		}
	}
	con.say("\n%d of %d figures within 3 standard errors; %d calls in the rows shown, %s.\n",
		figures-wrong, figures, calls, time.Since(begun).Round(time.Second/10))
	if failed > 0 {
		return fmt.Errorf("model: %d rows are not what the formula says", failed)
	}
	return nil
}

func (m *modelCmd) check() error {
	if len(m.Agents) == 0 || len(m.Loads) == 0 || m.AHT <= 0 || m.Patience <= 0 || m.Within <= 0 {
		return errors.New("model: --agents, --loads, --aht, --patience and --within must be above 0")
	}
	for _, n := range m.Agents {
		if n <= 0 {
			return errors.New("model: there is at least one agent")
		}
	}
	for _, load := range m.Loads {
		if load <= 0 || load >= 1 {
			return errors.New("model: a load is above 0 and below 1: with more, those who never give up wait for ever")
		}
	}
	return nil
}

func (m *modelCmd) trials() (trials []forecast.Trial) {
	for _, patience := range []time.Duration{0, m.Patience} {
		for _, n := range m.Agents {
			for _, load := range m.Loads {
				trials = append(trials, forecast.Trial{
					System: erlang.System{
						Agents: n, Arrivals: load * float64(n) / m.AHT.Seconds(), Talk: m.AHT.Seconds(), Patience: patience.Seconds(),
					},
					Within: m.Within.Seconds(), Calls: m.Calls, Batches: modelBatches, Strategy: m.Strategy,
					Seed: m.Seed + uint64(len(trials))*modelSeeds,
				})
			}
		}
	}
	return trials
}

// modelSeeds are how many seeds a row may use.
const modelSeeds = 16

type modelRow struct {
	forecast.Row
	err error
}

// rows runs the trials, as many at a time as there are processors, and yields them in order.
func (m *modelCmd) rows(ctx context.Context) func(yield func(modelRow) bool) {
	return func(yield func(modelRow) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var all sync.WaitGroup
		defer all.Wait()
		defer cancel()
		trials := m.trials()
		done := make([]chan modelRow, len(trials))
		for i := range done {
			done[i] = make(chan modelRow, 1)
		}
		var next atomic.Int64
		for range runtime.GOMAXPROCS(0) {
			all.Go(func() {
				for i := next.Add(1) - 1; int(i) < len(trials); i = next.Add(1) - 1 {
					row, err := trials[i].Hold(ctx, m.Most)
					done[i] <- modelRow{row, err}
				}
			})
		}
		for _, result := range done {
			if !yield(<-result) {
				return
			}
		}
	}
}

func (m *modelCmd) head(con *console) {
	con.say("The desk's own code (%s, phones that answer at once, no wrap-up) in simulated time, next to Erlang C (nobody\n"+
		"gives up) and Erlang A (patience of %s on average). Talks of %s, service level within %s; seed %d.\n"+
		"Each figure: measured, the formula's, and how many standard errors (of %d batches) lie between them; 3 are allowed.\n"+
		"\"2 %%\" is whether the share that waits is within 2 %% of the formula, wanted up to a load of 0.9.\n\n",
		m.Strategy, brief(m.Patience), brief(m.AHT), brief(m.Within), m.Seed, modelBatches)
	con.say("%s\n", cells("", 3, "agents", 7, "load", 5, "calls", 9, "waits %", 22, "2 %", 6, "mean wait s", 23, "service level %", 22, "gives up %", 20, "", 6))
}

// print writes a row and reports whether it failed.
func (*modelCmd) print(con *console, r forecast.Row) (failed bool) {
	kind := "C"
	if r.Patience > 0 {
		kind = "A"
	}
	figures := map[string]string{}
	near := "-"
	for _, f := range r.Measures {
		scale, format := 100.0, "%.3f %.3f %3.1f"
		if f.Name == forecast.MeanWait {
			scale = 1
		}
		if f.Measured*scale >= 100 {
			format = "%.2f %.2f %3.1f"
		}
		figures[f.Name] = fmt.Sprintf(format, f.Measured*scale, f.Formula*scale, f.Errors())
		if f.Close() != forecast.Holds {
			figures[f.Name] += "!"
		}
		if v, held := r.Near(f); held {
			near = string(v)
		}
	}
	note := ""
	if r.Again {
		note = "again"
	}
	if r.Failed() {
		note = "FAILS"
	}
	con.say("%s\n", cells(kind, 3, r.Agents, 7, strconv.FormatFloat(r.Load(), 'g', 3, 64), 5, r.Calls, 9, figures[forecast.Waits], 22, near, 6,
		figures[forecast.MeanWait], 23, figures[forecast.ServiceLevel], 22, figures[forecast.Abandons], 20, note, 6))
	return r.Failed()
}
