package call_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/call/calltest"
)

// graph is menus that each ask once, by the prompt of their name, and lead to one place.
type graph map[string]call.Next

func (g graph) Walk(ctx context.Context, l call.Line, menu string) (call.Next, error) {
	next, ok := g[menu]
	if !ok {
		return call.Next{}, call.ErrNoMenu
	}
	k, err := l.Ask(ctx, 10*time.Second, menu)
	if err != nil {
		return call.Next{}, err
	}
	l.Chose(menu, k.String())
	return next, nil
}

// reloading plays a script in which a line "reload" puts the settings after in force, of those before.
func reloading(t *testing.T, before, after call.Settings, script string) (r call.Record, told string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.desk.Queues = map[string]bool{"repair": true, "bills": true}
		s.x.Menus, s.x.Queues, s.x.Recorder = before.Menus, before.Queues, nil
		for line := range strings.Lines(script) {
			if f := strings.Fields(line); f[0] == "reload" {
				after.Prompts, after.Targets = s.x.Prompts, s.x.Targets
				s.x.Reload(after)
			} else {
				s.act(f[0], f[1:])
			}
			synctest.Wait()
		}
		<-s.done
		told, r = s.tell(), s.records.last[0]
	})
	return r, told
}

// A call in menus walks them to their end as they were, and then goes by what is in force; a caller on the way
// to a queue that was taken away, or waiting there, is treated as that queue treated them.
func TestReload(t *testing.T) {
	to := func(kind call.Kind, name string) call.Next {
		if kind == call.Menu {
			return call.Next{Kind: kind, Menu: name}
		}
		return call.Next{Kind: kind, Queue: name}
	}
	waiting := func(prompt string, full ...call.Next) call.QueueOptions {
		o := call.QueueOptions{WaitPrompt: prompt, Overflow: map[call.Overflow]call.Next{}}
		for _, next := range full {
			o.Overflow[call.QueueFull] = next
		}
		return o
	}
	old := call.Settings{
		Menus:  graph{"main": to(call.Menu, "more"), "more": to(call.Wait, "repair")},
		Queues: map[string]call.QueueOptions{"repair": waiting("old-words", to(call.Menu, "more"))},
	}
	for name, c := range map[string]struct {
		after  call.Settings
		script string
		heard  []string
		way    string
	}{
		"in a menu, on the old graph": {
			call.Settings{Menus: graph{"main": to(call.Wait, "bills")}, Queues: map[string]call.QueueOptions{"repair": waiting("new-words")}},
			"dial menu main\nreload\nkey 1\nexpect caller hears more\nkey 2\nexpect caller hears new-words\ncaller bye\n",
			[]string{"main", "more", "new-words"},
			"main/1/more/2",
		},
		"to a queue that is no more": {
			call.Settings{Menus: graph{"main": to(call.Wait, "bills")}, Queues: map[string]call.QueueOptions{"bills": waiting("bills")}},
			"dial menu main\nreload\nkey 1\nkey 2\nexpect caller hears old-words\ncaller bye\n",
			[]string{"main", "more", "old-words"},
			"main/1/more/2",
		},
		"waiting in a queue that is no more, which overflows": {
			call.Settings{Menus: graph{"main": to(call.Wait, "bills")}, Queues: map[string]call.QueueOptions{"bills": waiting("bills")}},
			"dial menu more\nkey 1\nreload\nturn full\nexpect caller hears more\nkey 2\ncaller bye\n",
			[]string{"more", "old-words", "more", "old-words"},
			"more/1/more/2",
		},
		"a number led to a menu that was just taken away": {
			call.Settings{Menus: graph{}, Queues: old.Queues},
			"reload\ndial menu main\nkey 1\nkey 2\ncaller bye\n",
			[]string{"main", "more", "old-words"},
			"main/1/more/2",
		},
		"an overflow leads to a menu that is new": {
			call.Settings{
				Menus:  graph{"main": to(call.Menu, "more"), "more": to(call.Wait, "repair"), "sorry": to(call.Wait, "bills")},
				Queues: map[string]call.QueueOptions{"repair": waiting("new-words", to(call.Menu, "sorry")), "bills": waiting("bills")},
			},
			"dial menu more\nreload\nkey 1\nturn full\nexpect caller hears sorry\nkey 1\nexpect caller hears bills\ncaller bye\n",
			[]string{"more", "new-words", "sorry", "bills"},
			"more/1/sorry/1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, told := reloading(t, old, c.after, c.script)
			require.Equal(t, c.way, r.MenuPath, told)
			require.Equal(t, call.Abandoned, r.Result, told)
			require.Contains(t, told, "caller heard "+strings.Join(c.heard, " "))
		})
	}
}

// TestReloadWhileANumberIsCalled: where a menu goes on when a number outside is not reached is there when it is not,
// however often the configuration was read anew since the menu was entered.
func TestReloadWhileANumberIsCalled(t *testing.T) {
	for _, reloads := range []int{1, 2, 3} {
		for name, before := range map[string]bool{"while in the menu": true, "while it rings": false} {
			t.Run(fmt.Sprintf("%s, %d times", name, reloads), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, dialer := newStage(t), &calltest.Dialer{}
					s.x.Dialer = dialer
					s.x.Menus = graph{
						"main":  {Kind: call.Dial, Number: outside, Else: &call.Next{Kind: call.Menu, Menu: "sorry"}},
						"sorry": call.DoneWith(call.Informed, call.ReasonMenu),
					}
					reload := func() {
						for range reloads {
							s.x.Reload(call.Settings{Menus: graph{"main": toRepair}, Prompts: s.x.Prompts, Targets: s.x.Targets, Queues: s.x.Queues})
						}
					}
					s.act("dial", []string{"menu", "main"})
					synctest.Wait()
					if before {
						reload()
					}
					s.caller.Stream().Press('1')
					synctest.Wait()
					if !before {
						reload()
					}
					require.True(t, dialer.Fail(call.CauseBusy))
					<-time.After(3 * time.Second)
					synctest.Wait()
					s.hears("sorry")
					s.caller.Stream().Press('1')
					<-s.done
					r := s.records.finished(t)
					require.Equal(t, call.End{Result: call.Informed, Reason: call.ReasonMenu}, call.End{Result: r.Result, Reason: r.Reason})
					require.Equal(t, "main/1/sorry/1", r.MenuPath)
				})
			})
		}
	}
}

// Settings are changed while calls read them, and each call has them whole: a menu leads to the queue of its own
// graph.
func TestReloadUnderCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.desk.Queues, s.x.Recorder = map[string]bool{"a": true, "b": true}, nil
		of := func(queue string) call.Settings {
			return call.Settings{
				Menus: graph{"main": {Kind: call.Wait, Queue: queue}}, Prompts: s.x.Prompts, Targets: s.x.Targets,
				Queues: map[string]call.QueueOptions{queue: {WaitPrompt: "wait-" + queue}},
			}
		}
		s.x.Reload(of("a"))
		var calls, reload sync.WaitGroup
		reload.Go(func() {
			for i := range 100 {
				s.x.Reload(of([]string{"b", "a"}[i%2]))
			}
		})
		legs := make([]*calltest.Leg, 50)
		for i := range legs {
			legs[i] = calltest.NewLeg(strconv.Itoa(i))
			calls.Go(func() {
				s.x.Serve(t.Context(), call.Incoming{
					Leg: legs[i], At: call.Next{Kind: call.Route, Menu: "main"}, Received: time.Now(),
				})
			})
		}
		synctest.Wait()
		for _, l := range legs {
			l.Stream().Press('1')
		}
		synctest.Wait()
		for _, l := range legs {
			l.End(call.Far, call.CauseBye)
		}
		reload.Wait()
		calls.Wait()
		require.Len(t, s.desk.Seats(), len(legs))
		for _, l := range legs {
			heard := l.Stream().Played()
			require.Len(t, heard, 2)
			require.Regexp(t, "^wait-[ab]$", heard[1])
		}
	})
}

// What a reload changes is read through the call's own settings: nobody reads those that the Exchange began with.
func TestSettingsAreTheCalls(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	stale := regexp.MustCompile(`\bx\.(Menus|Prompts|Languages|Alarm|Shed|Queues|Targets)\b`)
	found := map[string][]string{}
	for _, f := range files {
		if text, err := os.ReadFile(f); !strings.HasSuffix(f, "_test.go") && stale.Match(text) {
			require.NoError(t, err)
			found[f] = stale.FindAllString(string(text), -1)
		}
	}
	require.Empty(t, found, slices.Sorted(maps.Keys(found)))
}
