package forecast

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
	"time"
)

// Line is one line of a chart: a figure for each half hour in which there is one.
type Line struct {
	Name   string
	Counts *Counts
}

// The chart's measures, in the pixels of an SVG.
const (
	chartWidth, chartLeft, chartRight = 960.0, 64.0, 24.0
	panelTop, panelHeight, panelGap   = 116.0, 200.0, 84.0
	chartTicks                        = 4
)

// colours of lines, told apart by those who see no red or green too, and by the dash.
var colours = []struct{ stroke, dash string }{{"#0072b2", "none"}, {"#d55e00", "7 4"}}

// panel is one figure over the day.
type panel struct {
	title string
	// of is the figure of a half hour, ok whether there is one.
	of   func(t Tally) (v float64, ok bool)
	top  float64
	most float64 // of the scale
}

// Chart draws the mean wait and the service level by half hour, as an SVG. There are two lines at most.
func Chart(title, subtitle string, begin time.Time, lines ...Line) string {
	first, last := spanOf(lines)
	panels := []panel{
		{title: "mean wait, s", top: panelTop, of: func(t Tally) (float64, bool) { return t.MeanWait().Seconds(), t.Calls > 0 }},
		{title: "service level, %", top: panelTop + panelHeight + panelGap, most: 100, of: func(t Tally) (float64, bool) {
			share, ok := t.ServiceLevel()
			return 100 * share, ok
		}},
	}
	height := panelTop + 2*panelHeight + panelGap + 56
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" width="%g" height="%g" font-family="sans-serif" font-size="13" fill="#222">`+"\n",
		chartWidth, height, chartWidth, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#fff"/>`+"\n")
	text(&b, chartLeft, 28, "start", `font-size="18" font-weight="bold"`, title)
	text(&b, chartLeft, 48, "start", `fill="#555"`, subtitle)
	legend(&b, lines)
	for _, p := range panels {
		if p.most == 0 {
			p.most = scaleOf(p, lines)
		}
		p.draw(&b, begin, first, last, lines)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// spanOf is the first and the last half hour that any line has.
func spanOf(lines []Line) (first, last int) {
	first, last = math.MaxInt, math.MinInt
	for _, l := range lines {
		for half := range l.Counts.Halves {
			first, last = min(first, half), max(last, half)
		}
	}
	if first > last {
		return 0, 1
	}
	return first, max(last, first+1)
}

// scaleOf is a round number at or above all that a panel shows.
func scaleOf(p panel, lines []Line) float64 {
	top := 1.0
	for _, l := range lines {
		for _, t := range l.Counts.Halves {
			if v, ok := p.of(*t); ok {
				top = max(top, v)
			}
		}
	}
	unit := math.Pow(10, math.Floor(math.Log10(top)))
	for _, times := range []float64{1, 2, 4, 6, 8} {
		if top <= times*unit {
			return times * unit
		}
	}
	return 10 * unit
}

func legend(b *strings.Builder, lines []Line) {
	const each = 300.0
	for i, l := range lines {
		x := chartLeft + float64(i)*each
		fmt.Fprintf(b, `<line x1="%g" y1="66" x2="%g" y2="66" stroke="%s" stroke-width="2.5" stroke-dasharray="%s"/>`+"\n",
			x, x+36, colours[i].stroke, colours[i].dash)
		text(b, x+44, 70, "start", "", l.Name)
	}
}

func text(b *strings.Builder, x, y float64, anchor, more, s string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s" %s>%s</text>`+"\n", x, y, anchor, more, html.EscapeString(s))
}

func (p panel) y(v float64) float64 { return p.top + panelHeight*(1-v/p.most) }

func (p panel) draw(b *strings.Builder, begin time.Time, first, last int, lines []Line) {
	x := func(half int) float64 {
		return chartLeft + (chartWidth-chartLeft-chartRight)*(float64(half-first)+0.5)/float64(last-first+1)
	}
	text(b, chartLeft, p.top-10, "start", `font-weight="bold"`, p.title)
	for i := range chartTicks + 1 {
		v := p.most * float64(i) / chartTicks
		fmt.Fprintf(b, `<line x1="%g" y1="%.1f" x2="%g" y2="%.1f" stroke="#ddd"/>`+"\n", chartLeft, p.y(v), chartWidth-chartRight, p.y(v))
		text(b, chartLeft-8, p.y(v)+4, "end", "", fmt.Sprintf("%g", v))
	}
	const mostLabels = 14
	every := max(1, (last-first+mostLabels)/mostLabels)
	for half := first; half <= last; half += every {
		at := begin.Add(time.Duration(half) * HalfHour)
		text(b, x(half), p.top+panelHeight+18, "middle", "", at.Format("15:04"))
	}
	text(b, chartWidth-chartRight, p.top+panelHeight+36, "end", `fill="#555"`, "half hour in which the call came")
	for i, l := range lines {
		p.line(b, x, l, colours[i].stroke, colours[i].dash)
	}
}

// line draws one line, with a dot where there is a figure, and a gap where there is none.
func (p panel) line(b *strings.Builder, x func(int) float64, l Line, stroke, dash string) {
	var halves []int
	for half := range l.Counts.Halves {
		halves = append(halves, half)
	}
	slices.Sort(halves)
	path, before := "", 0
	for _, half := range halves {
		v, ok := p.of(*l.Counts.Halves[half])
		if !ok {
			continue
		}
		move := "L"
		if path == "" || half != before+1 {
			move = "M"
		}
		path += fmt.Sprintf("%s%.1f %.1f ", move, x(half), p.y(v))
		before = half
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x(half), p.y(v), stroke)
	}
	fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="2" stroke-dasharray="%s"/>`+"\n", strings.TrimSpace(path), stroke, dash)
}
