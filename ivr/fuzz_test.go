package ivr

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/media"
)

// FuzzLoad builds graphs from bytes. New must not panic; its verdict on circles and on menus that
// cannot be reached must be that of a slow and obvious oracle; and in a graph that it lets through, a
// caller who presses nothing is out after each menu once, and one who presses at random never finds a
// way that New did not see.
func FuzzLoad(f *testing.F) {
	f.Add([]byte{0, 8, 3, 1, '2', 0, 1})
	f.Add([]byte{1, 4, 3, 0, 1, 4, 3, 0})           // two menus, round for ever
	f.Add([]byte{2, 5, 3, 0, 6, 3, 0, 4, 3, 0})     // three
	f.Add([]byte{2, 8, 3, 1, '9', 5, 8, 3, 0, 4})   // a key to the second; the third unreachable
	f.Add([]byte{7, 255, 0, 3, 'E', '*', '#', 200}) // nonsense
	f.Fuzz(func(t *testing.T, data []byte) {
		o := decode(data)
		m, err := New(o)
		kinds := map[ProblemKind]bool{}
		for _, p := range problems(t, err) {
			kinds[p.Kind] = true
		}
		if !kinds[UnknownKind] && !kinds[Dangling] {
			require.Equal(t, goesRound(o), kinds[SilentLoop], "%+v", o)
		}
		require.Equal(t, missesSome(o), kinds[Unreachable], "%+v", o)
		if err != nil {
			return
		}
		for entry := range o.Menus {
			walkSilently(t, m, entry, len(o.Menus))
			walkAtRandom(t, m, o, entry, data)
		}
	})
}

// decode makes a graph of bytes: how many menus, then for each where otherwise leads, tries, how many
// keys, and each key with where it leads. Bytes that run out are 0.
func decode(data []byte) Options {
	next := func() int {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return int(b)
	}
	name := func(i int) string { return "m" + strconv.Itoa(i) }
	n := next()%8 + 1
	to := func() call.Next {
		switch b := next() % 16; b {
		case 0:
			return call.Next{}
		case 1, 2, 8:
			return call.Next{Kind: call.Wait, Queue: "repair"}
		case 3:
			return call.Next{Kind: call.Talk}
		default:
			return call.Next{Kind: call.Menu, Menu: name(b - 4)} // may dangle
		}
	}
	o := Options{Menus: make(map[string]MenuOptions), Entries: []string{name(0)}, Prompts: shelf{}}
	for i := range n {
		m := MenuOptions{
			Prompt: "welcome", Wait: time.Second, Otherwise: to(), Tries: next() % 12,
			Keys: make(map[string]call.Next),
		}
		for range next() % 4 {
			m.Keys[string(rune(next()))] = to()
		}
		o.Menus[name(i)] = m
	}
	return o
}

// goesRound follows otherwise from each menu for longer than there are menus.
func goesRound(o Options) bool {
	for name := range o.Menus {
		for range len(o.Menus) + 1 {
			name = o.Menus[name].Otherwise.Menu
		}
		if _, still := o.Menus[name]; still {
			return true
		}
	}
	return false
}

// missesSome grows the set of menus reached until it grows no more.
func missesSome(o Options) bool {
	reached := map[string]bool{o.Entries[0]: true}
	for range o.Menus {
		for name := range reached {
			ways := []call.Next{o.Menus[name].Otherwise}
			for key, w := range o.Menus[name].Keys {
				if len(key) == 1 && media.Key(key[0]).Valid() {
					ways = append(ways, w)
				}
			}
			for _, w := range ways {
				if _, ok := o.Menus[w.Menu]; ok {
					reached[w.Menu] = true
				}
			}
		}
	}
	return len(reached) < len(o.Menus)
}

func walkSilently(t *testing.T, m *Menus, entry string, menus int) {
	t.Helper()
	line := &instant{}
	next := call.Next{Kind: call.Menu, Menu: entry}
	for steps := 0; next.Kind == call.Menu; steps++ {
		require.Less(t, steps, menus, "a caller who presses nothing came back to a menu")
		var err error
		next, err = m.Walk(t.Context(), line, next.Menu)
		require.NoError(t, err)
	}
	require.LessOrEqual(t, line.asked, menus*MaxTries)
}

func walkAtRandom(t *testing.T, m *Menus, o Options, entry string, keys []byte) {
	t.Helper()
	line := &instant{keys: slices.Clone(keys)}
	next := call.Next{Kind: call.Menu, Menu: entry}
	for next.Kind == call.Menu {
		at := next.Menu
		var err error
		next, err = m.Walk(t.Context(), line, at)
		require.NoError(t, err)
		want, chosen := o.Menus[at].Keys[line.choice]
		if !chosen {
			require.Equal(t, otherwise, line.choice)
			want = o.Menus[at].Otherwise
		}
		require.Equal(t, want, next)
	}
}

// instant is a caller who presses the keys given without delay, and then none.
type instant struct {
	keys   []byte
	asked  int
	choice string
}

func (i *instant) ID() string { return "call-1" }

func (i *instant) Ask(context.Context, time.Duration, ...string) (media.Key, error) {
	i.asked++
	if len(i.keys) == 0 {
		return 0, call.ErrNoKey
	}
	k := media.Key(i.keys[0])
	i.keys = i.keys[1:]
	return k, nil
}

func (i *instant) Say(context.Context, ...string) error { return nil }

func (i *instant) Chose(_, choice string) { i.choice = choice }
