package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"hotline/sim"
)

// benchOverloadCmd offers the whole hotline more than it can carry: first it finds what it can, by rates that it carries and
// such that it does not; then it offers shares of that, each to a process of its own. Callers hang up a while after they are
// answered, whatever they hear: the longer that is, the less a refusal costs beside a call; people's last for minutes. Beside
// them are alarms, which agents answer.
type benchOverloadCmd struct {
	Loads  []float64     `help:"Offered load, in times the limit; one at least is above 1 and at most 2." default:"0.5,1,1.5,2,3"`
	For    time.Duration `help:"How long calls that count begin, at each load." default:"8s"`
	Hold   time.Duration `help:"How long a call lasts. Calls begin for one and a half times that before they count." default:"5s"`
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

// Run implements the command.
func (b *benchOverloadCmd) Run(con *console) error {
	if b.For <= 0 || b.Hold <= 0 || b.Rounds <= 0 || b.Cores < 0 || b.Limit < 0 {
		return errors.New("bench overload: --for, --hold and --rounds must be above 0, --cores and --limit not below")
	}
	if !slices.ContainsFunc(b.Loads, func(l float64) bool { return l > 1 && l <= overloadTwice }) || slices.Min(b.Loads) <= 0 {
		return errors.New("bench overload: --loads are above 0, and one at least is above 1 and at most 2")
	}
	b.Cores = b.cores() // now: later they are fewer, see apart
	ctx, stop := con.untilSignal()
	defer stop()
	limit := overloadLine{Load: 1, PerSecond: b.Limit}
	if b.Limit == 0 {
		var err error
		if limit, err = findLimit(func(rate float64) (overloadLine, error) { return b.round(ctx, rate) }); err != nil {
			return fmt.Errorf("bench overload: find the limit: %w", err)
		}
	}
	report := &overloadReport{con: con, json: b.JSON, limit: limit}
	report.head()
	rounds := make([][]overloadLine, len(b.Loads))
	for range b.Rounds { // in turns: what else the machine does hits all alike
		for i, load := range b.Loads {
			line, err := b.round(ctx, load*limit.PerSecond)
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
	kept := report.foot()
	if report.err != nil {
		return report.err
	}
	if b.SVG != "" {
		if err := os.WriteFile(b.SVG, []byte(overloadSVG(limit.PerSecond, report.lines)), 0o644); err != nil { //nolint:gosec // to be looked at
			return fmt.Errorf("bench overload: draw: %w", err)
		}
	}
	return kept
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
	MenuIn    float64 `json:"let_in_menu"` // to all they want: the share of those who called, by class
	RestIn    float64 `json:"let_in_rest"`
	Silent    int     `json:"silent"`
	P50       float64 `json:"invite_to_200_p50_ms"`
	P99       float64 `json:"invite_to_200_p99_ms"`
	Audio     float64 `json:"audio_share"` // sent of what those let in should hear, in the whole round
	CPU       float64 `json:"cpu_share"`   // of the cores the server may use

	Alarms   int     `json:"alarms"`
	Answered int     `json:"alarms_answered"`
	Unheard  int     `json:"alarms_refused"`
	Lost     int     `json:"alarms_lost"` // let in, and not answered
	Wait50   float64 `json:"alarm_wait_p50_ms"`
	WaitMost float64 `json:"alarm_wait_most_ms"`
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
	letIn := func(number string, asked int) float64 {
		all := 0
		for _, many := range f.Statuses[number] {
			all += many
		}
		return float64(f.Statuses[number][200]-asked) / float64(max(1, all))
	}
	takes := f.Took.Seconds()
	return overloadLine{
		PerSecond: float64(f.Offered) / takes, Offered: f.Offered, Completed: full, Rate: float64(full) / takes, Short: short,
		Menu: refused(benchNumber), Rest: refused(overloadPlain), Silent: f.Silent,
		MenuIn: letIn(benchNumber, short), RestIn: letIn(overloadPlain, 0),
		P50: milliseconds(f.Quantile(0.5)), P99: milliseconds(f.Quantile(0.99)),
	}
}

// of adds what became of the alarms, of which none is under way any more.
func (l *overloadLine) of(f sim.Figures, waits []time.Duration) {
	slices.Sort(waits)
	l.Alarms, l.Answered, l.Unheard = int(f.Dialled), int(f.Answered), int(f.Refused)
	l.Lost = l.Alarms - l.Answered - l.Unheard
	if len(waits) > 0 {
		l.Wait50, l.WaitMost = milliseconds(waits[len(waits)/2]), milliseconds(waits[len(waits)-1])
	}
}

// middleOverload is the round with the median of completed calls, with the worst that befell an alarm in any.
func middleOverload(rounds []overloadLine) overloadLine {
	sorted := slices.SortedFunc(slices.Values(rounds), func(a, b overloadLine) int { return a.Completed - b.Completed })
	m := sorted[len(sorted)/2]
	m.Alarms, m.Answered, m.Unheard, m.Lost = 0, 0, 0, 0
	for _, r := range rounds {
		m.Alarms, m.Answered, m.Unheard, m.Lost = m.Alarms+r.Alarms, m.Answered+r.Answered, m.Unheard+r.Unheard, m.Lost+r.Lost
		m.Silent, m.WaitMost = max(m.Silent, r.Silent), max(m.WaitMost, r.WaitMost)
	}
	return m
}
