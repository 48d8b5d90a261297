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
	failed, open, calls, figures, wrong := 0, 0, 0, 0, 0
	for row := range m.rows(ctx) {
		if row.err != nil {
			return row.err
		}
		m.print(con, row.Row)
		switch row.Verdict() {
		case forecast.Fails:
			failed++
		case forecast.Open:
			open++
		case forecast.Holds:
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
	if open > 0 {
		con.say("Of %d rows too few calls were measured to tell: with batches that short the errors are not known.\n", open)
	}
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
	con.say("The desk's own code (%s, phones that answer at once, no wrap-up) in simulated time,\n"+
		"next to Erlang C (nobody gives up) and Erlang A (patience of %s on average). Talks of %s, service\n"+
		"level within %s; seed %d. Each figure: measured, the formula's, and how many standard errors (of %d\n"+
		"batches) lie between them; 3 are allowed. \"2 %%\" is whether the share that waits is within 2 %% of the\n"+
		"formula, wanted up to a load of 0.9.\n\n",
		m.Strategy, brief(m.Patience), brief(m.AHT), brief(m.Within), m.Seed, modelBatches)
	con.say("%s\n", modelLine("", "agents", "load", "calls", "waits %", "2 %", "mean wait s", "service level %", "gives up %", ""))
}

// modelLine is a line of the table: at most 100 columns, so that it stands in a mail.
func modelLine(kind, agents, load, calls, waits, near, wait, level, abandons, note string) string {
	const figure = 17
	return cells(kind, 2, agents, 7, load, 5, calls, 7, waits, figure, near, 6, wait, figure, level, figure, abandons, figure, note, 6)
}

// print writes a row.
func (*modelCmd) print(con *console, r forecast.Row) {
	kind := "C"
	if r.Patience > 0 {
		kind = "A"
	}
	figures := map[string]string{}
	near := "-"
	for _, f := range r.Measures {
		scale := 100.0
		if f.Name == forecast.MeanWait {
			scale = 1
		}
		figures[f.Name] = fmt.Sprintf("%s %s %s", five(f.Measured*scale), five(f.Formula*scale), three(f.Errors()))
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
	if v := r.Verdict(); v != forecast.Holds {
		note = string(v)
	}
	con.say("%s\n", modelLine(kind, strconv.Itoa(r.Agents), strconv.FormatFloat(r.Load(), 'g', 3, 64), thousands(r.Calls),
		figures[forecast.Waits], near, figures[forecast.MeanWait], figures[forecast.ServiceLevel], figures[forecast.Abandons], note))
}

// five is a figure in five characters, as exact as they allow, and three an error in three.
func five(v float64) string {
	decimals := 3
	for limit := 9.9995; decimals > 0 && v >= limit; limit *= 10 {
		decimals--
	}
	return strconv.FormatFloat(v, 'f', decimals, 64)
}

func three(v float64) string {
	if v < 9.95 {
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(min(v, 999), 'f', 0, 64)
}

// thousands is a number of calls, in thousands where it is large.
func thousands(n int) string {
	if n < 100_000 {
		return strconv.Itoa(n)
	}
	return strconv.Itoa((n+500)/1000) + "k"
}
