package call_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/call/calltest"
	"hotline/media"
)

// scene is menus that are each a func.
type scene map[string]func(ctx context.Context, l call.Line) (call.Next, error)

func (s scene) Walk(ctx context.Context, l call.Line, menu string) (call.Next, error) {
	return s[menu](ctx, l)
}

var (
	toRepair = call.Next{Kind: call.Wait, Queue: "repair"}
	toAlarm  = call.Next{Kind: call.Wait, Queue: "gas-alarm"}
)

// inScene plays a script in a scene where * is the alarm's key.
func inScene(t *testing.T, menus scene, script string) (r call.Record, told string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.x.Menus, s.x.Dialer = menus, &calltest.Dialer{}
		s.x.Alarm = call.AlarmKey{Key: '*', To: toAlarm}
		s.x.Languages = map[string]call.Prompts{"en": english{}}
		told = s.play(script)
		r = s.records.last[0]
	})
	return r, told
}

// english prompts have names of their own.
type english struct{ prompts }

func (e english) Clip(name string) (media.Clip, error) {
	c, err := e.prompts.Clip(name)
	c.Name = "en/" + name
	return c, err
}

// askThenRepair asks once, and goes on whatever was pressed.
func askThenRepair(ctx context.Context, l call.Line) (call.Next, error) {
	k, err := l.Ask(ctx, 10*time.Second, "welcome")
	if err != nil {
		return call.Next{}, err
	}
	l.Chose("main", k.String())
	return toRepair, nil
}

// The alarm's key leads to the alarm at once, whatever is being said or done, unless the menu has a use of its
// own for it. Each case says when, and which way through menus the record has.
func TestAlarmKey(t *testing.T) {
	cancelled := false
	for name, c := range map[string]struct {
		menu   func(ctx context.Context, l call.Line) (call.Next, error)
		keys   string
		queue  string
		at     float64
		record string
	}{
		"asked":       {askThenRepair, "2s key *\n", "gas-alarm", 2, "main/*"},
		"after words": {askThenRepair, "9s key *\n", "gas-alarm", 9, "main/*"},
		"typed ahead": {func(ctx context.Context, l call.Line) (call.Next, error) {
			<-time.After(2 * time.Second) // the owner is busy meanwhile
			return askThenRepair(ctx, l)
		}, "1s key *\n", "gas-alarm", 2, "main/*"},
		"first things first": {func(ctx context.Context, l call.Line) (call.Next, error) {
			<-time.After(2 * time.Second)
			return askThenRepair(ctx, l)
		}, "1s key 5\n1s key *\n", "gas-alarm", 2, "main/5/repair/*"},
		"said": {func(ctx context.Context, l call.Line) (call.Next, error) {
			return toRepair, l.Say(ctx, "hold-music")
		}, "4s key 1\n5s key *\n", "gas-alarm", 5, "main/*"},
		"during": {func(ctx context.Context, l call.Line) (call.Next, error) {
			return toRepair, l.During(ctx, func(ctx context.Context) {
				<-ctx.Done()
				cancelled = true
			}, "welcome")
		}, "4s key *\n", "gas-alarm", 4, "main/*"},
		"own": {func(ctx context.Context, l call.Line) (call.Next, error) {
			l.Own('*')
			return askThenRepair(ctx, l)
		}, "2s key *\n", "repair", 2, "main/*"},
		"own of the menu before": {func(ctx context.Context, l call.Line) (call.Next, error) {
			l.Own('*')
			if _, err := l.Ask(ctx, 10*time.Second); err != nil {
				return call.Next{}, err
			}
			return call.Next{Kind: call.Menu, Menu: "next"}, nil
		}, "2s key *\n3s key *\n", "gas-alarm", 3, "next/*"},
	} {
		t.Run(name, func(t *testing.T) {
			r, told := inScene(t, scene{"main": c.menu, "next": askThenRepair}, "0s dial menu main\n"+c.keys+"20s caller bye\n")
			require.NotEmpty(t, r.Visits, told)
			last := r.Visits[len(r.Visits)-1]
			require.Equal(t, c.queue, last.Queue)
			require.InDelta(t, c.at, last.Entered.Sub(r.Started).Seconds(), 0.0001)
			require.Equal(t, c.record, r.MenuPath)
		})
	}
	require.True(t, cancelled, "what was done meanwhile was told to end")
}

// What menus learn is in the record, and bounded; the caller's number is told unless it is withheld.
func TestAnswersAreKept(t *testing.T) {
	r, _ := inScene(t, scene{"main": func(_ context.Context, l call.Line) (call.Next, error) {
		require.Equal(t, "13912345678", l.Caller())
		require.Empty(t, l.Get("account"))
		require.True(t, l.Set("account", "1"))
		require.True(t, l.Set("account", "12"))
		require.Equal(t, "12", l.Get("account"))
		require.False(t, l.Set("long", strings.Repeat("x", call.MaxAnswer+1)))
		require.False(t, l.Set(strings.Repeat("x", call.MaxAnswer+1), "long"))
		for i := 1; i < call.MaxAnswers; i++ {
			require.True(t, l.Set(strconv.Itoa(i), "x"))
		}
		require.False(t, l.Set("one more", "x"))
		require.True(t, l.Set("account", "123"), "what is known may still change")
		return toRepair, nil
	}}, "0s dial menu main\n1s caller bye\n")
	require.Len(t, r.Answers, call.MaxAnswers)
	require.Equal(t, "123", r.Answers["account"])
}

// From the choice on everything is said in the language chosen, waiting too.
func TestLanguage(t *testing.T) {
	r, told := inScene(t, scene{"main": func(ctx context.Context, l call.Line) (call.Next, error) {
		require.False(t, l.Speak("fr"), "nothing is there of it")
		require.NoError(t, l.Say(ctx, "welcome"))
		require.True(t, l.Speak("en"))
		return toRepair, l.Say(ctx, "welcome")
	}}, "0s dial menu main\n5s ring 8002\n6s answer 8002\n20s caller bye\n")
	require.Equal(t, "en", r.Language)
	require.Contains(t, told, "caller heard recorded welcome en/welcome en/please-wait en/hold-music en/agent-number-before")
}

// Between digits nothing is said, not even that the call is recorded; that comes with the next words.
func TestSilentAsk(t *testing.T) {
	_, told := inScene(t, scene{"main": func(ctx context.Context, l call.Line) (call.Next, error) {
		for _, prompts := range [][]string{{"welcome"}, nil, {"welcome"}} {
			if _, err := l.Ask(ctx, 5*time.Second, prompts...); err != nil {
				return call.Next{}, err
			}
		}
		return call.DoneWith(call.Informed, call.ReasonMenu), nil
	}}, "0s dial menu main\n1s key 1\n2s key 2\n8s key 3\n")
	require.Contains(t, told, "end informed menu, released by system\n")
	require.Contains(t, told, "caller heard recorded recorded welcome\n")
}

// During ends with what is done, at the end of the caller, or of the process.
func TestDuring(t *testing.T) {
	ended := false
	menus := scene{"main": func(ctx context.Context, l call.Line) (call.Next, error) {
		begun := time.Now()
		require.NoError(t, l.During(ctx, func(context.Context) { <-time.After(time.Second) }, "hold-music"))
		require.Equal(t, time.Second, time.Since(begun))
		require.NoError(t, l.During(ctx, func(context.Context) { panic("a fault in it") }))
		return toRepair, l.During(ctx, func(ctx context.Context) {
			<-ctx.Done()
			ended = true
		}, "welcome")
	}}
	for _, end := range []string{"caller bye", "drain"} {
		ended = false
		_, told := inScene(t, menus, "0s dial menu main\n4s "+end+"\n")
		require.True(t, ended)
		require.Contains(t, told, "ended 4\n")
		require.Contains(t, told, "panics 1")
	}
}
