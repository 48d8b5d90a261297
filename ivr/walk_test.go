package ivr

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"hotline/call"
)

// TestWalk follows each scripted caller through menus as call.Run does, and compares what was heard
// and pressed, to the instant.
func TestWalk(t *testing.T) {
	eachCase(t, "walk", func(t *testing.T, part func(string) []string) (transcript []string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			o := parseMenus(t, part("menus"))
			o.Prompts = shelf{missing: part("missing")}
			world(t, &o, part)
			line := newScript(t, part("clips"), part("keys"))
			line.full, line.filled = len(part("full")) > 0, len(part("filled")) > 0
			o.HTTP = &server{line: line, answers: part("answers")}
			m, err := New(o)
			require.NoError(t, err)
			next := call.Next{Kind: call.Menu, Menu: "main"}
			for next.Kind == call.Menu {
				next, err = m.Walk(t.Context(), line, next.Menu)
				if err != nil {
					line.note("error %v", root(err))
					break
				}
				line.note("%s", formatNext(next))
			}
			transcript = line.transcript
		})
		return transcript
	})
}

// root is the error at the bottom.
func root(err error) error {
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err
}

func TestCheck(t *testing.T) {
	eachCase(t, "check", func(t *testing.T, part func(string) []string) []string {
		t.Helper()
		o := parseMenus(t, part("menus"))
		o.Prompts = shelf{missing: part("missing")}
		world(t, &o, part)
		_, err := New(o)
		got := []string{}
		for _, p := range problems(t, err) {
			line := string(p.Kind) + " " + p.Menu
			if p.Field != "" {
				line += " " + p.Field
			}
			got = append(got, line)
			require.NotEmpty(t, p.Detail)
			require.NotEmpty(t, p.Want)
			require.Contains(t, err.Error(), p.Error())
		}
		return got
	})
}

// problems takes New's error apart; every part must be a *ProblemError.
func problems(t *testing.T, err error) []*ProblemError {
	t.Helper()
	if err == nil {
		require.Empty(t, Problems(err))
		return nil
	}
	var joined interface{ Unwrap() []error }
	require.ErrorAs(t, err, &joined)
	require.Len(t, Problems(err), len(joined.Unwrap()))
	return Problems(err)
}

func TestWalkOfNoMenu(t *testing.T) {
	m, err := New(Options{})
	require.NoError(t, err)
	_, err = m.Walk(t.Context(), &script{}, "main")
	require.ErrorIs(t, err, call.ErrNoMenu)
	require.ErrorContains(t, err, `"main"`)
}

func TestWalkErrorIsTheLines(t *testing.T) {
	for name, want := range map[string]error{
		"moved":     call.ErrMoved,
		"cancelled": context.Canceled,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, err := New(single())
				require.NoError(t, err)
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				time.AfterFunc(3*time.Second, func() { cancel(want) })
				line := newScript(t, nil, nil)
				_, err = m.Walk(ctx, line, "main")
				require.ErrorIs(t, err, want)
				require.Equal(t, []string{"0s ask welcome"}, line.transcript)
			})
		})
	}
}

// TestWalkNamesNoKeyInLogs: what callers press is personal.
func TestWalkNamesNoKeyInLogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.DebugLevel)
		o := single()
		o.Logger = zap.New(core)
		m, err := New(o)
		require.NoError(t, err)
		_, err = m.Walk(t.Context(), newScript(t, nil, []string{"1s 2"}), "main")
		require.NoError(t, err)
		require.Equal(t, 1, logs.Len())
		require.Equal(t, map[string]any{"call": "call-1", "menu": "main", "next": "wait"}, logs.All()[0].ContextMap())
	})
}

func single() Options {
	return Options{Menus: map[string]MenuOptions{"main": {
		Prompt: "welcome", Wait: 6 * time.Second, Tries: 3,
		Keys:      map[string]call.Next{"2": {Kind: call.Wait, Queue: "repair"}},
		Otherwise: call.Next{Kind: call.Wait, Queue: "consult"},
	}}}
}
