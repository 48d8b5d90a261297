package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"
)

// The size of a terminal that does not tell its own.
const (
	usualWidth  = 80
	usualHeight = 24
)

// row is one line of the screen.
type row struct {
	text string
	head bool // of a table: shown bold
}

// screen draws rows over those it drew before. It is used by one goroutine.
type screen struct {
	w     io.Writer
	lines int // drawn last time
}

// size is how many columns and lines fit.
func (s *screen) size() (width, height int) {
	if f, ok := s.w.(*os.File); ok {
		if width, height, err := term.GetSize(int(f.Fd())); err == nil && width > 0 && height > 0 {
			return width, height
		}
	}
	return usualWidth, usualHeight
}

// draw shows rows, each cut to the screen's width and all to its height: a line that wraps, or one that
// the terminal scrolled away, could not be drawn over.
func (s *screen) draw(rows []row) {
	width, height := s.size()
	rows = rows[:min(len(rows), height-1)]
	var b strings.Builder
	if s.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", s.lines) // up to where the last drawing began
	}
	for _, r := range rows {
		text := runewidth.Truncate(r.text, width-1, "…")
		if r.head {
			text = "\x1b[1m" + text + "\x1b[0m"
		}
		b.WriteString("\x1b[2K" + text + "\n")
	}
	b.WriteString("\x1b[J")
	s.lines = len(rows)
	_, _ = io.WriteString(s.w, b.String()) // nobody to tell when the terminal is gone
}

// cells lays values out in columns of the widths that follow them, as wide as a terminal shows them: a
// Chinese character takes two places. What does not fit is cut, so that columns stay apart.
func cells(pairs ...any) string {
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		width, _ := pairs[i+1].(int)
		text := runewidth.Truncate(fmt.Sprint(pairs[i]), width-1, "…")
		b.WriteString(runewidth.FillRight(text, width))
	}
	return strings.TrimRight(b.String(), " ")
}

// clock is a time as a wall clock shows it: 1:02:03 or 02:03.
func clock(d time.Duration) string {
	s := int(max(d, 0).Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%02d:%02d", s/60, s%60)
}
