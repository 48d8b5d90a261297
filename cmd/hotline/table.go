package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"hotline/call"
	"hotline/sim"
)

// table shows a hotline in a terminal, drawn anew every half second; where there is no terminal, one
// line every five.
type table struct {
	con    *console
	app    *app
	world  *sim.World
	folder string
	begun  time.Time
	lines  int // drawn last time
}

const (
	redrawEvery = 500 * time.Millisecond
	lineEvery   = 5 * time.Second
	callsShown  = 8
)

// run draws until a signal, the time given (0: for ever), or the end of the people.
func (t *table) run(d time.Duration, people <-chan error) error {
	every := redrawEvery
	if !isTerminal(t.con.out) {
		every = lineEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	var over <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		over = timer.C
	}
	t.draw()
	for {
		select {
		case <-tick.C:
			t.draw()
		case <-over:
			return t.bye()
		case <-t.con.signals:
			return t.bye()
		case err := <-t.app.failed:
			return err
		case err := <-people:
			return errors.Join(errors.New("the simulated people stopped"), err)
		}
	}
}

func (t *table) bye() error {
	t.draw()
	_, err := fmt.Fprintln(t.con.out, "stopping: everybody hangs up")
	return err
}

func (t *table) draw() {
	if !isTerminal(t.con.out) {
		t.line()
		return
	}
	var b strings.Builder
	if t.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", t.lines) // up to where the last drawing began
	}
	rows := t.rows()
	for _, row := range rows {
		b.WriteString("\x1b[2K" + row + "\n")
	}
	b.WriteString("\x1b[J")
	t.lines = len(rows)
	_, _ = io.WriteString(t.con.out, b.String()) // nobody to tell when the terminal is gone
}

// line is the whole hotline in one line, for where there is no terminal.
func (t *table) line() {
	var waiting int
	for _, q := range t.app.center.Queues() {
		waiting += q.Waiting
	}
	f := t.world.Figures()
	fmt.Fprintf(t.con.out, "%s  wall http://%s/  dialled %d  in progress %d  waiting %d  answered %d  %s\n",
		clock(time.Since(t.begun)), t.app.http.Addr(), f.Dialled, len(t.app.exchange.Live()), waiting, f.Answered, t.targets())
}

func (t *table) rows() []string {
	f := t.world.Figures()
	rows := []string{
		fmt.Sprintf("%s   %s   the wall: http://%s/   Ctrl-C stops", t.app.cfg.Service.Name,
			clock(time.Since(t.begun)), t.app.http.Addr()),
		fmt.Sprintf("data in %s; callers: dialled %d, answered %d, gave up %d, not let in %d",
			t.folder, f.Dialled, f.Answered, f.GaveUp, f.Refused),
		"",
		bold(cells("queue", 14, "waiting", 9, "longest", 9, "ringing", 9, "ready", 7, "serving", 8)),
	}
	queues := t.app.center.Queues()
	slices.SortFunc(queues, func(a, b call.QueueView) int { return b.Priority - a.Priority })
	for _, q := range queues {
		rows = append(rows, cells(q.Name, 14, q.Waiting, 9, clock(seconds(q.LongestWait)), 9, q.Offering, 9,
			q.AgentsReady, 7, q.AgentsServing, 8))
	}
	rows = append(rows, "", bold(cells("agent", 7, "name", 10, "state", 10, "for", 8, "calls", 6)))
	for _, g := range t.app.center.Agents() {
		rows = append(rows, cells(g.ID, 7, g.Name, 10, string(g.State), 10, clock(time.Since(g.Since)), 8, g.Calls, 6))
	}
	rows = append(rows, "", bold(cells("caller", 14, "stage", 8, "queue", 12, "agent", 7, "for", 8)))
	rows = append(rows, t.calls()...)
	return append(rows, "", t.targets())
}

func (t *table) calls() []string {
	live := t.app.exchange.Live()
	var rows []string
	for i, l := range live {
		if i == callsShown {
			rows = append(rows, fmt.Sprintf("... and %d more", len(live)-i))
			break
		}
		r := l.Record
		queue, agent := r.Queue, ""
		if l.At == call.Talk && len(r.Talks) > 0 {
			agent = r.Talks[len(r.Talks)-1].Agent
		}
		rows = append(rows, cells(call.Mask(r.From), 14, string(l.At), 8, queue, 12, agent, 7, clock(time.Since(r.Started)), 8))
	}
	for len(rows) < callsShown { // so that the table keeps its height
		rows = append(rows, "")
	}
	return rows
}

// targets are the two promises, from today's records.
func (t *table) targets() string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	sl := t.app.cfg.Targets.ServiceLevel.Within
	s, err := t.app.store.Summary(ctx, t.begun, sl)
	if err != nil {
		return "the promises: " + err.Error()
	}
	c := t.app.cfg.Targets
	return fmt.Sprintf("answered within %d rings: %s   solved within %s: %s", c.AnswerRings,
		share(s.RingsMet, s.RingsMissed), c.Talk, share(s.TalkMet, s.TalkMissed))
}

func share(met, missed int) string {
	if met+missed == 0 {
		return "no call yet"
	}
	return fmt.Sprintf("%.0f %% (%d of %d)", 100*float64(met)/float64(met+missed), met, met+missed)
}

// cells lays values out in columns of the widths that follow them, as wide as a terminal shows them: a
// Chinese character takes two places.
func cells(pairs ...any) string {
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		width, _ := pairs[i+1].(int)
		text := runewidth.Truncate(fmt.Sprint(pairs[i]), width-1, "…")
		b.WriteString(runewidth.FillRight(text, width))
	}
	return strings.TrimRight(b.String(), " ")
}

func bold(s string) string { return "\x1b[1m" + s + "\x1b[0m" }

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// clock is a time as a wall clock shows it: 1:02:03 or 02:03.
func clock(d time.Duration) string {
	s := int(max(d, 0).Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%02d:%02d", s/60, s%60)
}
