package ivr

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/media"
)

var update = flag.Bool("update", false, "write what came out into the cases")

// eachCase runs f on each file of a folder of testdata, and compares what it returns with the part want, the
// last.
func eachCase(t *testing.T, folder string, f func(t *testing.T, part func(name string) []string) []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.txtar"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			require.NoError(t, err)
			last := &a.Files[len(a.Files)-1]
			require.Equal(t, "want", last.Name)
			got := f(t, func(name string) []string {
				for _, p := range a.Files {
					if p.Name == name {
						return strings.FieldsFunc(string(p.Data), func(r rune) bool { return r == '\n' })
					}
				}
				return nil
			})
			text := strings.Join(append(got, ""), "\n")
			if *update {
				last.Data = []byte(text)
				require.NoError(t, os.WriteFile(file, txtar.Format(a), 0o600))
			}
			require.Equal(t, string(last.Data), text)
		})
	}
}

// parseMenus reads the small language of the cases:
//
//	entry NAME
//	menu NAME [OPTION=VALUE ...]      kind, prompt, wait, tries, no-key, invalid-key; variable, min, max, end,
//	                                  pattern, confirm; calendar; url, method, token, timeout, field; area
//	KEY NEXT                          a choice
//	otherwise NEXT                    and so next, open, closed
//	case VALUE NEXT                   of a look-up; and: set VARIABLE FIELD, send VARIABLE
//	speak KEY TAG                     a language
//
// where NEXT is: menu NAME, queue NAME, agent ID QUEUE, dial NUMBER, done RESULT REASON, or another kind alone.
func parseMenus(t *testing.T, lines []string) Options {
	t.Helper()
	o := Options{Menus: make(map[string]MenuOptions)}
	current := ""
	for _, line := range lines {
		words := strings.Fields(line)
		switch words[0] {
		case "entry":
			o.Entries = append(o.Entries, words[1])
		case "menu":
			current = words[1]
			o.Menus[current] = parseMenu(t, words[2:])
		default:
			m := o.Menus[current]
			parseWay(&m, words)
			o.Menus[current] = m
		}
	}
	return o
}

func parseWay(m *MenuOptions, words []string) {
	switch words[0] {
	case "otherwise":
		m.Otherwise = parseNext(words[1:])
	case "next":
		m.Next = parseNext(words[1:])
	case "open":
		m.Hours.Open = parseNext(words[1:])
	case "closed":
		m.Hours.Closed = parseNext(words[1:])
	case "case":
		m.Lookup.Cases[words[1]] = parseNext(words[2:])
	case "set":
		m.Lookup.Set[words[1]] = words[2]
	case "send":
		m.Lookup.Send = append(m.Lookup.Send, words[1])
	case "speak":
		m.Languages[words[1]] = words[2]
	default:
		m.Keys[words[0]] = parseNext(words[1:])
	}
}

func parseMenu(t *testing.T, words []string) MenuOptions {
	t.Helper()
	m := MenuOptions{
		Keys: map[string]call.Next{}, Languages: map[string]string{},
		Digits: DigitsOptions{Min: 1, Max: 20, End: "#"},
		Lookup: LookupOptions{Timeout: 3 * time.Second, Cases: map[string]call.Next{}, Set: map[string]string{}},
	}
	texts := map[string]*string{
		"kind": &m.Kind, "prompt": &m.Prompt, "no-key": &m.NoKey, "invalid-key": &m.InvalidKey,
		"variable": &m.Digits.Variable, "end": &m.Digits.End, "pattern": &m.Digits.Pattern,
		"calendar": &m.Hours.Calendar, "area": &m.Area,
		"url": &m.Lookup.URL, "method": &m.Lookup.Method, "token": &m.Lookup.Token, "field": &m.Lookup.Field,
		"second": &m.Survey.Second, "second-keys": &m.Survey.SecondKeys, "thanks": &m.Survey.Thanks,
		"for": &m.Voicemail.Queue,
	}
	numbers := map[string]*int{"tries": &m.Tries, "min": &m.Digits.Min, "max": &m.Digits.Max}
	times := map[string]*time.Duration{"wait": &m.Wait, "timeout": &m.Lookup.Timeout, "longest": &m.Voicemail.Max, "silence": &m.Voicemail.Silence}
	for _, w := range words {
		var err error
		name, value, _ := strings.Cut(w, "=")
		switch {
		case texts[name] != nil:
			*texts[name] = value
		case numbers[name] != nil:
			*numbers[name], err = strconv.Atoi(value)
		case times[name] != nil:
			*times[name], err = time.ParseDuration(value)
		case name == "review":
			m.Voicemail.Review = true
		case name == "confirm":
			m.Digits.Confirm = true
		default:
			t.Fatalf("no such option: %s", w)
		}
		require.NoError(t, err)
	}
	return m
}

func parseNext(words []string) call.Next {
	words = append(slices.Clone(words), "", "", "")
	switch words[0] {
	case "menu":
		return call.Next{Kind: call.Menu, Menu: words[1]}
	case "queue":
		return call.Next{Kind: call.Wait, Queue: words[1]}
	case "agent":
		return call.Next{Kind: call.Wait, Agent: words[1], Queue: words[2]}
	case "dial":
		return call.Next{Kind: call.Dial, Number: words[1]}
	case "done":
		return call.DoneWith(call.Result(words[1]), call.Reason(words[2]))
	default:
		return call.Next{Kind: call.Kind(words[0])}
	}
}

func formatNext(n call.Next) string {
	words := []string{"next", string(n.Kind), n.Menu, n.Queue, n.Number, string(n.End.Result), string(n.End.Reason)}
	if n.Else != nil {
		words = append(words, "else "+strings.TrimPrefix(formatNext(*n.Else), "next "))
	}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
}

// shelf has every prompt but those missing.
type shelf struct{ missing []string }

func (s shelf) Clip(name string) (media.Clip, error) {
	if slices.Contains(s.missing, name) {
		return media.Clip{}, fmt.Errorf("look for it: %w", fs.ErrNotExist)
	}
	return media.Clip{Name: name}, nil
}
