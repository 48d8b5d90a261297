package ivr

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"hotline/call"
	"hotline/media"
)

// asks is a graph with one look-up, about an account.
func asks(http Doer) Options {
	return Options{HTTP: http, Menus: map[string]MenuOptions{
		"account": {
			Kind: "digits", Prompt: "account", Wait: time.Second, Tries: 1, Digits: DigitsOptions{Variable: "account", Min: 1, Max: 8},
			Next: call.Next{Kind: call.Menu, Menu: "crm"}, Otherwise: call.Next{Kind: call.Wait, Queue: "consult"},
		},
		"crm": {
			Kind: "lookup", Otherwise: call.Next{Kind: call.Wait, Queue: "consult"},
			Lookup: LookupOptions{
				URL: "https://crm.example/{account}", Timeout: time.Second, Token: "hush", Field: "level",
				Cases: map[string]call.Next{"gold": {Kind: call.Wait, Queue: "gold"}},
			},
		},
	}}
}

// Whatever goes wrong, what is logged of a look-up holds neither the caller's data nor the token; and every
// outcome is counted.
func TestLookupLogsNoValue(t *testing.T) {
	answers := map[string]func(r *http.Request) (*http.Response, error){
		"net": func(r *http.Request) (*http.Response, error) {
			return nil, &url.Error{Op: "Get", URL: r.URL.String(), Err: errors.New("no route to host")}
		},
		"status": func(*http.Request) (*http.Response, error) { return said200(http.StatusTeapot, "{}"), nil },
		"body": func(*http.Request) (*http.Response, error) {
			return said200(http.StatusOK, `{"level": "12345678"`), nil
		},
		"too much": func(*http.Request) (*http.Response, error) {
			return said200(http.StatusOK, `{"level":"gold","more":"`+strings.Repeat("x", maxReply)+`"}`), nil
		},
		"well": func(*http.Request) (*http.Response, error) { return said200(http.StatusOK, `{"level":"gold"}`), nil },
	}
	core, logs := observer.New(zap.DebugLevel)
	registry := prometheus.NewRegistry()
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		o := asks(doer(answers[name]))
		o.Logger = zap.New(core)
		if name == "well" {
			o.Registry = registry
		}
		m, err := New(o)
		require.NoError(t, err)
		next, err := m.Walk(t.Context(), &knows{value: "12345678"}, "crm")
		require.NoError(t, err)
		require.Equal(t, map[bool]string{true: "gold", false: "consult"}[name == "well"], next.Queue, name)
	}
	failed := logs.FilterMessage("look-up failed").All()
	require.Len(t, failed, len(answers)-1)
	for _, entry := range failed {
		require.NotContains(t, entry.ContextMap()["error"], "12345678")
		require.NotContains(t, entry.ContextMap()["error"], "hush")
		require.Equal(t, "crm", entry.ContextMap()["menu"])
	}
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP hotline_lookups_total Look-ups of menus by outcome: answered, failed.
# TYPE hotline_lookups_total counter
hotline_lookups_total{menu="crm",outcome="answered"} 1
`), "hotline_lookups_total"))
}

func said200(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader([]byte(body)))}
}

// knows is a line on which every variable has one value.
type knows struct {
	instant
	value string
}

func (k *knows) Get(string) string { return k.value }

// The keys that mean something in a menu are its own, so that none of them is the alarm's there; every other
// may be.
func TestOwnKeys(t *testing.T) {
	queue := call.Next{Kind: call.Wait, Queue: "repair"}
	ask := MenuOptions{Prompt: "p", Wait: time.Second, Tries: 1, Next: queue, Otherwise: queue}
	with := func(kind string, change func(*MenuOptions)) MenuOptions {
		m := ask
		m.Kind = kind
		change(&m)
		return m
	}
	for want, m := range map[string]MenuOptions{
		"*2": with("menu", func(m *MenuOptions) { m.Keys = map[string]call.Next{"2": queue, "*": queue} }),
		"1":  with("language", func(m *MenuOptions) { m.Languages = map[string]string{"1": "zh"} }),
		"#0123456789": with("digits", func(m *MenuOptions) {
			m.Digits = DigitsOptions{Variable: "v", Min: 1, Max: 2, Confirm: true}
		}),
		"*0123456789": with("digits", func(m *MenuOptions) {
			m.Digits = DigitsOptions{Variable: "v", Min: 1, Max: 2, End: "*"}
		}),
		"": with("play", func(*MenuOptions) {}),
	} {
		menus, err := New(Options{Menus: map[string]MenuOptions{"main": m}, Languages: []string{"zh"}})
		require.NoError(t, err)
		line := &owner{}
		_, err = menus.Walk(t.Context(), line, "main")
		require.NoError(t, err)
		require.True(t, line.before, "before anything is said")
		slices.Sort(line.own)
		require.Equal(t, want, string(line.own))
	}
}

// owner remembers which keys a menu named, and whether that came first.
type owner struct {
	instant
	own    []media.Key
	before bool
}

func (o *owner) Own(keys ...media.Key) { o.own, o.before = slices.Clone(keys), o.asked == 0 }

func (o *owner) Say(context.Context, ...string) error { return nil }
