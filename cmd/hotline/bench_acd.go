package main

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// benchACDCmd measures how soon the desk rings a phone: from an agent becoming free, with callers waiting, and
// from a caller's joining (the digit of the menu), with agents ready. Beside it stands what only finding the pair
// costs when all are looked at in turn.
type benchACDCmd struct {
	Agents  []int `help:"How many agents." default:"10,100,1000"`
	Waiting []int `help:"How many callers wait." default:"10,1000,10000"`
	Rounds  int   `help:"How often each is measured." default:"2000"`

	State string        `help:"Measure nodes that share a Redis instead: redis for one of its own, or redis://…; with the most agents and callers given."`
	Nodes []int         `help:"With --state: how many nodes." default:"1,2,4"`
	For   time.Duration `help:"With --state: how long each is measured." default:"5s"`
}

// deskTarget is what is wanted of a match, at the largest (design, section 7).
const deskTarget = time.Millisecond

// Run implements the command.
func (b *benchACDCmd) Run(con *console) error {
	if b.Rounds <= 0 || len(b.Agents) == 0 || len(b.Waiting) == 0 || slices.Min(b.Agents) <= 0 || slices.Min(b.Waiting) <= 0 {
		return errors.New("bench acd: --agents, --waiting and --rounds must be above 0")
	}
	if b.State != "" {
		return b.shared(con)
	}
	con.say("From an agent who is free, and from a caller's digit, to the desk's wish to ring\n"+
		"the phone; in process, %d times each, in microseconds. The scan (its p50) looks\n"+
		"at every caller, or every agent, to find the same pair, and does nothing else.\n\n%s\n",
		b.Rounds, cells("agents", 8, "waiting", 9, "free p50", 10, "p99", 10, "scan", 10, "digit p50", 11, "p99", 10, "scan", 10))
	var first, last deskFigures
	for _, agents := range b.Agents {
		for _, waiting := range b.Waiting {
			f, err := measureDesk(agents, waiting, b.Rounds)
			if err != nil {
				return fmt.Errorf("bench acd: %d agents, %d waiting: %w", agents, waiting, err)
			}
			con.say("%s\n", cells(agents, 8, waiting, 9,
				micros(quantile(f.free, 0.5)), 10, micros(quantile(f.free, 0.99)), 10, micros(quantile(f.scanFree, 0.5)), 10,
				micros(quantile(f.digit, 0.5)), 11, micros(quantile(f.digit, 0.99)), 10, micros(quantile(f.scanDigit, 0.5)), 10))
			if last = f; first.free == nil {
				first = f
			}
		}
	}
	growth := func(times func(*deskFigures) []time.Duration) float64 {
		return float64(quantile(times(&last), 0.5)) / float64(max(1, quantile(times(&first), 0.5)))
	}
	con.say("\nFrom the first line to the last p50 grows %.1f times (free) and %.1f times\n(digit), the scans' %.0f and %.0f times.\n",
		growth(func(f *deskFigures) []time.Duration { return f.free }), growth(func(f *deskFigures) []time.Duration { return f.digit }),
		growth(func(f *deskFigures) []time.Duration { return f.scanFree }), growth(func(f *deskFigures) []time.Duration { return f.scanDigit }))
	con.say("Wanted: p99 below %d us in the last line: %s.\n", deskTarget.Microseconds(),
		verdictOf(max(quantile(last.free, 0.99), quantile(last.digit, 0.99)) < deskTarget))
	return nil
}

// shared measures nodes on one Redis.
func (b *benchACDCmd) shared(con *console) (err error) {
	if len(b.Nodes) == 0 || slices.Min(b.Nodes) <= 0 || b.For <= 0 {
		return errors.New("bench acd: --nodes and --for must be above 0")
	}
	collectSeldom() // as a server
	ctx, stop := con.untilSignal()
	defer stop()
	redis, err := openBenchRedis(ctx, b.State)
	if err != nil {
		return fmt.Errorf("bench acd: %w", err)
	}
	defer func() { err = errors.Join(err, redis.close()) }()
	s := &benchSite{Nodes: b.Nodes, Agents: slices.Max(b.Agents), Wait: slices.Max(b.Waiting), For: b.For, Rate: siteRate, Flying: siteFlying}
	s.Flying = min(s.Flying, s.Agents)
	return s.run(ctx, con, redis)
}

// verdictOf says what came of something wanted.
func verdictOf(kept bool) string {
	if kept {
		return "kept"
	}
	return "not kept"
}

// quantile is the nearest rank.
func quantile(times []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func micros(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d)/float64(time.Microsecond)) }
