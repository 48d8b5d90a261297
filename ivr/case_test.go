package ivr

import (
	"fmt"
	"io/fs"
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

// eachCase runs f on each file of a folder of testdata.
func eachCase(t *testing.T, folder string, f func(t *testing.T, part func(name string) []string)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.txtar"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			require.NoError(t, err)
			f(t, func(name string) []string {
				for _, p := range a.Files {
					if p.Name == name {
						return strings.FieldsFunc(string(p.Data), func(r rune) bool { return r == '\n' })
					}
				}
				return nil
			})
		})
	}
}

// parseMenus reads the small language of the cases:
//
//	entry NAME
//	menu NAME [kind=K] [prompt=P] [wait=D] [tries=N] [no-key=P] [invalid-key=P]
//	KEY NEXT            or: otherwise NEXT
//
// where NEXT is: menu NAME, queue NAME, agent ID QUEUE, done RESULT REASON, or another kind alone.
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
		case "otherwise":
			m := o.Menus[current]
			m.Otherwise = parseNext(words[1:])
			o.Menus[current] = m
		default:
			o.Menus[current].Keys[words[0]] = parseNext(words[1:])
		}
	}
	return o
}

func parseMenu(t *testing.T, words []string) MenuOptions {
	t.Helper()
	m := MenuOptions{Keys: make(map[string]call.Next)}
	for _, w := range words {
		var err error
		name, value, _ := strings.Cut(w, "=")
		switch name {
		case "kind":
			m.Kind = value
		case "prompt":
			m.Prompt = value
		case "wait":
			m.Wait, err = time.ParseDuration(value)
		case "tries":
			m.Tries, err = strconv.Atoi(value)
		case "no-key":
			m.NoKey = value
		case "invalid-key":
			m.InvalidKey = value
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
	case "done":
		return call.DoneWith(call.Result(words[1]), call.Reason(words[2]))
	default:
		return call.Next{Kind: call.Kind(words[0])}
	}
}

func formatNext(n call.Next) string {
	words := []string{"next", string(n.Kind), n.Menu, n.Queue, string(n.End.Result), string(n.End.Reason)}
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
