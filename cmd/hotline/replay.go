package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"hotline/acd"
	"hotline/acd/forecast"
	"hotline/config"
)

// replayCmd shows a day as it would have been.
type replayCmd struct {
	dayFlags
	Strategy string `help:"The strategy of every queue; without it, as configured."`
	Queue    string `help:"Only this queue gets the strategy."`
	Agents   string `help:"+2 for two more agents than were there, with every skill; or the ids of those who are there, all day long: 8001,8002."`
	SVG      string `name:"svg" type:"path" placeholder:"FILE" help:"Draw the wait and the service level by half hour into this file."`
	Seed     uint64 `help:"For the same draws again." default:"1"`
}

// Help tells what is drawn and what is not; kong shows it with --help.
func (*replayCmd) Help() string {
	return "The callers of the day come again when they came, and the queues' own code serves them. Who gave up then is as patient " +
		"as that and no more; for who was answered, a patience beyond that wait is drawn by the estimate of Kaplan and Meier over " +
		"the queue's waits (past the longest, exponential). Talks last as long as they did; for who was not answered, one is drawn " +
		"from the queue's. Whether and how soon a phone answers is drawn from what it did that day. Agents are there from their " +
		"first offer or talk to the last, but for breaks of more than an hour. Pauses, outside calls and transfers by agents are " +
		"not played again: the row \"the same\" shows how far the simulation is from the day, and below the table stands how " +
		"much of the day was left out."
}

// Run implements the command.
func (r *replayCmd) Run(con *console) error {
	if r.Day == "" {
		return errors.New("replay: --day says which day")
	}
	if r.Strategy != "" && !slices.Contains(config.Strategies, config.Strategy(r.Strategy)) {
		return fmt.Errorf("replay: unknown strategy %q; want one of %s", r.Strategy, strings.Trim(fmt.Sprint(config.Strategies), "[]"))
	}
	ctx, stop := con.untilSignal()
	defer stop()
	d, err := r.load(ctx)
	if err != nil {
		return con.problems(err)
	}
	promised := forecast.Targets{Rings: d.cfg.Targets.AnswerRings, Within: d.cfg.Targets.ServiceLevel.Within}
	same := forecast.Replay{Day: d.Day, Desk: deskOptions(d.cfg), Begin: d.begin, Targets: promised, Seed: r.Seed}
	addQueues(&same)
	other := same
	if err := r.change(&other); err != nil {
		return err
	}
	was := same.Recorded()
	again, err := same.Run(ctx)
	if err != nil {
		return fmt.Errorf("replay the day: %w", err)
	}
	would, err := other.Run(ctx)
	if err != nil {
		return fmt.Errorf("replay the day by another rule: %w", err)
	}
	con.say("%s: %d callers, promised within %d rings; service level within %s.\n"+
		"\"wait\" is the mean, \"left\" are those who gave up. Seed %d.\n\n", d.begin.Format(time.DateOnly),
		was.All.Calls, promised.Rings, brief(promised.Within), r.Seed)
	printReplay(con, []forecast.Line{{Name: "as it was", Counts: was}, {Name: "the same", Counts: again}, {Name: r.name(), Counts: would}})
	printLeft(con, &same)
	if r.SVG == "" {
		return nil
	}
	chart := forecast.Chart(d.cfg.Service.Name+", "+d.begin.Format(time.DateOnly), "the day as recorded, and as it would have been: "+r.name(),
		d.begin, forecast.Line{Name: "as it was", Counts: was}, forecast.Line{Name: r.name(), Counts: would})
	if err := os.WriteFile(r.SVG, []byte(chart), 0o644); err != nil { //nolint:gosec // figures, for others to see
		return fmt.Errorf("write the chart: %w", err)
	}
	con.say("\n%s is drawn.\n", r.SVG)
	return nil
}

// name is the rule that is tried, in a word or two: the strategy, and how many agents.
func (r *replayCmd) name() string {
	name := cmp.Or(r.Strategy, "as configured")
	switch {
	case strings.HasPrefix(r.Agents, "+"):
		name += ", " + r.Agents
	case r.Agents != "":
		name += fmt.Sprintf(", only %d", strings.Count(r.Agents, ",")+1)
	}
	return name
}

// addQueues adds the queues that were there that day and are configured no more, with a queue's defaults.
func addQueues(p *forecast.Replay) {
	for _, s := range p.Day.Stays {
		if !slices.ContainsFunc(p.Desk.Queues, func(q acd.Queue) bool { return q.Name == s.Queue }) {
			p.Desk.Queues = append(p.Desk.Queues, acd.Queue{Name: s.Queue})
		}
	}
}

// change makes the day the one that is asked for.
func (r *replayCmd) change(p *forecast.Replay) error {
	p.Desk.Queues = slices.Clone(p.Desk.Queues)
	found := r.Queue == ""
	for i := range p.Desk.Queues {
		q := &p.Desk.Queues[i]
		if r.Queue == "" || r.Queue == q.Name {
			q.Strategy = cmp.Or(r.Strategy, q.Strategy)
			found = true
		}
	}
	if !found {
		return fmt.Errorf("replay: there is no queue %s", r.Queue)
	}
	shifts := p.Day.Shifts()
	if r.Agents == "" || len(shifts) == 0 {
		return nil
	}
	from, to := shifts[0].From, shifts[0].To
	for _, s := range shifts {
		if s.To.After(to) {
			to = s.To
		}
	}
	if more, ok := strings.CutPrefix(r.Agents, "+"); ok {
		return addAgents(p, more, shifts, forecast.Shift{From: from, To: to})
	}
	p.Shifts = nil
	for id := range strings.SplitSeq(r.Agents, ",") {
		known := func(a acd.Agent) bool { return a.ID == id }
		if !slices.ContainsFunc(p.Desk.Agents, known) && len(p.Day.Queues(id)) == 0 {
			return fmt.Errorf("replay: agent %q is neither configured nor among the day's", id)
		}
		p.Shifts = append(p.Shifts, forecast.Shift{Agent: id, From: from, To: to})
	}
	return nil
}

// mostAdded bounds --agents +N.
const mostAdded = 1000

// addAgents adds agents with every skill, who are there for as long as anybody was.
func addAgents(p *forecast.Replay, more string, shifts []forecast.Shift, span forecast.Shift) error {
	n, err := strconv.Atoi(more)
	if err != nil || n < 0 || n > mostAdded {
		return fmt.Errorf("replay: --agents +%s: a number from 0 to %d", more, mostAdded)
	}
	skills := map[string]int{}
	for _, q := range p.Desk.Queues {
		skills[q.Name] = 1
	}
	p.Desk.Agents, p.Shifts = slices.Clone(p.Desk.Agents), slices.Clone(shifts)
	for i := range n {
		id := fmt.Sprintf("more-%d", i+1)
		p.Desk.Agents = append(p.Desk.Agents, acd.Agent{ID: id, Skills: skills})
		p.Shifts = append(p.Shifts, forecast.Shift{Agent: id, From: span.From, To: span.To})
	}
	return nil
}

// printReplay writes, for each queue and for all, a row for each way the day was or would have been: 80 columns, so the
// queue has a line of its own.
func printReplay(con *console, ways []forecast.Line) {
	con.say("%s\n", cells("queue", 26, "calls", 7, "answered", 9, "in rings", 9, "level", 8, "wait", 7, "longest", 8, "left", 6))
	queues := slices.Sorted(maps.Keys(ways[0].Counts.Queues))
	for _, name := range append(queues, "") {
		con.say("%s\n", cells(cmp.Or(name, "all"), 80))
		for _, way := range ways {
			t := &way.Counts.All
			if name != "" {
				t = cmp.Or(way.Counts.Queues[name], &forecast.Tally{})
			}
			level := "-"
			if share, ok := t.ServiceLevel(); ok {
				level = percentOf(share)
			}
			con.say("%s\n", cells("  "+way.Name, 26, t.Calls, 7, t.Answered, 9, t.InRings, 9, level, 8,
				fmt.Sprintf("%.1f s", t.MeanWait().Seconds()), 7, fmt.Sprintf("%.0f s", t.Longest.Seconds()), 8, t.GaveUp, 6))
		}
	}
}
