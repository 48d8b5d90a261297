package notify_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"hotline/call"
	"hotline/notify"
)

// What was not taken is sent after a restart, in order and once, with the same id; what was taken is not; a line
// that a crash cut off costs itself alone; and a hook that is gone leaves nothing behind.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var id string
		down := &receiver{start: time.Now(), answer: func(n int, m notify.Message) (int, http.Header, error) {
			if m.Step == "taken" {
				return 200, nil, nil
			}
			if m.Step == "one" {
				id = m.ID
			}
			return 0, nil, nil
		}}
		l := start(t, down)
		l.hub.Tell(event(call.EventOverflow, "taken"))
		synctest.Wait()
		l.hub.Tell(event(call.EventOverflow, "one"))
		l.hub.Tell(event(call.EventOverflow, "two"))
		l.hub.Tell(event(call.EventAlarm, "three"))
		synctest.Wait()
		l.stop()
		file := filepath.Join(l.o.Dir, "duty.spool")
		info, err := os.Stat(file)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "numbers are personal data")
		f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = f.WriteString(`{"id":"cut o`)
		require.NoError(t, err)
		require.NoError(t, f.Close())

		up := &receiver{start: time.Now(), answer: func(_ int, m notify.Message) (int, http.Header, error) {
			if m.Step == "one" {
				require.Equal(t, id, m.ID)
			}
			return 200, nil, nil
		}}
		l.o.Client, l.o.Registry = up, nil
		again := func() {
			l.hub, err = notify.New(l.o)
			require.NoError(t, err)
			var ctx context.Context
			ctx, l.end = context.WithCancel(context.Background())
			go func() { l.ran <- l.hub.Run(ctx) }()
			synctest.Wait()
			l.stop()
		}
		again()
		require.ElementsMatch(t, []string{"0 overflow one 1", "0 overflow two 1", "0 alarm three 1"}, up.tries())
		again()
		require.Len(t, up.tries(), 3, "nothing is left")
		l.o.Hooks[0].Name = "other"
		again()
		require.NoFileExists(t, file)
	})
}

// A crash (nothing is closed) loses nothing that was told and written down.
func TestCrashLosesNothingWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t, &receiver{start: time.Now(), answer: func(int, notify.Message) (int, http.Header, error) { return 0, nil, nil }})
		for i := range 50 {
			l.hub.Tell(event(call.EventOverflow, strconv.Itoa(i)))
		}
		synctest.Wait()
		data, err := os.ReadFile(filepath.Join(l.o.Dir, "duty.spool")) // as a crash now would leave it
		require.NoError(t, err)
		l.stop()
		require.Equal(t, 50, strings.Count(string(data), "\n"))
		require.NotContains(t, string(data), "13912345678", "masked, unless asked for")
	})
}

// A spool that cannot be written costs no event: they are sent all the same.
func TestDiskFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{start: time.Now()}
		core, logs := observer.New(zap.ErrorLevel)
		l := start(t, r, func(o *notify.Options) { o.Logger = zap.New(core) })
		require.NoError(t, os.RemoveAll(l.o.Dir))
		require.NoError(t, os.WriteFile(l.o.Dir, nil, 0o600)) // a rewrite has nowhere to go
		for i := range 5000 {
			l.hub.Tell(event(call.EventOverflow, strconv.Itoa(i)))
			synctest.Wait()
		}
		l.stop()
		require.Len(t, r.tries(), 5000)
		require.Equal(t, 1, logs.Len(), "told once")
	})
}
