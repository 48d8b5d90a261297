package notify_test

import (
	"os"
	"path/filepath"
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

// goodLine is a line of a spool as it is written.
func goodLine(id string) string {
	return `{"id":"` + id + `","kind":"overflow","told":"2000-01-01T00:00:00Z","body":{"id":"` + id +
		`","kind":"overflow","at":"2000-01-01T00:00:00Z","step":"` + id + `"}}` + "\n"
}

// TestNothingCanBeSetAside: damaged lines for which there is no file keep nobody from starting. What is whole is
// sent, they are counted and told of, and the spool stays as it was under another name: once, for the next start
// has it no more, and what was kept first is never written over.
func TestNothingCanBeSetAside(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, bad string){
		"it cannot be opened":  func(t *testing.T, bad string) { t.Helper(); require.NoError(t, os.Mkdir(bad, 0o700)) },
		"it cannot be written": func(t *testing.T, bad string) { t.Helper(); require.NoError(t, os.Symlink("/dev/full", bad)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // whose time begins in the year 2000
				dir := t.TempDir()
				file := filepath.Join(dir, "duty.spool")
				spoil(t, file+".bad")
				began := func(text, step string, want int) *observer.ObservedLogs {
					t.Helper()
					require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
					core, logs := observer.New(zap.ErrorLevel)
					up := &receiver{start: time.Now()}
					l := start(t, up, func(o *notify.Options) { o.Dir, o.Logger = dir, zap.New(core) })
					synctest.Wait()
					l.hub.Tell(event(call.EventOverflow, "then"))
					synctest.Wait()
					l.stop()
					require.Equal(t, []string{"0 overflow " + step + " 1", "0 overflow then 1"}, up.tries())
					require.InDelta(t, want, l.total("damaged"), 0)
					return logs
				}
				first := "nonsense\n" + goodLine("one") + `{"id":"cut`
				logs := began(first, "one", 2)
				require.Equal(t, 1, logs.FilterMessageSnippet("cannot be set aside either").Len())
				require.Equal(t, 1, logs.FilterMessageSnippet("is kept as it was").Len())
				kept, err := os.ReadFile(file + ".old")
				require.NoError(t, err)
				require.Equal(t, first, string(kept))
				require.Zero(t, began(goodLine("two"), "two", 0).Len(), "nothing is damaged")
				logs = began("more nonsense\n"+goodLine("three"), "three", 1)
				require.Equal(t, 1, logs.FilterMessageSnippet("is not kept").Len())
				kept, err = os.ReadFile(file + ".old")
				require.NoError(t, err)
				require.Equal(t, first, string(kept))
			})
		})
	}
}

// TestSetAsideLineByLine: a line that a crash cut off, and one of which the rest found no room, do not run into the
// next.
func TestSetAsideLineByLine(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "duty.spool")
	again := func(text string) {
		t.Helper()
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		l := start(t, &receiver{}, func(o *notify.Options) { o.Dir = dir })
		l.stop()
	}
	lines := func() []string {
		t.Helper()
		kept, err := os.ReadFile(file + ".bad")
		require.NoError(t, err)
		return strings.Split(string(kept), "\n")
	}
	again(`{"id":"cut`)
	again("one\n" + `{"id":"cut again`)
	again("two\n")
	again("three\n")
	require.Equal(t, []string{`{"id":"cut`, "one", `{"id":"cut again`, "two", "three", ""}, lines())

	require.NoError(t, os.WriteFile(file+".bad", []byte(strings.Repeat("x", 4<<20-100<<10)+"\n"), 0o600))
	long := strings.Repeat("y", 140<<10) // of three parts: the second finds no room, and the third would
	again(long + "\nshort\n")
	got := lines()
	require.Equal(t, strings.Repeat("y", 64<<10), got[1], "a beginning, and nothing of the end")
	require.Equal(t, []string{"short", ""}, got[2:])
}

// TestNoHookNoFiles: what was kept for a webhook that is configured no more goes with its spool.
func TestNoHookNoFiles(t *testing.T) {
	dir := t.TempDir()
	for _, end := range []string{"", ".new", ".bad", ".old"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "gone.spool"+end), []byte("13912345678"), 0o600))
	}
	l := start(t, &receiver{}, func(o *notify.Options) { o.Dir = dir })
	l.stop()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 1)
	require.Equal(t, "duty.spool", files[0].Name())
}
