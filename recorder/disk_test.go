package recorder

import (
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

// faulty is a file on a disk that a test makes full or slow.
type faulty struct {
	file
	room  int64         // bytes that fit the disk
	write chan struct{} // not nil: each write waits until it is closed
	sync  chan struct{} // the same for Sync
}

func (f *faulty) WriteAt(b []byte, off int64) (int, error) {
	if f.write != nil {
		<-f.write
	}
	if off+int64(len(b)) <= f.room {
		return f.file.WriteAt(b, off)
	}
	// As os.File does, which counts only what was written in whole.
	_, err := f.file.WriteAt(b[:max(0, f.room-off)], off)
	if err == nil {
		err = &os.PathError{Op: "write", Path: "disk", Err: syscall.ENOSPC}
	}
	return 0, err
}

func (f *faulty) Sync() error {
	if f.sync != nil {
		<-f.sync
	}
	return f.file.Sync()
}

// speak feeds both sides from one instant to another, as the clock goes.
func speak(c *recording, from, to time.Duration) {
	for at := from; at < to; at += 20 * ms {
		time.Sleep(time.Until(c.joined.Add(at)))
		i := int(at / (20 * ms))
		c.Frame(say(caller, time.Now(), 1, uint16(i), uint32(i*160), 'a', 160))
		c.Frame(say(agent, time.Now(), 2, uint16(i), uint32(i*160), 'x', 160))
	}
	time.Sleep(time.Until(c.joined.Add(to)))
}

// The file is never older than a second, and the recording never more than that behind.
func TestWrittenEachSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Options{})
		defer func() { require.NoError(t, r.Close()) }()
		c := begin(t, r, "steady", time.Now())
		for at := time.Duration(0); at < 10*time.Second; at += 100 * ms {
			speak(c, at, at+100*ms)
			synctest.Wait()
			got := listen(t, r, c.Name())
			oldest := samples(at + 100*ms - flushEvery - flushEvery/flushTurns)
			require.GreaterOrEqual(t, int64(len(got.left)), oldest)
		}
		require.Equal(t, int64(minPairs), c.window.pairs(), "on a disk that keeps up the window does not grow")
		require.NoError(t, c.Close(time.Now()))
		got := listen(t, r, c.Name())
		require.Equal(t, "a80000", runs(got.left))
		require.Equal(t, "x80000", runs(got.right))
	})
}

func TestDiskFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		r := start(t, Options{OnError: func(call string, err error) {
			require.ErrorIs(t, err, syscall.ENOSPC)
			told = append(told, call)
		}})
		defer func() { require.NoError(t, r.Close()) }()
		const room = headerBytes + 2*12345 + 1 // ends within a pair
		r.openFile = func(name string) (file, error) {
			f, err := r.openNew(name)
			return &faulty{file: f, room: room}, err
		}
		c := begin(t, r, "full", time.Now())
		speak(c, 0, 5*time.Second)
		synctest.Wait()
		require.Equal(t, []string{"full"}, told)
		require.Empty(t, c.window.ring, "a recording that failed keeps no memory")
		require.ErrorIs(t, c.Close(time.Now()), syscall.ENOSPC)
		require.ErrorIs(t, c.Close(time.Now()), syscall.ENOSPC)
		require.Equal(t, []string{"full"}, told)
		require.Equal(t, 1, counted(r, outcomeFailed))
		require.Equal(t, 0, counted(r, outcomeOK))

		got := listen(t, r, c.Name())
		require.Equal(t, "a12345", runs(got.left), "what was written before is not harmed")
		require.Equal(t, "x12345", runs(got.right))
	})
}

func TestDiskFullAtStart(t *testing.T) {
	var told int
	r := start(t, Options{OnError: func(string, error) { told++ }})
	r.openFile = func(name string) (file, error) {
		f, err := r.openNew(name)
		return &faulty{file: f, room: 10}, err
	}
	c, err := r.Start("full", time.Now())
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorContains(t, err, "full")
	require.Nil(t, c)
	require.Equal(t, 1, told)
	require.Equal(t, 1, counted(r, outcomeFailed))
	files, err := os.ReadDir(r.root.Name() + time.Now().Format("/2006/01/02"))
	require.NoError(t, err)
	require.Empty(t, files, "no file without even a header stays behind")
	require.NoError(t, r.Close())
}

// A disk that stalls for 20 s costs the audio for which there was no room, and nothing else.
func TestDiskStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Options{})
		defer func() { require.NoError(t, r.Close()) }()
		disk := &faulty{room: 1 << 40}
		r.openFile = func(name string) (file, error) {
			f, err := r.openNew(name)
			disk.file = f
			return disk, err
		}
		c := begin(t, r, "stalled", time.Now())
		speak(c, 0, 500*ms)
		synctest.Wait()
		disk.write = make(chan struct{}) // the flusher's next turn is a second after the start
		speak(c, 500*ms, 20500*ms)
		require.Equal(t, int64(maxPairs), c.window.pairs(), "memory is bounded")
		require.Positive(t, testutil.ToFloat64(r.metrics.dropped))
		close(disk.write)
		speak(c, 20500*ms, 25*time.Second)
		require.ErrorIs(t, c.Close(time.Now()), ErrDropped)
		require.Equal(t, 1, counted(r, outcomeFailed))

		got := listen(t, r, c.Name())
		// A second was taken to be written, maxPairs fit the window, the frames after that did not
		// until the first turn after the stall.
		gap := 20500*8 - (8000 + maxPairs/160*160)
		require.Equal(t, []int{25 * 8000, 25 * 8000}, []int{len(got.left), len(got.right)})
		require.Regexp(t, `^a\d+ _\d+ a\d+$`, runs(got.left))
		silent := 0
		for _, s := range got.left {
			if s == silence {
				silent++
			}
		}
		require.GreaterOrEqual(t, silent, gap)
		require.LessOrEqual(t, silent, gap+int(samples(flushEvery/flushTurns+20*ms)))
	})
}

// A file that is slow to come is waited for in the background: the call does not feel it, and nothing
// is lost.
func TestSlowStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Options{})
		defer func() { require.NoError(t, r.Close()) }()
		r.openFile = func(name string) (file, error) {
			time.Sleep(5 * time.Second)
			return r.openNew(name)
		}
		before := time.Now()
		c := begin(t, r, "slow", before)
		require.Equal(t, startPatience, time.Since(before))
		speak(c, 0, 7*time.Second) // the frames of the first quarter second come in a burst
		require.NoError(t, c.Close(time.Now()))
		require.Len(t, listen(t, r, c.Name()).left, 7*8000)
	})
}

func TestSlowStartFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told atomic.Int32
		r := start(t, Options{OnError: func(string, error) { told.Add(1) }})
		defer func() { require.NoError(t, r.Close()) }()
		r.openFile = func(string) (file, error) {
			time.Sleep(5 * time.Second)
			return nil, syscall.EIO
		}
		c := begin(t, r, "slow", time.Now())
		speak(c, startPatience, 6*time.Second)
		require.Equal(t, int32(1), told.Load())
		require.ErrorIs(t, c.Close(time.Now()), syscall.EIO)
	})
}

// Close does not wait for ever, and one recording's fsync does not keep another from being written.
func TestSlowClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, Options{})
		disk := &faulty{room: 1 << 40, sync: make(chan struct{})}
		r.openFile = func(name string) (file, error) {
			f, err := r.openNew(name)
			disk.file = f
			return disk, err
		}
		slow := begin(t, r, "slow", time.Now())
		r.openFile = r.openNew
		other := begin(t, r, "other", time.Now())
		speak(slow, 0, time.Second)
		before := time.Now()
		require.ErrorIs(t, slow.Close(before), ErrStalled)
		require.Equal(t, closePatience, time.Since(before))
		synctest.Wait()
		require.Greater(t, len(listen(t, r, other.Name()).left), 9*8000)

		close(disk.sync)
		synctest.Wait()
		require.NoError(t, other.Close(time.Now()))
		require.NoError(t, r.Close())
		require.Equal(t, "a8000", runs(listenFile(t, r.root.Name(), slow.Name()).left), "finished all the same")
	})
}
