package main

import (
	"fmt"
	"time"

	"hotline/acd/forecast"
)

// printLeft writes what of the day was not played again, or otherwise than it was, so that nobody believes more of the
// table than was played; also what there was none of.
func printLeft(con *console, p *forecast.Replay) {
	l := &p.Day.Left
	agents, talks := p.Strangers()
	con.say("\nNot played, or otherwise than it was:\n")
	for _, line := range []struct {
		count int
		what  string
	}{
		{l.Transferred, "calls transferred; who was sent to a queue or an agent comes anew then"},
		{l.Talks, fmt.Sprintf("talks after a transfer or with a number outside, %s: not played", brief(l.TalkTime.Round(time.Second)))},
		{l.Overflows, fmt.Sprintf("overflows; to another queue went %d, who come there then in any case", l.Onward)},
		{l.Callbacks, "callbacks asked for and not made: these callers go on waiting"},
		{l.CalledBack, "callers called back: they wait from when they first came"},
		{l.Cut, "waits cut short by a fault, a stop or the alarm's key: they go on"},
		{l.Rejoined, "callers back in their old places: they come last"},
		{l.Duty, "rings of duty numbers outside: nobody there is rung"},
		{l.Outside, fmt.Sprintf("calls made by agents, %s: the agents are free then", brief(l.OutsideTime.Round(time.Second)))},
		{l.Unqueued, "calls that came to no queue: not played"},
		{l.Open, "waits that had not ended: not played"},
		{talks, fmt.Sprintf("talks by %d agents configured no more: they have skills of level 1", agents)},
	} {
		con.say("%6d  %s\n", line.count, line.what)
	}
	con.say("Pauses of the day are not kept: agents are taken to be there from their first\n" +
		"offer or talk to their last, but for breaks of more than an hour.\n")
}
