package notify_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"hotline/call"
	"hotline/notify"
)

// TestDamagedSpool: whatever became of some lines, the others are sent, and those are kept for a person, counted
// and told of.
func TestDamagedSpool(t *testing.T) {
	good := func(id string) string {
		return `{"id":"` + id + `","kind":"overflow","told":"2000-01-01T00:00:00Z","body":{"id":"` + id +
			`","kind":"overflow","at":"2000-01-01T00:00:00Z","step":"` + id + `"}}`
	}
	for name, bad := range map[string][]string{
		"a line longer than any that is written": {`{"id":"long","body":"` + strings.Repeat("x", 200<<10) + `"}`},
		"exactly as long as may be read":         {strings.Repeat("x", 64<<10-1), strings.Repeat("x", 64<<10)},
		"zeroes, as a power cut leaves them":     {strings.Repeat("\x00", 5000)},
		"JSON that is no line of a spool":        {`null`, `{}`, `[]`, `{"id":"x"}`, `{"id":7}`, ``, `"done"`},
		"a line that a crash cut off":            {`{"id":"cut`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // whose time begins in the year 2000
				dir := t.TempDir()
				file := filepath.Join(dir, "duty.spool")
				text := good("one") + "\n" + strings.Join(bad, "\n") + "\n" + good("two") + "\n" + bad[0]
				require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
				core, logs := observer.New(zap.ErrorLevel)
				up := &receiver{start: time.Now()}
				l := start(t, up, func(o *notify.Options) { o.Dir, o.Logger = dir, zap.New(core) })
				synctest.Wait()
				l.hub.Tell(event(call.EventOverflow, "three"))
				synctest.Wait()
				l.stop()
				require.Equal(t, []string{"0 overflow one 1", "0 overflow two 1", "0 overflow three 1"}, up.tries())
				kept, err := os.ReadFile(file + ".bad")
				require.NoError(t, err)
				require.Equal(t, strings.Join(append(bad, bad[0]), "\n"), string(kept))
				info, err := os.Stat(file + ".bad")
				require.NoError(t, err)
				require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "there may be numbers in it")
				require.InDelta(t, len(bad)+1, l.total("damaged"), 0)
				require.Equal(t, 1, logs.Len(), "told once")
				require.EqualValues(t, len(bad)+1, logs.All()[0].ContextMap()["lines"])
			})
		})
	}
}

// TestDamageIsBounded: a spool full of rubbish costs a file of a bounded length, over all starts; and a hook that
// is taken out of the configuration leaves none of its files.
func TestDamageIsBounded(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "duty.spool")
	var size int64
	for range 3 {
		require.NoError(t, os.WriteFile(file, []byte(strings.Repeat(strings.Repeat("x", 100)+"\n", 30_000)), 0o600))
		l := start(t, &receiver{}, func(o *notify.Options) { o.Dir = dir })
		l.stop()
		require.InDelta(t, 30_000, l.total("damaged"), 0, "counted all the same")
		info, err := os.Stat(file + ".bad")
		require.NoError(t, err)
		size = info.Size()
		require.LessOrEqual(t, size, int64(4<<20))
	}
	require.Greater(t, size, int64(3<<20))
	require.NoError(t, os.WriteFile(file+".new", []byte("left by a crash"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("an operator's"), 0o600))
	hub, err := notify.New(notify.Options{
		Hooks: []notify.Hook{{Name: "other", URL: "https://example.org", Secret: "s"}}, Dir: dir, Client: &receiver{},
		Registry: prometheus.NewRegistry(),
	})
	require.NoError(t, err)
	ended, end := context.WithCancel(t.Context())
	end()
	require.NoError(t, hub.Run(ended))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	require.Equal(t, []string{"notes.txt", "other.spool"}, names)
}
