package ivr

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

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
	o := Options{
		Menus: make(map[string]MenuOptions), Entries: []string{name(0)}, Prompts: shelf{},
		Calendars: map[string]Hours{"office": always(len(data)%2 == 0)},
	}
	for i := range n {
		m := MenuOptions{
			Prompt: "welcome", Wait: time.Second, Otherwise: to(), Tries: next() % 12,
			Keys: make(map[string]call.Next),
		}
		// A tries beyond what a choice may have makes another kind of it, whose ways are taken in silence.
		switch m.Tries {
		case 0:
			m.Kind, m.Next, m.Otherwise = "play", m.Otherwise, call.Next{}
		case 11:
			m.Kind, m.Hours = "hours", HoursOptions{Calendar: "office", Open: m.Otherwise, Closed: to()}
			m.Otherwise = call.Next{}
		}
		for range next() % 4 {
			m.Keys[string(rune(next()))] = to()
		}
		o.Menus[name(i)] = m
	}
	return o
}

// silent are the ways of a menu of the fuzzed kinds that are taken without a key.
func silent(m MenuOptions) []call.Next {
	return []call.Next{m.Otherwise, m.Next, m.Hours.Open, m.Hours.Closed}
}

// goesRound follows all silent ways from each menu for longer than there are menus.
func goesRound(o Options) bool {
	for name := range o.Menus {
		at := map[string]bool{name: true}
		for range len(o.Menus) + 1 {
			then := map[string]bool{}
			for name := range at {
				for _, w := range silent(o.Menus[name]) {
					if _, ok := o.Menus[w.Menu]; ok {
						then[w.Menu] = true
					}
				}
			}
			at = then
		}
		if len(at) > 0 {
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
			ways := silent(o.Menus[name])
			for key, w := range o.Menus[name].Keys {
				if o.Menus[name].Kind == "" && len(key) == 1 && media.Key(key[0]).Valid() {
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
		if o.Menus[at].Kind != "" {
			continue // what it is of its own accord, other tests say
		}
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

func (i *instant) During(ctx context.Context, f func(context.Context), _ ...string) error {
	f(ctx)
	return nil
}

func (i *instant) Hear(ctx context.Context, wait time.Duration, prompts ...string) (media.Key, error) {
	return i.Ask(ctx, wait, prompts...)
}

func (i *instant) Leave(context.Context, call.MessageOptions) error { return call.ErrNoMessage }

func (i *instant) Rate(string, int) {}

func (i *instant) Own(...media.Key) {}

func (i *instant) Caller() string { return "" }

func (i *instant) Get(string) string { return "" }

func (i *instant) Set(_, _ string) bool { return true }

func (i *instant) Speak(string) bool { return true }

func (i *instant) Say(context.Context, ...string) error { return nil }

func (i *instant) Chose(_, choice string) { i.choice = choice }

// FuzzAnswer gives a look-up anything for an answer: it must end in one of its ways, and keep nothing that is
// too long or steers a terminal.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"level":"gold","area":"west"}`, `{"level":{}}`, `[]`, `null`, `"gold"`, "", `{"level":"gold"`, `{"level":1e400}`,
		`{"level":"\u0000"}`, `{"area":"\ud800"}`, "\xff\xfe", strings.Repeat("[", 10000), `{"level":"a","level":"gold"}`,
	} {
		f.Add(200, []byte(seed))
	}
	gold, plain := call.Next{Kind: call.Wait, Queue: "gold"}, call.Next{Kind: call.Wait, Queue: "plain"}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		m, err := New(Options{
			HTTP: doer(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader(body))}, nil
			}),
			Menus: map[string]MenuOptions{"main": {Kind: "lookup", Otherwise: plain, Lookup: LookupOptions{
				URL: "https://crm.example/", Timeout: time.Second, Field: "level",
				Cases: map[string]call.Next{"gold": gold}, Set: map[string]string{"area": "area"},
			}}},
		})
		require.NoError(t, err)
		line := &keeper{}
		next, err := m.Walk(t.Context(), line, "main")
		require.NoError(t, err)
		if next != plain {
			require.Equal(t, gold, next)
			require.Equal(t, http.StatusOK, status)
		}
		if len(body) > maxReply {
			require.Equal(t, plain, next)
		}
		require.Equal(t, -1, strings.IndexFunc(line.kept, unicode.IsControl))
	})
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// keeper remembers what a menu kept last.
type keeper struct {
	instant
	kept string
}

func (k *keeper) Set(_, value string) bool {
	k.kept = value
	return true
}

// FuzzAddress puts anything into an address: whatever it is, the same host is asked, and the same path but for
// the one segment.
func FuzzAddress(f *testing.F) {
	for _, seed := range []string{"12345678", "..", "../admin", "a/b", "a?b=c", "a#b", "a%2f", "@evil.example", "\r\nHost: x", "{caller}", ""} {
		f.Add(seed, seed)
	}
	a, err := parseAddress("https://crm.example:8443/c/{account}/open?from={caller}&x=1")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, account, caller string) {
		text, err := a.expand(func(name string) string { return map[string]string{"account": account, "caller": caller}[name] })
		if err != nil {
			return
		}
		u, err := url.Parse(text)
		require.NoError(t, err)
		require.Equal(t, "crm.example:8443", u.Host)
		require.Nil(t, u.User)
		require.Empty(t, u.Fragment)
		require.Equal(t, "/c/"+account+"/open", u.Path)
		require.Len(t, strings.Split(u.EscapedPath(), "/"), 4)
		require.Equal(t, url.Values{"from": {caller}, "x": {"1"}}, u.Query())
		require.NotContains(t, []string{"", ".", ".."}, account)
	})
}
