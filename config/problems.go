package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Problem is one thing wrong with a configuration.
type Problem struct {
	// File is the name given to Parse; it may be empty.
	File string
	// Line and Column count from 1. What is wrong by being absent stands at its nearest parent.
	Line, Column int
	// Path is dotted, as in queues.repair.strategy or agents[2].id; empty means the file as a whole.
	Path string
	// Found is what is there, and never a secret; Want is what would be right.
	Found, Want string
}

// String is one line: file:line:column: path: found; want what would be right.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File + ":")
	}
	fmt.Fprintf(&b, "%d:%d: ", p.Line, p.Column)
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Found + "; want " + p.Want)
	return b.String()
}

// Problems are all that is wrong with a configuration, in the order of its lines. As an error it is
// one line for each.
type Problems []Problem //nolint:errname // a list of Problem, not one error

// Error is one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func (ps Problems) sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Path, b.Path))
	})
}

// shown is how many characters of a value a problem quotes.
const shown = 60

// clip makes text from the file fit to stand in one line on a terminal.
func clip(text string) string {
	runes := 0
	for i := range text {
		if runes++; runes > shown {
			text = text[:i] + "…"
			break
		}
	}
	return printable(text)
}

// printable keeps what would break the line, or steer the terminal, out of a problem.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return '\uFFFD'
		}
		return r
	}, text)
}

// quote shows a value of the file.
func quote(text string) string { return `"` + clip(text) + `"` }

// orList writes choices as a person would: a, b or c.
func orList[T ~string](choices []T) string {
	words := make([]string, len(choices))
	for i, c := range choices {
		words[i] = string(c)
	}
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
