package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"hotline/config"
	"hotline/media"
	"hotline/sim"
)

// benchOverloadCmd offers the whole hotline more than it can carry: first, to find its limit, ever more; then shares of
// that, each to a process of its own. Callers hang up a while after they are answered, whatever they hear: the longer
// that is, the less a refusal costs beside a call; people's last for minutes. Beside them are alarms, which agents answer.
type benchOverloadCmd struct {
	Loads  []float64     `help:"Offered load, in times the limit; the first that is 1 or more is what others are compared with." default:"0.5,1,1.5,2,3"`
	For    time.Duration `help:"How long calls begin, at each load, after as long as a call lasts, at least half of this." default:"8s"`
	Hold   time.Duration `help:"How long a call lasts." default:"5s"`
	Rounds int           `help:"Rounds at each load; the one in the middle by completed calls counts." default:"1"`
	Limit  float64       `help:"Calls a second that are taken for the limit; 0 finds it." default:"0"`
	Cores  int           `help:"Cores that the hotline may use; 0 leaves one to the callers." default:"0"`
	SVG    string        `help:"Draw the figures into this file." name:"svg" placeholder:"FILE"`
	JSON   bool          `help:"Figures as JSON, a line for each load."`
}

// What is called. Seven callers of ten want the reference's menu, by which an alarm can be reached; the others a menu by
// which none can.
const (
	overloadServer = "whole hotline, limits"
	overloadPlain  = "96000"
)

var overloadNumbers = []string{
	benchNumber, benchNumber, overloadPlain, benchNumber, benchNumber, overloadPlain, benchNumber, benchNumber, overloadPlain,
	benchNumber,
}

// The alarms: how many a minute, and how long an agent lets it ring and talks.
const (
	overloadAlarms = 60.0
	overloadPickup = 300 * time.Millisecond
	overloadTalk   = 500 * time.Millisecond
)

// overloadPorts are the alarms' and agents' own.
var overloadPorts = media.PortRange{Lo: 32000, Hi: 32767}

// Run implements the command.
func (b *benchOverloadCmd) Run(con *console) error {
	if b.For <= 0 || b.Hold <= 0 || b.Rounds <= 0 || b.Cores < 0 || b.Limit < 0 {
		return errors.New("bench overload: --for, --hold and --rounds must be above 0, --cores and --limit not below")
	}
	reference := slices.IndexFunc(b.Loads, func(l float64) bool { return l >= 1 })
	if reference < 0 || slices.ContainsFunc(b.Loads, func(l float64) bool { return l <= 0 }) {
		return errors.New("bench overload: --loads are above 0, and one is 1 or more")
	}
	ctx, stop := con.untilSignal()
	defer stop()
	report := &overloadReport{con: con, json: b.JSON}
	limit := b.Limit
	if limit == 0 {
		var err error
		if limit, err = b.limit(ctx); err != nil {
			return fmt.Errorf("bench overload: find the limit: %w", err)
		}
	}
	report.head(limit)
	rounds := make([][]overloadLine, len(b.Loads))
	for range b.Rounds { // in turns: what else the machine does hits all alike
		for i, load := range b.Loads {
			line, err := b.round(ctx, load*limit, b.For)
			if err != nil {
				return fmt.Errorf("bench overload: at %g times the limit: %w", load, err)
			}
			line.Load = load
			rounds[i] = append(rounds[i], line)
		}
	}
	for _, r := range rounds {
		report.add(middleOverload(r))
	}
	report.foot(reference)
	if b.SVG == "" || report.err != nil {
		return report.err
	}
	if err := os.WriteFile(b.SVG, []byte(overloadSVG(limit, report.lines)), 0o644); err != nil { //nolint:gosec // to be looked at
		return fmt.Errorf("bench overload: draw: %w", err)
	}
	return nil
}

// limit is how many calls a second are completed when far more are offered: the rate is doubled until a third of them is
// not let in.
func (b *benchOverloadCmd) limit(ctx context.Context) (float64, error) {
	const first, most, share = 50.0, 6400.0, 3
	for rate := first; rate <= most; rate *= 2 {
		line, err := b.round(ctx, rate, b.For/2)
		if err != nil {
			return 0, err
		}
		if share*line.Completed < (share-1)*line.Offered {
			return line.Rate, nil
		}
	}
	return 0, fmt.Errorf("%g calls a second are not too many for it", most)
}

// overloadLine is what came of one load.
type overloadLine struct {
	Load      float64 `json:"load"`
	PerSecond float64 `json:"offered_per_second"`
	Offered   int     `json:"offered"`
	Completed int     `json:"completed"`
	Rate      float64 `json:"completed_per_second"`
	Short     int     `json:"short"`
	Menu      int     `json:"refused_menu"` // by class
	Rest      int     `json:"refused_rest"`
	Silent    int     `json:"silent"`
	P50       float64 `json:"invite_to_200_p50_ms"`
	P99       float64 `json:"invite_to_200_p99_ms"`
	CPU       float64 `json:"cpu_share"` // of the cores the server may use

	Alarms   int     `json:"alarms"`
	Answered int     `json:"alarms_answered"`
	Unheard  int     `json:"alarms_refused"`
	Wait50   float64 `json:"alarm_wait_p50_ms"`
	WaitMost float64 `json:"alarm_wait_most_ms"`
}

// round offers calls at a rate to a server that has just started: first for a while that is not counted.
func (b *benchOverloadCmd) round(ctx context.Context, rate float64, takes time.Duration) (line overloadLine, err error) {
	n := b.cores()
	s, err := startProcess(ctx, "bench", "serve", overloadServer, "--cores", strconv.Itoa(n))
	if err != nil {
		return line, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	said, err := s.read()
	if err != nil {
		return line, err
	}
	s.addr = said.Addr
	alarms, stop, err := startAlarms(ctx, s.addr)
	if err != nil {
		return line, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	o := sim.FloodOptions{Server: s.addr, Numbers: overloadNumbers, From: benchFrom, Rate: rate, For: max(takes/2, b.Hold), Hold: b.Hold}
	if _, err = sim.Flood(ctx, o); err != nil {
		return line, err
	}
	before, err := s.asked()
	if err != nil {
		return line, err
	}
	o.For = takes
	began := time.Now()
	figures, err := sim.Flood(ctx, o)
	if err != nil {
		return line, err
	}
	took := time.Since(began)
	after, err := s.asked()
	if err != nil {
		return line, err
	}
	if ctx.Err() != nil {
		return line, errStopped
	}
	line = lineOf(&figures, before, after)
	line.CPU = float64(after.CPU-before.CPU) / float64(took) / float64(n)
	return line, line.of(alarms, stop())
}

// cores are those that the server may use.
func (b *benchOverloadCmd) cores() int {
	if b.Cores > 0 {
		return b.Cores
	}
	return max(1, int(cores(os.ReadFile))-1)
}

func lineOf(f *sim.FloodFigures, before, after serverSays) overloadLine {
	short := after.Calls["menu short"] - before.Calls["menu short"]
	full := f.Completed - short
	refused := func(number string) (n int) {
		for status, many := range f.Statuses[number] {
			if status >= 300 {
				n += many
			}
		}
		return n
	}
	takes := f.Took.Seconds()
	return overloadLine{
		PerSecond: float64(f.Offered) / takes, Offered: f.Offered, Completed: full, Rate: float64(full) / takes, Short: short,
		Menu: refused(benchNumber), Rest: refused(overloadPlain), Silent: f.Silent,
		P50: milliseconds(f.Quantile(0.5)), P99: milliseconds(f.Quantile(0.99)),
	}
}

// of adds what became of the alarms; err is how their world ended.
func (l *overloadLine) of(w *sim.World, err error) error {
	f, waits := w.Figures(), w.Waits()
	slices.Sort(waits)
	l.Alarms, l.Answered, l.Unheard = int(f.Dialled), int(f.Answered), int(f.Refused)
	if len(waits) > 0 {
		l.Wait50, l.WaitMost = milliseconds(waits[len(waits)/2]), milliseconds(waits[len(waits)-1])
	}
	return err
}

// middleOverload is the round with the median of completed calls, with the worst that befell an alarm in any.
func middleOverload(rounds []overloadLine) overloadLine {
	sorted := slices.SortedFunc(slices.Values(rounds), func(a, b overloadLine) int { return a.Completed - b.Completed })
	m := sorted[len(sorted)/2]
	m.Alarms, m.Answered, m.Unheard = 0, 0, 0
	for _, r := range rounds {
		m.Alarms, m.Answered, m.Unheard = m.Alarms+r.Alarms, m.Answered+r.Answered, m.Unheard+r.Unheard
		m.Silent, m.WaitMost = max(m.Silent, r.Silent), max(m.WaitMost, r.WaitMost)
	}
	return m
}

// startAlarms has agents register who have the skill, and callers with an alarm call, until stop.
func startAlarms(ctx context.Context, server netip.AddrPort) (w *sim.World, stop func() error, err error) {
	engine, err := media.New(media.Options{Address: loopback, Ports: overloadPorts})
	if err != nil {
		return nil, nil, err
	}
	w, err = sim.New(sim.Options{ //nolint:contextcheck // Run has it
		Hotline: server, Engine: engine, PerMinute: overloadAlarms, Choices: []sim.Choice{{Number: "96119", Weight: 1}},
		Agents: overloadAgents(), Talk: overloadTalk, Pickup: overloadPickup, Patience: time.Minute,
	})
	if err != nil {
		return nil, nil, errors.Join(err, engine.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	return w, sync.OnceValue(func() error {
		cancel()
		return errors.Join(<-ended, engine.Close())
	}), nil
}

func overloadAgents() (agents []sim.Agent) {
	reference, err := config.Reference()
	if err != nil {
		return nil
	}
	for _, a := range reference.Agents {
		if a.Skills["gas-alarm"] > 0 {
			agents = append(agents, sim.Agent{ID: a.ID, Password: a.Password.Reveal()})
		}
	}
	return agents
}
