package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/config"
)

const twenty = "testdata/menus/twenty.yaml"

// twentyWith is the file of twenty menus with some text replaced.
func twentyWith(t *testing.T, pairs ...string) string {
	t.Helper()
	text, err := os.ReadFile(twenty)
	require.NoError(t, err)
	changed := strings.NewReplacer(pairs...).Replace(string(text))
	require.NotEqual(t, string(text), changed)
	return write(t, changed)
}

// wellFormed returns the text of an SVG's text elements.
func wellFormed(t *testing.T, svg string) (texts []string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	inText := false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return texts
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			inText = token.Name.Local == "text"
			require.Equal(t, "http://www.w3.org/2000/svg", token.Name.Space)
		case xml.CharData:
			if inText {
				texts = append(texts, string(token))
			}
		case xml.EndElement:
			inText = false
		}
	}
}

// A graph of twenty menus is drawn with everything in it, nothing upon anything else.
func TestMenuDraws(t *testing.T) {
	t.Parallel()
	code, svg, complaints := command(t, "menu", twenty)
	require.Zero(t, code, complaints)
	texts := wellFormed(t, svg)
	for _, want := range []string{
		"96777", "menu: main", "hours: hours", "closed", "9 ↺", "queue: gas-alarm", "calls 02588880000", "hangs up", "digits: account",
	} {
		require.Contains(t, texts, want)
	}
	require.Contains(t, texts[len(texts)-1], "key *")
	require.NotContains(t, svg, badFill)
	require.Contains(t, svg, "stroke-dasharray")

	cfg, err := loadConfig(twenty)
	require.NoError(t, err)
	s := sketch(cfg, nil)
	drawMenus(s)
	for i, a := range s.boxes {
		for _, b := range s.boxes[:i] {
			apart := a.x+boxWidth < b.x || b.x+boxWidth < a.x || a.y+a.h < b.y || b.y+b.h < a.y
			require.True(t, apart, "%s upon %s", a.id, b.id)
		}
	}
	labels := map[[2]int]string{}
	for _, w := range s.lines {
		x, y := w.port()
		require.Empty(t, labels[[2]int{x, y}], "%v", w.labels)
		labels[[2]int{x, y}] = w.label() + " "
		require.True(t, w.back || w.to.layer > w.from.layer, "%s to %s", w.from.id, w.to.id)
	}
}

// What is wrong is told, and drawn red.
func TestMenuDrawsProblems(t *testing.T) {
	t.Parallel()
	file := twentyWith(t, `otherwise: {menu: goodbye}`, `otherwise: {menu: goodby}`, "prompt: please-wait, variable: account", "prompt: no-such, variable: account")
	out := filepath.Join(t.TempDir(), "menus.svg")
	code, _, complaints := command(t, "menu", file, "--out", out)
	require.Equal(t, exitFault, code)
	require.Contains(t, complaints, `no menu "goodby"`)
	require.Contains(t, complaints, `menus.account.prompt`)
	svg, err := os.ReadFile(out)
	require.NoError(t, err)
	texts := wellFormed(t, string(svg))
	require.Contains(t, texts, "goodby")
	require.Contains(t, texts, "no such menu")
	require.Contains(t, texts, "no-such")
	require.Equal(t, "a&lt;b&amp;", escaped("a<b&"))
	require.Equal(t, 4, strings.Count(string(svg), badFill)) // night, account, goodby, and goodbye that nothing leads to

	code, _, complaints = command(t, "menu", write(t, "menus: [\n"))
	require.Equal(t, exitFault, code)
	require.Contains(t, complaints, "not YAML")
}

// A walk says what a caller would hear, and where the call goes.
func TestMenuTry(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
		want []string
	}{
		{"by the hours, open", []string{"--try", "1,", "--at", "2026-11-23 09:00"}, []string{"96777, 2026-11-23 09:00", "language zh", "menu hours", "menu main"}},
		{"by the hours, holiday", []string{"--try", "1,,", "--at", "2026-10-01 09:00"}, []string{"menu night", "hangs up"}},
		{"digits", []string{"--number", "96778", "--try", "1112345678#,"}, []string{"key 1", "account is 12345678", "menu balance", "hangs up"}},
		{"a key and the queue", []string{"--number", "96778", "--try", "3"}, []string{"welcome: 您好", "main/3", "queue gas-alarm"}},
		{"the alarm's key", []string{"--number", "96778", "--try", "2*"}, []string{"menu repair", "key *", "queue gas-alarm"}},
		{"nothing", []string{"--number", "96778", "--try", ","}, []string{"nothing for 6s", "no-key: ", "queue consult"}},
		{"a number outside", []string{"--number", "96778", "--try", "22"}, []string{"calls 02588880000"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code, out, complaints := command(t, append([]string{"menu", twenty}, c.args...)...)
			require.Zero(t, code, complaints)
			for _, want := range c.want {
				require.Contains(t, out, want)
			}
		})
	}
	for _, args := range [][]string{{"--try", "x"}, {"--try", "1", "--number", "1"}, {"--try", "1", "--at", "noon"}} {
		code, _, _ := command(t, append([]string{"menu", twenty}, args...)...)
		require.Equal(t, exitFault, code, args)
	}
}

// Without keys, lines are read from the terminal; an empty one is a wait that runs out, its end is the end.
func TestMenuTryByHand(t *testing.T) {
	t.Parallel()
	out := newTerminal()
	code := run([]string{"menu", twenty, "--number", "96778", "--try", ""}, &console{in: strings.NewReader("9\n\n21"), out: out, err: out})
	require.Zero(t, code, out)
	require.Contains(t, out.String(), "(nothing for 6s)")
	require.Contains(t, out.String(), "menu outage")
	code = run([]string{"menu", twenty, "--number", "96778", "--try", ""}, &console{in: strings.NewReader(""), out: out, err: out})
	require.Zero(t, code, out)
}

// A draft has what could be read; a file that is good has no faults.
func TestDraft(t *testing.T) {
	t.Parallel()
	cfg, err := config.Draft(twenty, findPrompts, checkMenus)
	require.NoError(t, err)
	require.Len(t, cfg.Menus, 20)
	_, err = config.Draft(filepath.Join(t.TempDir(), "none"), nil)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// Where a queue sends its callers is drawn too: what only an overflow leads to does not stand there by itself.
func TestMenuDrawsWhereQueuesLead(t *testing.T) {
	t.Parallel()
	file := twentyWith(t, "bills: {}}", `bills: {max_waiting: 3, overflow: {full: {queue: complaint}}, keys: {"7": {menu: main}}, survey: how}, night: {max_wait: 9m, overflow: {too_long: {menu: main}}}}`,
		"bills: 1}", "bills: 1, night: 1}", "menus:\n", "menus:\n  how: {kind: survey}\n")
	cfg, err := loadConfig(file)
	require.NoError(t, err)
	s := sketch(cfg, nil)
	ways := map[string]bool{}
	for _, w := range s.lines {
		ways[w.from.id+" -"+w.label()+"-> "+w.to.id] = w.silent
	}
	require.True(t, ways["queue bills -full-> queue complaint"], ways)
	require.True(t, ways["queue bills -survey-> menu how"], ways)
	require.Contains(t, ways, "queue bills -7-> menu main")
	require.NotContains(t, ways, "queue night -too_long-> menu main", "nobody comes there")
	require.Contains(t, wellFormed(t, drawMenus(s)), "full")
}
