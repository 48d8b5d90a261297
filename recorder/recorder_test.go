package recorder

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/media"
)

var _ call.Recording = (*recording)(nil)

func TestNamesAndModes(t *testing.T) {
	shanghai := time.FixedZone("CST", 8*3600)
	r := start(t, Options{Location: shanghai})
	joined := time.Date(2026, 2, 28, 16, 30, 0, 0, time.UTC) // half past midnight in Shanghai
	first := begin(t, r, "a-Call-7", joined)
	second := begin(t, r, "a-Call-7", joined)
	require.Equal(t, "2026/03/01/a-Call-7.wav", first.Name())
	require.Equal(t, "2026/03/01/a-Call-7_2.wav", second.Name())
	first.Frame(say(caller, joined, 1, 1, 0, 'a', 160))
	require.NoError(t, second.Close(joined.Add(20*ms)))
	require.NoError(t, first.Close(joined.Add(20*ms)))
	require.Equal(t, "a160", runs(listen(t, r, first.Name()).left))
	require.Equal(t, "_160", runs(listen(t, r, second.Name()).left))

	for name, want := range map[string]os.FileMode{
		first.Name(): fileMode, "2026/03/01": dirMode, "2026": dirMode,
	} {
		info, err := os.Stat(filepath.Join(r.root.Name(), name))
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&^want, name)
	}
}

func TestNoWayOut(t *testing.T) {
	r := start(t, Options{})
	for _, id := range []string{
		"", "..", "../x", "a/b", `a\b`, "a.wav", "a b", "a\x00", "工号", "a_2", strings.Repeat("a", 129),
	} {
		c, err := r.Start(id, time.Now())
		require.ErrorIs(t, err, ErrBadName, "%q", id)
		require.Nil(t, c)
	}
	outside := filepath.Join(filepath.Dir(r.root.Name()), "outside.wav")
	require.NoError(t, os.WriteFile(outside, []byte("secret"), 0o600))
	require.NoError(t, r.root.MkdirAll("2026/01/01", dirMode))
	require.NoError(t, os.Symlink(outside, filepath.Join(r.root.Name(), "2026/01/01/link.wav")))
	for _, name := range []string{
		"", ".", "../outside.wav", "2026/01/01/../../../outside.wav", "/etc/passwd", "2026/01/01", "2026/01/01/x.txt",
		"2026/01/01/x.wav\n", "2026/01/01/none.wav",
	} {
		_, _, _, err := r.Open(name)
		require.ErrorIs(t, err, fs.ErrNotExist, "%q", name)
	}
	_, _, _, err := r.Open("2026/01/01/link.wav")
	require.Error(t, err, "a link out of the folder is not followed")
}

// Frames of both sides, the flusher, readers and Close at once (for -race).
func TestAllAtOnce(t *testing.T) {
	r := start(t, Options{})
	joined := time.Now()
	c := begin(t, r, "busy", joined)
	var all sync.WaitGroup
	for second := range 10 { // together, as two parties speak: no side is a window ahead of the other
		for side := range media.Side(channels) {
			all.Go(func() {
				for i := 50 * second; i < 50*(second+1); i++ {
					at := time.Duration(i) * 20 * ms
					c.Frame(say(side, joined.Add(at), 1, uint16(i), uint32(i*160), 'a'+byte(side), 160))
				}
			})
		}
		all.Go(func() {
			buf := make([]byte, 999)
			for i := range 10 {
				c.disk.Lock()
				err := c.flush(int64(8000*second+800*i), buf)
				c.disk.Unlock()
				if err != nil {
					t.Error(err)
				}
				_ = c.Name()
			}
		})
		all.Wait()
	}
	for range 3 {
		all.Go(func() { assert.NoError(t, c.Close(joined.Add(10*time.Second))) })
	}
	all.Wait()
	got := listen(t, r, c.Name())
	require.Equal(t, "a80000", runs(got.left))
	require.Equal(t, "b80000", runs(got.right))
	c.Frame(say(caller, time.Now(), 1, 501, 501*160, 'z', 160)) // after the end: nothing
	require.Equal(t, got, listen(t, r, c.Name()))
}

func TestEndBeforeJoinDestroysNothing(t *testing.T) {
	r := start(t, Options{})
	joined := time.Now()
	c := begin(t, r, "clock", joined)
	c.Frame(say(caller, joined, 1, 1, 0, 'a', 160))
	c.disk.Lock()
	require.NoError(t, c.flush(160, make([]byte, flushBytes)))
	c.disk.Unlock()
	require.ErrorIs(t, c.Close(time.Time{}), ErrBadEnd)
	require.Equal(t, "a160", runs(listen(t, r, c.Name()).left))
}

func TestTooLong(t *testing.T) {
	r := start(t, Options{})
	joined := time.Now()
	c := begin(t, r, "long", joined)
	require.ErrorIs(t, c.Close(joined.Add(100*time.Hour)), ErrTooLong)
	require.Empty(t, listen(t, r, c.Name()).left)
}

func TestCloseEndsWhatRuns(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	r := start(t, Options{Registry: reg})
	joined := time.Now().Add(-3 * time.Second)
	c := begin(t, r, "shutdown", joined)
	c.Frame(say(agent, joined, 1, 1, 0, 'x', 160))
	require.NoError(t, r.Close())
	require.NoError(t, r.Close())
	require.NoError(t, c.Close(time.Now()), "its owner may close it once more")
	got := listenFile(t, r.root.Name(), c.Name())
	require.GreaterOrEqual(t, len(got.right), 3*8000)
	require.Equal(t, "x160", strings.Fields(runs(got.right))[0])
	_, err := r.Start("after", time.Now())
	require.ErrorIs(t, err, ErrClosed)
	require.Equal(t, 1, counted(r, outcomeOK))

	problems, err := testutil.GatherAndLint(reg)
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestNewSaysWhatIsWrong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := New(Options{Dir: file})
	require.ErrorContains(t, err, file)

	reg := prometheus.NewRegistry()
	start(t, Options{Registry: reg})
	_, err = New(Options{Dir: t.TempDir(), Registry: reg})
	require.ErrorContains(t, err, "metrics")
}

// frames is a talk of 20 ms packets of both sides, to be fed again and again.
func feed(c *recording) func() {
	f := say(caller, c.joined, 1, 0, 0, 'a', 160)
	return func() {
		f.Side ^= 1
		if f.Side == caller {
			f.Sequence++
			f.Timestamp += 160
			f.At = f.At.Add(20 * ms)
		}
		c.Frame(f)
		c.mu.Lock()
		c.unsaved = max(c.unsaved, c.window.end()-minPairs/2) // as a flusher that keeps up would
		c.mu.Unlock()
	}
}

func TestFrameDoesNotAllocate(t *testing.T) {
	r := start(t, Options{})
	require.Zero(t, testing.AllocsPerRun(10000, feed(begin(t, r, "allocs", time.Now()))))
}

func BenchmarkFrame(b *testing.B) {
	r := start(b, Options{})
	next := feed(begin(b, r, "bench", time.Now()))
	b.ReportAllocs()
	for b.Loop() {
		next()
	}
}
