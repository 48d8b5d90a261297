package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hotline/call"
	"hotline/sim"
)

// table shows a hotline in a terminal, drawn anew every half second; where there is no terminal, one
// line every two.
type table struct {
	con    *console
	app    *app
	world  *sim.World
	begun  time.Time
	screen screen
}

const (
	redrawEvery = 500 * time.Millisecond
	lineEvery   = 2 * time.Second
	// callsShown bounds the calls listed; a low terminal has fewer.
	callsShown = 8
	fewCalls   = 3
)

// errPeopleGone: the simulated people stopped by themselves.
var errPeopleGone = errors.New("the simulated people stopped")

// run draws until a signal, the time given (0: for ever), or until the people are gone.
func (t *table) run(d time.Duration, gone <-chan struct{}) error {
	every, draw := lineEvery, t.line
	if isTerminal(t.con.out) {
		t.screen.w = t.con.out
		every, draw = redrawEvery, func() { t.screen.draw(t.rows()) }
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	var over <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		over = timer.C
	}
	for {
		draw()
		select {
		case <-tick.C:
			continue
		case <-over:
		case <-t.con.signals:
		case <-t.con.hangups: // its terminal is gone
		case err := <-t.app.failed:
			return err
		case <-gone:
			return errPeopleGone
		}
		draw()
		t.con.say("stopping: everybody hangs up\n")
		return nil
	}
}

// line is the whole hotline in one line, for where there is no terminal.
func (t *table) line() {
	var waiting int
	queues, _ := t.app.center.Queues() // a fault is in the log
	for _, q := range queues {
		waiting += q.Waiting
	}
	f := t.world.Figures()
	t.con.say("%s  wall http://%s/  dialled %d  in progress %d  waiting %d  answered %d  %s\n",
		clock(time.Since(t.begun)), t.app.http.Addr(), f.Dialled, len(t.app.exchange.Live()), waiting, f.Answered, t.targets())
}

// rows are the screen: what it is, the two promises, queues, agents, calls.
func (t *table) rows() []row {
	f := t.world.Figures()
	rows := []row{
		{text: fmt.Sprintf("%s   %s   the wall: http://%s/   Ctrl-C stops", t.app.cfg.Service.Name,
			clock(time.Since(t.begun)), t.app.http.Addr())},
		{text: fmt.Sprintf("callers: %d dialled, %d answered, %d gave up, %d not let in",
			f.Dialled, f.Answered, f.GaveUp, f.Refused)},
		{text: t.targets(), head: true},
		{},
		{text: cells("queue", 14, "waiting", 9, "longest", 9, "ringing", 9, "ready", 7, "serving", 8), head: true},
	}
	queues, _ := t.app.center.Queues() // a fault is in the log
	slices.SortStableFunc(queues, func(a, b call.QueueView) int { return b.Priority - a.Priority })
	for _, q := range queues {
		rows = append(rows, row{text: cells(q.Name, 14, q.Waiting, 9, clock(seconds(q.LongestWait)), 9,
			q.Offering, 9, q.AgentsReady, 7, q.AgentsServing, 8)})
	}
	rows = append(rows, row{}, row{text: cells("agent", 7, "name", 10, "state", 10, "for", 8, "calls", 6), head: true})
	agents, _ := t.app.center.Agents()
	for _, g := range agents {
		rows = append(rows, row{text: cells(g.ID, 7, g.Name, 10, g.State, 10, clock(time.Since(g.Since)), 8, g.Calls, 6)})
	}
	rows = append(rows, row{}, row{text: cells("caller", 14, "stage", 8, "queue", 12, "agent", 7, "for", 8), head: true})
	_, height := t.screen.size()
	room := min(max(height-len(rows)-1, fewCalls), callsShown)
	return append(rows, callRows(t.app.exchange.Live(), room, time.Now())...)
}

// callRows are at most n lines of calls, the oldest first.
func callRows(live []call.Live, n int, now time.Time) []row {
	var rows []row
	for i, l := range live {
		if i == n-1 && len(live) > n {
			return append(rows, row{text: fmt.Sprintf("... and %d more", len(live)-i)})
		}
		r := l.Record
		agent := ""
		if l.At == call.Talk && len(r.Talks) > 0 {
			agent = r.Talks[len(r.Talks)-1].Agent
		}
		rows = append(rows, row{text: cells(call.Mask(r.From), 14, l.At, 8, r.Queue, 12, agent, 7, clock(now.Sub(r.Started)), 8)})
	}
	return rows
}

// targets are the two promises, from the records since the demo began.
func (t *table) targets() string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c := t.app.cfg.Targets
	all, err := t.app.store.Summaries(ctx, t.begun, c.ServiceLevel.Within)
	if err != nil {
		return "the promises: " + err.Error()
	}
	s := all.Total()
	return fmt.Sprintf("answered within %d rings: %s   solved within %s: %s", c.AnswerRings,
		share(s.RingsMet, s.RingsMissed), brief(c.Talk), share(s.TalkMet, s.TalkMissed))
}

func share(met, missed int) string {
	if met+missed == 0 {
		return "no call yet"
	}
	return fmt.Sprintf("%.0f %% (%d of %d)", 100*float64(met)/float64(met+missed), met, met+missed)
}

// brief writes a time without units that are naught: 3m rather than 3m0s.
func brief(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
