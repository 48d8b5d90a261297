package notify_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"hotline/call"
	"hotline/notify"
)

// unkept is what the metrics say of the spools.
func (l *lab) unkept() float64 {
	l.t.Helper()
	families, err := l.reg.Gather()
	require.NoError(l.t, err)
	for _, f := range families {
		if f.GetName() == "hotline_webhook_unkept" {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	l.t.Fatal("nothing is said of spools")
	return 0
}

// TestFullDiskLosesNothingWritten: a spool that cannot be written keeps nobody from starting: what waits in it is
// sent, and so is what is told then. It is left as it was until there is room again, and is then kept anew.
func TestFullDiskLosesNothingWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // whose time begins in the year 2000
		dir := t.TempDir()
		file := filepath.Join(dir, "duty.spool")
		require.NoError(t, os.WriteFile(file, []byte(goodLine("one")), 0o600))
		require.NoError(t, os.Symlink("/dev/full", file+".new"))
		core, logs := observer.New(zap.ErrorLevel)
		up := &receiver{start: time.Now(), answer: refuses("three")}
		l := start(t, up, func(o *notify.Options) { o.Dir, o.Logger = dir, zap.New(core) })
		require.InDelta(t, 1, l.unkept(), 0)
		require.Equal(t, 1, logs.FilterMessageSnippet("the spool cannot be written").Len())
		l.hub.Tell(event(call.EventOverflow, "two"))
		synctest.Wait()
		require.Equal(t, []string{"0 overflow one 1", "0 overflow two 1"}, up.tries())
		info, err := os.Lstat(file)
		require.NoError(t, err)
		require.True(t, info.Mode().IsRegular(), "what could not be written has taken its place")
		kept, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, goodLine("one"), string(kept))

		require.NoError(t, os.Remove(file+".new")) // there is room again
		l.hub.Tell(event(call.EventOverflow, "three"))
		synctest.Wait()
		require.InDelta(t, 0, l.unkept(), 0)
		require.Equal(t, 1, logs.Len(), "told once")
		l.stop()
		kept, err = os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, string(kept), `"step":"three"`)
		require.NotContains(t, string(kept), `"step":"one"`)
	})
}

// TestUnreadableSpool: what cannot be read is neither sent nor written over, and keeps nobody from starting.
func TestUnreadableSpool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		file := filepath.Join(dir, "duty.spool")
		require.NoError(t, os.Mkdir(file, 0o700)) // reading it fails, and so does a second name for it
		core, logs := observer.New(zap.ErrorLevel)
		up := &receiver{start: time.Now()}
		l := start(t, up, func(o *notify.Options) { o.Dir, o.Logger = dir, zap.New(core) })
		l.hub.Tell(event(call.EventOverflow, "one"))
		synctest.Wait()
		require.Equal(t, []string{"0 overflow one 1"}, up.tries())
		require.InDelta(t, 1, l.unkept(), 0)
		l.stop()
		require.Equal(t, 1, logs.FilterMessageSnippet("spool cannot be read").Len())
		require.Equal(t, 1, logs.FilterMessageSnippet("the spool cannot be written").Len())
		require.DirExists(t, file)
	})
}

// TestNoFolderForSpools: a data folder that cannot be written keeps nobody from starting, and the spool is there as
// soon as it can be.
func TestNoFolderForSpools(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := filepath.Join(t.TempDir(), "in the way")
		require.NoError(t, os.WriteFile(at, nil, 0o600))
		up := &receiver{start: time.Now(), answer: refuses("two")}
		l := start(t, up, func(o *notify.Options) { o.Dir = filepath.Join(at, "webhooks") })
		l.hub.Tell(event(call.EventOverflow, "one"))
		synctest.Wait()
		require.Equal(t, []string{"0 overflow one 1"}, up.tries())
		require.InDelta(t, 1, l.unkept(), 0)
		require.NoError(t, os.Remove(at))
		l.hub.Tell(event(call.EventOverflow, "two"))
		synctest.Wait()
		require.InDelta(t, 0, l.unkept(), 0)
		l.stop()
		require.FileExists(t, filepath.Join(at, "webhooks", "duty.spool"))
	})
}
