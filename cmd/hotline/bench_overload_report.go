package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"math"
	"strings"
)

const (
	// overloadWanted is how much of what it completes at its limit a hotline is to complete at up to twice that.
	overloadWanted, overloadTwice = 0.95, 2.0
	// overloadSetup is what the set-ups of 99 of 100 callers let in are to stay below beyond the limit, in milliseconds: T1. Whose
	// INVITE has waited for so long sends it again (RFC 3261 section 17.1.1.2), so that the load would grow by being late.
	overloadSetup = 500.0
	// overloadAudio is what share of their audio those let in are to be sent. A load at which they are not is none that is carried,
	// and what is completed at it is no yardstick.
	overloadAudio = 0.95
	// overloadOrder is how many of those who cannot have an alarm may be let in, for each of those who may: where these are turned
	// away, the others are to be before them.
	overloadOrder = 0.25
	// overloadRing is within what each alarm is to be answered by an agent, who picks up after overloadPickup, in milliseconds: a
	// ring, of the three that are promised.
	overloadRing = 5000.0
)

// errOverload is that not all that is wanted was kept; what wraps it says what.
var errOverload = errors.New("bench overload: not kept")

// overloadReport prints what a bench of overload found, as it finds it.
type overloadReport struct {
	con   *console
	json  bool
	limit overloadLine // what came of the highest rate that is carried; without calls when that rate was given
	err   error
	lines []overloadLine
}

func (r *overloadReport) head() {
	if r.json {
		return
	}
	found := fmt.Sprintf("of which %.0f %% is completed, with its audio,\nfound to within a tenth by rates that are and such that are not (each tried twice)", 100*overloadCarried)
	if r.limit.Offered == 0 {
		found = "that is taken for what it carries"
	}
	r.con.say("Calls to the menu of the reference (seven of ten) and to one that leads to no alarm, over UDP on loopback; beside\n"+
		"them alarms, which agents answer. Each load is a process of its own, on cores of its own where there are others\n"+
		"(Linux), which has as many calls before any counts. The limit (load 1) is %.0f calls/s: the highest rate %s.\n"+
		"\"short\" were asked for an alarm alone; they count as completed nowhere. \"in\" is the share that was let in to all it wants. \"audio\" is the share of the\n"+
		"packets that those let in should have heard, and were sent. Of each load the round in the middle is shown, of\n"+
		"the alarms all rounds.\n\n%s\n", r.limit.PerSecond, found, cells(
		"load", 6, "offered/s", 10, "done/s", 8, "short", 7, "486 menu", 9, "486 rest", 9, "in menu", 8, "in rest", 8, "silent", 7, "p50 ms", 8, "p99 ms", 8,
		"audio", 6, "CPU", 6, "alarms", 7, "heard", 6, "p50 ms", 8, "most ms", 8))
}

func (r *overloadReport) add(l overloadLine) {
	r.lines = append(r.lines, l)
	if r.json {
		text, err := json.Marshal(l)
		if err != nil {
			r.err = fmt.Errorf("write figures: %w", err)
			return
		}
		r.con.say("%s\n", text)
		return
	}
	r.con.say("%s\n", cells(
		l.Load, 6, fmt.Sprintf("%.0f", l.PerSecond), 10, fmt.Sprintf("%.0f", l.Rate), 8, l.Short, 7, l.Menu, 9, l.Rest, 9,
		fmt.Sprintf("%.2f", l.MenuIn), 8, fmt.Sprintf("%.2f", l.RestIn), 8, l.Silent, 7, fmt.Sprintf("%.1f", l.P50), 8, fmt.Sprintf("%.1f", l.P99), 8, fmt.Sprintf("%.2f", l.Audio), 6, fmt.Sprintf("%.2f", l.CPU), 6, l.Alarms, 7,
		l.Answered, 6, fmt.Sprintf("%.0f", l.Wait50), 8, fmt.Sprintf("%.0f", l.WaitMost), 8))
}

// overloadVerdict is what is held against what is wanted.
type overloadVerdict struct {
	most  float64 // calls completed a second, at whatever load that was: the yardstick
	least float64 // of that, the share that is completed at the worst load beyond the limit, up to twice it
	after float64 // at the worst beyond that; +Inf without any
	setup float64 // the longest p99 beyond the limit, in milliseconds
	audio float64 // the least share of audio beyond the limit
	order float64 // the most of those who cannot have an alarm for each who may, where these are turned away
	wait  float64 // the longest that an alarm waited for an agent, in milliseconds

	alarms, refused, lost int
}

// judge has the yardstick from all lines and from where the limit was found: a hotline that does worse at its limit than it
// can is not to be held against that.
func (r *overloadReport) judge() (v overloadVerdict) {
	v.most = r.limit.Rate
	for _, l := range r.lines {
		if l.Audio >= overloadAudio {
			v.most = max(v.most, l.Rate)
		}
		v.alarms, v.refused, v.lost, v.wait = v.alarms+l.Alarms, v.refused+l.Unheard, v.lost+l.Lost, max(v.wait, l.WaitMost)
	}
	v.least, v.after, v.audio = math.Inf(1), math.Inf(1), math.Inf(1)
	for _, l := range r.lines {
		if l.Load <= 1 {
			continue
		}
		if l.MenuIn < overloadCarried {
			v.order = max(v.order, l.RestIn/max(0.01, l.MenuIn))
		}
		share := l.Rate / max(1, v.most)
		if l.Load > overloadTwice {
			v.after = min(v.after, share)
		} else {
			v.least = min(v.least, share)
		}
		v.setup, v.audio = max(v.setup, l.P99), min(v.audio, l.Audio)
	}
	return v
}

// foot says what is wanted, and whether it was kept; error: errOverload, when it was not.
func (r *overloadReport) foot() error {
	v := r.judge()
	completed, setup, audio := v.least >= overloadWanted, v.setup < overloadSetup, v.audio >= overloadAudio
	alarms := v.alarms > 0 && v.refused == 0 && v.lost == 0
	order, wait := v.order <= overloadOrder, v.wait <= overloadRing
	if !r.json {
		after := ""
		if !math.IsInf(v.after, 1) {
			after = fmt.Sprintf(" Beyond that: %.0f %%.", 100*v.after)
		}
		r.con.say("\nThe yardstick is the most that is completed at any load of this table, with its audio, or where the limit was found: %.0f calls/s.\n"+
			"At up to twice the limit at least %.0f %% of it is completed. Wanted: %.0f %%: %s.%s\n"+
			"Of those let in beyond the limit, 99 of 100 are answered within %.0f ms. Wanted: less than %.0f ms, when an INVITE is sent again: %s.\n"+
			"They are sent at least %.0f %% of their audio. Wanted: %.0f %%: %s.\n"+
			"Where numbers that can lead to an alarm are turned away, of those that cannot at most %.2f are let in for each of them. Wanted: %.2f: %s.\n"+
			"Alarms: %d dialled, %d refused, %d let in and not answered. Wanted: all answered: %s.\n"+
			"None of them waited for more than %.1f s. Wanted: a ring, %.0f s: %s.\n",
			v.most, 100*v.least, 100*overloadWanted, verdictOf(completed), after, v.setup, overloadSetup, verdictOf(setup),
			100*v.audio, 100*overloadAudio, verdictOf(audio), v.order, overloadOrder, verdictOf(order),
			v.alarms, v.refused, v.lost, verdictOf(alarms), v.wait/1000, overloadRing/1000, verdictOf(wait))
	}
	var failed []string
	for _, w := range []struct {
		kept bool
		what string
	}{
		{completed, "calls completed beyond the limit"},
		{setup, "set-up times of those let in"},
		{audio, "their audio"},
		{order, "the order of refusing"},
		{alarms, "alarms answered"},
		{wait, "how long alarms waited"},
	} {
		if !w.kept {
			failed = append(failed, w.what)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", errOverload, strings.Join(failed, ", "))
}

// The drawing's measures, in pixels.
const (
	drawWide, drawHigh   = 760, 300
	drawLeft, drawTop    = 70, 40
	drawRight, drawBelow = 150, 50
)

// curve is one line of a drawing.
type curve struct {
	name, colour string
	of           func(l overloadLine) float64
}

// overloadSVG draws the figures: above what became of the calls, below the times.
func overloadSVG(limit float64, lines []overloadLine) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n",
		drawWide, 2*drawHigh)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", drawWide, 2*drawHigh)
	perSecond := func(count func(l overloadLine) int) func(l overloadLine) float64 {
		return func(l overloadLine) float64 { return float64(count(l)) * l.PerSecond / float64(max(1, l.Offered)) }
	}
	drawOverload(&b, 0, fmt.Sprintf("calls per second, by offered load (1 = %.0f/s)", limit), lines, []curve{
		{"offered", "#999999", func(l overloadLine) float64 { return l.PerSecond }},
		{"completed", "#1a7f37", func(l overloadLine) float64 { return l.Rate }},
		{"refused", "#cf222e", perSecond(func(l overloadLine) int { return l.Menu + l.Rest })},
		{"short menu", "#bf8700", perSecond(func(l overloadLine) int { return l.Short })},
	})
	drawOverload(&b, drawHigh, "milliseconds", lines, []curve{
		{"set-up, p50", "#54aeff", func(l overloadLine) float64 { return l.P50 }},
		{"set-up, p99", "#0550ae", func(l overloadLine) float64 { return l.P99 }},
		{"alarm to agent, p50", "#8250df", func(l overloadLine) float64 { return l.Wait50 }},
		{"alarm to agent, most", "#bf3989", func(l overloadLine) float64 { return l.WaitMost }},
	})
	b.WriteString("</svg>\n")
	return b.String()
}

func drawOverload(b *strings.Builder, top int, title string, lines []overloadLine, curves []curve) {
	mostX, mostY := 1.0, 1.0
	for _, l := range lines {
		mostX = max(mostX, l.Load)
		for _, c := range curves {
			mostY = max(mostY, c.of(l))
		}
	}
	wide, high := float64(drawWide-drawLeft-drawRight), float64(drawHigh-drawTop-drawBelow)
	x := func(load float64) float64 { return drawLeft + wide*load/mostX }
	y := func(v float64) float64 { return float64(top+drawTop) + high*(1-v/mostY) }
	fmt.Fprintf(b, `<text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", drawLeft, top+drawTop/2, html.EscapeString(title))
	const marks = 4
	for i := range marks + 1 {
		v := mostY * float64(i) / marks
		fmt.Fprintf(b, `<path d="M%d %.1fh%.1f" stroke="#dddddd"/><text x="%d" y="%.1f" text-anchor="end">%.0f</text>`+"\n",
			drawLeft, y(v), wide, drawLeft-8, y(v)+4, v)
	}
	for _, l := range lines {
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%g</text>`+"\n", x(l.Load), top+drawHigh-drawBelow+18, l.Load)
	}
	for i, c := range curves {
		var points []string
		for _, l := range lines {
			points = append(points, fmt.Sprintf("%.1f,%.1f", x(l.Load), y(c.of(l))))
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x(l.Load), y(c.of(l)), c.colour)
		}
		fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(points, " "), c.colour)
		const step = 20
		fmt.Fprintf(b, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", drawWide-drawRight+12, top+drawTop+step*i+8, c.colour, html.EscapeString(c.name))
	}
}
