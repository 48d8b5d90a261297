package main

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
)

// The drawing's measures, in user units (pixels).
const (
	boxWidth  = 200
	boxHeight = 52
	between   = 190 // columns: room for the keys and for ways that turn
	above     = 26  // between boxes of a column
	passing   = 14  // the height of a way that passes a column
	portStep  = 20  // between ways out of a box: a line of text
	margin    = 30
	letter    = 13 // the size of type
)

// colours are the fill and the frame of each class of box.
var colours = map[string][2]string{
	"number": {"#f3f4f6", "#4b5563"}, "menu": {"#fff7e6", "#b45309"}, "queue": {"#e6f0ff", "#1d4ed8"},
	"dial": {"#e9f9ef", "#15803d"}, "end": {"#f3f4f6", "#9ca3af"},
}

const (
	badFill, badFrame = "#fee2e2", "#dc2626"
	ink               = "#374151"
)

// drawMenus draws the graph as SVG 1.1: columns from left to right, what is pressed beside the ways, what is taken
// in silence dashed, what is wrong red.
func drawMenus(s *sketched) string {
	columns := s.layers()
	s.untangle(columns)
	bottom := s.placeAll(columns)
	back := 0
	for _, w := range s.lines {
		if w.back && w.from != w.to {
			back++
		}
	}
	width := 2*margin + len(columns)*boxWidth + max(0, len(columns)-1)*between + between/2
	height := bottom + (back+1)*portStep + 2*margin
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" version="1.1" width="%d" height="%d" viewBox="0 0 %d %d" font-family="'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif" font-size="%d">
<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="%s"/></marker></defs>
<rect width="%d" height="%d" fill="#ffffff"/>
`, width, height, width, height, letter, ink, width, height)
	lane := 0
	for _, w := range s.lines {
		if w.back && w.from != w.to {
			lane++
		}
		w.draw(&b, bottom+lane*portStep, lane)
	}
	for _, x := range s.boxes {
		x.draw(&b)
	}
	for _, w := range s.lines { // last, so that no way runs through a word
		w.drawLabel(&b)
	}
	if s.note != "" {
		fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\" fill=\"%s\">%s</text>\n", margin, height-margin/2, ink, escaped(s.note))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// placeAll gives every box its place, and returns where the lowest ends.
func (s *sketched) placeAll(columns [][]*box) (bottom int) {
	heights := make([]int, len(columns))
	for i, column := range columns {
		for _, x := range column {
			x.h = passing
			if x.id != "" {
				x.h = max(boxHeight, portStep*len(x.out)+8)
			}
			heights[i] += x.h + above
		}
	}
	tallest := slices.Max(append(heights, 0))
	for i, column := range columns {
		y := margin + (tallest-heights[i])/2
		for _, x := range column {
			x.x, x.y = margin+i*(boxWidth+between), y
			y += x.h + above
		}
		for _, x := range column {
			slices.SortStableFunc(x.out, func(a, b *wire) int { return a.next().row - b.next().row })
		}
	}
	return margin + tallest
}

// next is the place in the next column that a way leads to.
func (w *wire) next() *box {
	if len(w.via) > 0 {
		return w.via[0]
	}
	return w.to
}

// port is where a way leaves its box.
func (w *wire) port() (x, y int) {
	i := slices.Index(w.from.out, w)
	return w.from.x + boxWidth, w.from.y + w.from.h/2 + (2*i-len(w.from.out)+1)*portStep/2
}

// label is what leads along the way; one that leads back to its own box says so.
func (w *wire) label() string {
	label := strings.Trim(strings.Join(w.labels, " "), " ")
	if w.from == w.to {
		label += " ↺"
	}
	return label
}

// draw draws a way; those back pass below all boxes, each in a lane of its own.
func (w *wire) draw(b *strings.Builder, below, lane int) {
	x, y := w.port()
	if w.from == w.to {
		return // its label says it
	}
	var path strings.Builder
	if w.back {
		right, left := x+between/2+5*lane%(between/3), w.to.x-12-5*lane%(between/3)
		fmt.Fprintf(&path, "M%d,%d H%d V%d H%d V%d H%d", x, y, right, below, left, w.to.y+w.to.h-8, w.to.x)
	} else {
		fmt.Fprintf(&path, "M%d,%d", x, y)
		straight := x + textWidth(w.label()) + 12
		fmt.Fprintf(&path, " H%d", straight)
		x = straight
		for _, p := range w.via {
			bend(&path, x, y, p.x, p.y+p.h/2)
			x, y = p.x+boxWidth, p.y+p.h/2
			fmt.Fprintf(&path, " H%d", x)
		}
		bend(&path, x, y, w.to.x, w.to.y+w.to.h/2)
	}
	dash := ""
	if w.silent {
		dash = ` stroke-dasharray="6,4"`
	}
	fmt.Fprintf(b, "<path d=\"%s\" fill=\"none\" stroke=\"%s\"%s marker-end=\"url(#tip)\"/>\n", path.String(), ink, dash)
}

// bend is a smooth way from one point to another.
func bend(path *strings.Builder, x, y, toX, toY int) {
	middle := (x + toX) / 2
	fmt.Fprintf(path, " C%d,%d %d,%d %d,%d", middle, y, middle, toY, toX, toY)
}

func (w *wire) drawLabel(b *strings.Builder) {
	label := fitted(w.label(), between-40)
	if label == "" {
		return
	}
	x, y := w.port()
	fmt.Fprintf(b, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"#ffffff\"/><text x=\"%d\" y=\"%d\" fill=\"%s\">%s</text>\n",
		x+3, y-letter/2-1, textWidth(label)+6, letter+3, x+6, y+letter/2-2, ink, escaped(label))
}

func (x *box) draw(b *strings.Builder) {
	colour := colours[x.class]
	if x.bad {
		colour = [2]string{badFill, badFrame}
	}
	fmt.Fprintf(b, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"8\" fill=\"%s\" stroke=\"%s\"/>\n",
		x.x, x.y, boxWidth, x.h, colour[0], colour[1])
	line := func(text string, up int, weight string) {
		fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\" font-weight=\"%s\" fill=\"%s\">%s</text>\n",
			x.x+boxWidth/2, x.y+x.h/2+letter/2-2-up, weight, ink, escaped(fitted(text, boxWidth-20)))
	}
	if x.text == "" {
		line(x.title, 0, "bold")
		return
	}
	line(x.title, portStep/2, "bold")
	line(x.text, -portStep/2, "normal")
}

// textWidth is about how wide a text is: a Chinese character is a square.
func textWidth(text string) (width int) {
	for _, r := range text {
		if r < 0x2000 {
			width += letter * 6 / 10
		} else {
			width += letter
		}
	}
	return width
}

// fitted is a text cut to a width.
func fitted(text string, width int) string {
	if textWidth(text) <= width {
		return text
	}
	runes := []rune(text)
	for len(runes) > 0 && textWidth(string(runes))+letter > width {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…"
}

func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder takes everything
	return b.String()
}
