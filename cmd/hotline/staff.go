package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"hotline/acd/erlang"
	"hotline/acd/forecast"
)

// staffCmd says how many agents each half hour needs.
type staffCmd struct {
	dayFlags
	Arrivals  string        `type:"path" placeholder:"FILE" help:"In place of a day: CSV, each line a time (08:30, 08:30:59, or RFC 3339) and how many calls came then; without a number, one."`
	Queue     string        `help:"This queue's callers only; without it, all as one queue."`
	AHT       time.Duration `name:"aht" help:"How long a call keeps its agent, wrap-up included; without it, as on the day, or 150s."`
	Patience  time.Duration `help:"The mean patience of a caller; without it, as on the day (by greatest likelihood), or 2m."`
	Level     float64       `help:"The service level wanted, in per cent." default:"90"`
	Within    time.Duration `help:"The service level's time." default:"15s"`
	Shrinkage float64       `help:"The share of paid time, in per cent, in which agents are not at the phone." default:"0"`
}

// What holds where neither the person nor the day says.
const (
	usualTalk     = 150 * time.Second
	usualPatience = 2 * time.Minute
)

// Run implements the command.
func (s *staffCmd) Run(con *console) error {
	if err := s.check(); err != nil {
		return err
	}
	ctx, stop := con.untilSignal()
	defer stop()
	halves := map[int]int{}
	if s.Arrivals != "" {
		var err error
		if halves, err = readArrivals(s.Arrivals); err != nil {
			return err
		}
	} else {
		d, err := s.load(ctx)
		if err != nil {
			return con.problems(err)
		}
		for _, stay := range d.Stays {
			if s.Queue == "" || s.Queue == stay.Queue {
				halves[int(stay.At.Sub(d.begin)/forecast.HalfHour)]++
			}
		}
		s.fromDay(d)
	}
	if len(halves) == 0 {
		return errors.New("staff: no call came")
	}
	s.AHT, s.Patience = cmp.Or(s.AHT, usualTalk), cmp.Or(s.Patience, usualPatience)
	return s.print(con, halves)
}

func (s *staffCmd) check() error {
	switch {
	case (s.Arrivals == "") == (s.Day == ""):
		return errors.New("staff: either --arrivals or --day")
	case s.Arrivals != "" && s.Queue != "":
		return errors.New("staff: --arrivals has no queues; --queue goes with --day")
	case s.Level <= 0 || s.Level >= 100 || s.Within < 0:
		return errors.New("staff: --level is above 0 and below 100, --within is not below 0")
	case s.Shrinkage < 0 || s.Shrinkage >= 100:
		return errors.New("staff: --shrinkage is at least 0 and below 100")
	case s.AHT < 0 || s.Patience < 0:
		return errors.New("staff: --aht and --patience are above 0")
	}
	return nil
}

// fromDay takes what was not said from the day's talks and waits.
func (s *staffCmd) fromDay(d *day) {
	if talks := d.Talks(s.Queue); s.AHT == 0 && len(talks) > 0 {
		var sum time.Duration
		for _, t := range talks {
			sum += t
		}
		s.AHT = (sum/time.Duration(len(talks)) + d.wrapUp(s.Queue)).Round(time.Second)
	}
	if s.Patience == 0 {
		s.Patience = forecast.MeanPatience(d.Waits(s.Queue)).Round(time.Second)
	}
}

// wrapUp is a queue's, or the mean over the queues of the day, by their callers.
func (d *day) wrapUp(queue string) time.Duration {
	if queue != "" {
		return d.cfg.Queues[queue].WrapUp
	}
	var sum time.Duration
	for _, s := range d.Stays {
		sum += d.cfg.Queues[s.Queue].WrapUp
	}
	return sum / time.Duration(len(d.Stays))
}

// print writes a line for each half hour, from the first with a call to the last.
func (s *staffCmd) print(con *console, halves map[int]int) error {
	con.say("Agents for a service level of %g %% within %s; a call keeps its agent for %s,\n"+
		"patience %s on average, shrinkage %g %%. A line is the half hour from its time on.\n"+
		"Erlang A has callers give up; Erlang C (column \"by C\") has them wait for ever.\n"+
		"\"roster\" is Erlang A's number with the shrinkage.\n\n",
		s.Level, brief(s.Within), brief(s.AHT), brief(s.Patience), s.Shrinkage)
	con.say("%s\n", cells("from", 6, "calls", 6, "erlangs", 8, "agents", 7, "level", 8, "waits", 8, "mean", 8, "gives up", 9,
		"busy", 8, "by C", 5, "roster", 7))
	hours := 0.0
	in := slices.Sorted(maps.Keys(halves))
	for half := in[0]; half <= in[len(in)-1]; half++ {
		roster, err := s.line(con, half, halves[half])
		if err != nil {
			return err
		}
		hours += float64(roster) / 2
	}
	con.say("\n%g hours of agents on the roster.\n", hours)
	return nil
}

func (s *staffCmd) line(con *console, half, calls int) (roster int, err error) {
	from := time.Duration(half) * forecast.HalfHour
	label := clockOfDay(from)
	if calls == 0 {
		con.say("%s\n", cells(label, 6, 0, 6, "0.00", 8, 0, 7, "", 46, 0, 7))
		return 0, nil
	}
	a := erlang.System{Arrivals: float64(calls) / forecast.HalfHour.Seconds(), Talk: s.AHT.Seconds(), Patience: s.Patience.Seconds()}
	c := a
	c.Patience = 0
	var okA, okC bool
	within := s.Within.Seconds()
	a.Agents, okA = a.Needed(s.Level/100, within)
	c.Agents, okC = c.Needed(s.Level/100, within)
	if !okA || !okC {
		return 0, fmt.Errorf("staff: %d calls at %s are more than any number of agents can take", calls, label)
	}
	f := a.Figures()
	roster = int(math.Ceil(float64(a.Agents)/(1-s.Shrinkage/100) - 1e-9)) // 1e-9: what is whole stays whole
	con.say("%s\n", cells(label, 6, calls, 6, fmt.Sprintf("%.2f", a.Erlangs()), 8, a.Agents, 7, percentOf(a.ServiceLevel(within)), 8,
		percentOf(f.Waits), 8, fmt.Sprintf("%.1f s", f.MeanWait), 8, percentOf(f.Abandons), 9, percentOf(f.Occupancy), 8, c.Agents, 5, roster, 7))
	return roster, nil
}

func percentOf(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

// clockOfDay is a time since midnight: 08:30.
func clockOfDay(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60)
}
