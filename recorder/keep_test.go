package recorder

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// lay puts files into a folder and returns a function that lists all that lies there, folders with a slash.
func lay(t *testing.T, dir string, names ...string) (list func() []string) {
	t.Helper()
	for _, name := range names {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), dirMode))
		head := header(0)
		require.NoError(t, os.WriteFile(file, head[:], fileMode))
	}
	return func() (found []string) {
		require.NoError(t, fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
			if !d.IsDir() {
				found = append(found, name)
			} else if entries, _ := os.ReadDir(filepath.Join(dir, name)); len(entries) == 0 {
				found = append(found, name+"/")
			}
			return err
		}))
		return found
	}
}

// Whole days go when their last instant has been kept for long enough, and nothing that is not ours.
func TestKeep(t *testing.T) {
	dir := t.TempDir()
	foreign := []string{
		"1999/12/20/notes.txt", "1999/12/20/call.wav.part", "1999/12/20/工号.wav", "1999/12/20/folder.wav/x.wav",
		"1999/12/call.wav", "1999/13/01/call.wav", "1999/02/30/call.wav", "call.wav", "99/1/1/call.wav",
	}
	kept := []string{"1999/12/26/c.wav", "1999/12/31/d.wav"}
	list := lay(t, dir, slices.Concat(foreign, kept, []string{
		"1999/12/20/a.wav", "1999/12/20/a_2.wav", "1999/12/24/b.wav", "1999/12/25/b.wav", "1998/01/01/old.wav",
	})...)
	require.NoError(t, os.Symlink("/etc/hostname", filepath.Join(dir, "1999/12/20/link.wav")))
	foreign = append(foreign, "1999/12/20/link.wav", "1998/01/")
	core, logs := observer.New(zap.InfoLevel)
	r := start(t, Options{Dir: dir, Location: time.FixedZone("CST", 8*3600), Logger: zap.New(core)})

	synctest.Test(t, func(t *testing.T) {
		remains := func(days ...string) {
			t.Helper()
			synctest.Wait()
			require.ElementsMatch(t, slices.Concat(foreign, days), list())
		}
		var back atomic.Int64 // how far the clock is set back
		began := time.Now()   // midnight of 2000-01-01 UTC, 8 o'clock in Shanghai
		k := keeper{
			recorder: r, keep: 6*24*time.Hour + 8*time.Hour,
			clock: func() time.Time { return time.Now().Add(-time.Duration(back.Load())) },
		}
		ctx, stop := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer stop()
		go k.run(ctx)
		remains(kept...) // what ended at 1999-12-26 00:00 in Shanghai has just been kept for long enough
		require.Equal(t, 1, logs.FilterMessage("old recordings deleted").Len())
		said := logs.All()[0].ContextMap()
		require.Equal(t, "1998/01/01", said["oldest_day"])
		require.EqualValues(t, 5, said["recordings"])

		time.Sleep(keepEvery - time.Nanosecond)
		remains(kept...)
		time.Sleep(time.Nanosecond)
		remains(kept[1:]...)

		back.Store(int64(10 * 365 * 24 * time.Hour))
		time.Sleep(3 * keepEvery)
		remains(kept[1:]...)
		back.Store(0)
		time.Sleep(keepEvery) // 2000-01-06: the last of 1999 is kept until the 7th, 8 o'clock
		require.Equal(t, 5*keepEvery, time.Since(began))
		remains(kept[1:]...)
		time.Sleep(keepEvery)
		remains()
	})
	require.InDelta(t, 7, testutil.ToFloat64(r.metrics.deleted), 0)
	require.Equal(t, 3, logs.FilterMessage("old recordings deleted").Len())
	require.Empty(t, logs.FilterLevelExact(zap.WarnLevel).All())
}

// New starts the keeper if there is something to keep by.
func TestKeepOption(t *testing.T) {
	for keep, want := range map[time.Duration][]string{
		0:         {"1999/01/01/a.wav"},
		time.Hour: {"1999/01/"},
	} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			list := lay(t, dir, "1999/01/01/a.wav")
			r := start(t, Options{Dir: dir, Keep: keep, Registry: prometheus.NewPedanticRegistry()})
			synctest.Wait()
			require.Equal(t, want, list())
			require.NoError(t, r.Close())
		})
	}
}

// A recording that still runs is nobody's to delete, however old its day is; the next round has it.
func TestKeepSparesWhatRuns(t *testing.T) {
	r := start(t, Options{Location: time.UTC})
	joined := time.Now()
	c := begin(t, r, "running", joined)
	later := keeper{recorder: r, keep: time.Hour, clock: func() time.Time { return joined.AddDate(0, 0, 3) }}
	later.round(t.Context())
	require.FileExists(t, filepath.Join(r.root.Name(), c.Name()))
	require.NoError(t, c.Close(time.Now()))
	ended, end := context.WithCancel(t.Context())
	end()
	later.round(ended)
	require.FileExists(t, filepath.Join(r.root.Name(), c.Name()), "the recorder is being closed")
	later.round(t.Context())
	require.NoDirExists(t, filepath.Join(r.root.Name(), filepath.Dir(c.Name())))
}

// A round with a fault does not keep the next one from its work, nor the process from its own.
func TestKeepContained(t *testing.T) {
	dir := t.TempDir()
	list := lay(t, dir, "1999/01/01/a.wav")
	var panics []string
	r := start(t, Options{Dir: dir, OnPanic: func(where string, _ any) { panics = append(panics, where) }})
	k := keeper{recorder: r, keep: time.Hour, clock: func() time.Time { panic("a clock with a fault") }}
	k.round(t.Context())
	require.Equal(t, []string{"1999/01/01/a.wav"}, list())
	require.Equal(t, []string{"recorder: keep"}, panics)
	k.clock = time.Now
	k.round(t.Context())
	require.Equal(t, []string{"1999/01/"}, list())
}
