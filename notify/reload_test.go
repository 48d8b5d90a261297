package notify_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"hotline/call"
	"hotline/notify"
)

// refuses answers 503 for an event of a step, and takes all others.
func refuses(step string) func(int, notify.Message) (int, http.Header, error) {
	return func(_ int, m notify.Message) (int, http.Header, error) {
		if m.Step == step {
			return http.StatusServiceUnavailable, nil, nil
		}
		return http.StatusNoContent, nil, nil
	}
}

// town is many programs that are told, by their URLs.
type town struct {
	mu   sync.Mutex
	at   map[string]func() int // what one answers; taken if there is none
	seen []string              // "host step secret", secret by which the signature is right
}

func (w *town) Do(r *http.Request) (*http.Response, error) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var m notify.Message
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, err
	}
	signed := "wrong"
	for _, secret := range []string{"old", "new"} {
		if r.Header.Get(notify.HeaderSignature) == notify.Sign(secret, time.Now(), text) {
			signed = secret
		}
	}
	w.mu.Lock()
	w.seen = append(w.seen, strings.Join([]string{r.URL.Host, m.Step, signed}, " "))
	answer := w.at[r.URL.Host]
	w.mu.Unlock()
	status := http.StatusNoContent
	if answer != nil {
		status = answer()
	}
	if status == 0 { // it hangs
		<-r.Context().Done()
		return nil, context.Cause(r.Context())
	}
	return &http.Response{StatusCode: status, Body: http.NoBody}, nil
}

// took are the requests since they were asked for last.
func (w *town) took() []string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen
	w.seen = nil
	return seen
}

func status(code int) func() int { return func() int { return code } }

func hookOf(name, host, secret string, events ...call.EventKind) notify.Hook {
	return notify.Hook{Name: name, URL: "https://" + host, Secret: secret, Events: events}
}

// reload puts other hooks in force.
func (l *lab) reload(hooks ...notify.Hook) {
	l.t.Helper()
	put, err := l.hub.Reload(hooks)
	require.NoError(l.t, err)
	put()
}

func hooks(h ...notify.Hook) func(*notify.Options) { return func(o *notify.Options) { o.Hooks = h } }

// TestReloadChangesAHook: what waits goes in its order to the new URL under the new secret, at once; kinds that are not
// wanted any more are not told from then on.
func TestReloadChangesAHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &town{at: map[string]func() int{"one": status(http.StatusInternalServerError)}}
		l := start(t, w, hooks(hookOf("duty", "one", "old")))
		for _, step := range []string{"1", "2"} {
			l.hub.Tell(event(call.EventOverflow, step))
		}
		time.Sleep(time.Hour) // the pauses are minutes by now
		require.NotEmpty(t, w.took())
		l.reload(hookOf("duty", "two", "new"))
		require.Equal(t, []string{"two 1 new", "two 2 new"}, w.took())
		l.reload(hookOf("duty", "two", "old", call.EventAlarm))
		l.hub.Tell(event(call.EventOverflow, "3"))
		l.hub.Tell(event(call.EventAlarm, "4"))
		require.Equal(t, []string{"two 4 old"}, w.took())
		l.stop()
		require.InDelta(t, 3, l.total("delivered"), 0, "one counter over all settings")
	})
}

// TestReloadWhileARequestHangs: the request that is under way ends as it may; the try after it goes by the new
// settings.
func TestReloadWhileARequestHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &town{at: map[string]func() int{"one": status(0)}}
		l := start(t, w, hooks(hookOf("duty", "one", "old")))
		l.hub.Tell(event(call.EventOverflow, "1"))
		require.Equal(t, []string{"one 1 old"}, w.took())
		began := time.Now()
		l.reload(hookOf("duty", "two", "new"))
		require.Zero(t, time.Since(began), "a reload does not wait for it")
		time.Sleep(10 * time.Second) // the bound of a request
		require.Equal(t, []string{"two 1 new"}, w.took(), "at once after it")
		l.stop()
	})
}

// TestReloadSameHook: settings that are as they were change nothing, not even the pause.
func TestReloadSameHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &town{at: map[string]func() int{"one": status(http.StatusInternalServerError)}}
		duty := hookOf("duty", "one", "old")
		l := start(t, w, hooks(duty))
		l.hub.Tell(event(call.EventOverflow, "1"))
		require.Equal(t, []string{"one 1 old"}, w.took())
		l.reload(duty)
		require.Empty(t, w.took())
		l.stop()
	})
}

// TestReloadAddsAndRemoves: a hook that is new is told from then on. One that is gone is told nothing more, its figures
// are shown no more, and what waited is kept, said, and sent when the hook is back.
func TestReloadAddsAndRemoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		w := &town{at: map[string]func() int{"one": status(0)}}
		core, logs := observer.New(zap.WarnLevel)
		one, two := hookOf("one", "one", "old"), hookOf("two", "two", "new")
		l := start(t, w, hooks(one), func(o *notify.Options) { o.Dir, o.Logger = dir, zap.New(core) })
		l.hub.Tell(event(call.EventOverflow, "1"))
		l.hub.Tell(event(call.EventOverflow, "2"))
		l.hub.Tell(event(call.EventAlarm, "3"))
		require.ElementsMatch(t, []string{"one 1 old", "one 3 old"}, w.took())
		l.reload(two)
		l.hub.Tell(event(call.EventOverflow, "4"))
		require.Equal(t, []string{"two 4 new"}, w.took())
		gone := logs.FilterMessageSnippet("not configured any more").All()
		require.Len(t, gone, 1)
		require.EqualValues(t, 3, gone[0].ContextMap()["events"])
		require.Equal(t, []string{"two"}, l.shown())
		kept, err := os.ReadFile(filepath.Join(dir, "one.spool"))
		require.NoError(t, err)
		require.Equal(t, 3, strings.Count(string(kept), "\n"))

		w.mu.Lock()
		w.at = nil
		w.mu.Unlock()
		l.reload(two, one)
		sent := w.took()
		require.ElementsMatch(t, []string{"one 1 old", "one 2 old", "one 3 old"}, sent)
		require.Equal(t, []string{"one 1 old", "one 2 old"}, without(sent, "one 3 old"), "in order")
		l.hub.Tell(event(call.EventOverflow, "5"))
		require.ElementsMatch(t, []string{"one 5 old", "two 5 new"}, w.took())
		require.ElementsMatch(t, []string{"one", "two"}, l.shown())
		l.stop()
	})
}

// without are lines but for one.
func without(lines []string, line string) (rest []string) {
	for _, l := range lines {
		if l != line {
			rest = append(rest, l)
		}
	}
	return rest
}

// shown are the hooks whose queues the metrics show.
func (l *lab) shown() (names []string) {
	l.t.Helper()
	families, err := l.reg.Gather()
	require.NoError(l.t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "hotline_webhook_queue" {
				names = append(names, m.GetLabel()[0].GetValue())
			}
		}
	}
	return names
}

// TestReloadRefused: a fault changes nothing.
func TestReloadRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &town{}
		l := start(t, w, hooks(hookOf("duty", "one", "old")))
		_, err := l.hub.Reload([]notify.Hook{{Name: "duty", URL: "https://two"}, {Name: "duty"}})
		require.ErrorContains(t, err, "no secret")
		require.ErrorContains(t, err, "there twice")
		l.hub.Tell(event(call.EventOverflow, "1"))
		require.Equal(t, []string{"one 1 old"}, w.took())
		l.stop()
	})
}

// TestReloadBeforeAndAfter: a reload before Run is taken up by it, one after it does nothing and leaves nothing open.
func TestReloadBeforeAndAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, w := t.TempDir(), &town{}
		o := notify.Options{Dir: dir, Client: w}
		hub, err := notify.New(o)
		require.NoError(t, err)
		put, err := hub.Reload([]notify.Hook{hookOf("duty", "one", "old")})
		require.NoError(t, err)
		put()
		hub.Tell(event(call.EventOverflow, "1"))
		require.Empty(t, w.took())
		ctx, end := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- hub.Run(ctx) }()
		require.Equal(t, []string{"one 1 old"}, w.took())
		end()
		require.NoError(t, <-ran)
		put, err = hub.Reload([]notify.Hook{hookOf("late", "two", "new")})
		require.NoError(t, err)
		put()
		require.NoFileExists(t, filepath.Join(dir, "late.spool"))
	})
}

// TestReloadUnderEvents: reloads while events are told lose none that a hook wants which is always there, and leave
// each in its order.
func TestReloadUnderEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &town{}
		stays := hookOf("stays", "stays", "old")
		l := start(t, w, hooks(stays))
		var telling sync.WaitGroup
		var want []string
		for i := range 50 {
			step := string(rune('A' + i))
			want = append(want, "stays "+step+" old")
		}
		telling.Go(func() {
			for i := range 50 {
				l.hub.Tell(event(call.EventOverflow, string(rune('A'+i))))
			}
		})
		for i := range 20 {
			if i%2 == 0 {
				l.reload(hookOf("comes", "comes", "new"), stays)
			} else {
				l.reload(stays)
			}
		}
		telling.Wait()
		var got []string
		for _, line := range w.took() {
			if strings.HasPrefix(line, "stays") {
				got = append(got, line)
			}
		}
		require.Equal(t, want, got)
		l.stop()
	})
}
