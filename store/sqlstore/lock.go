package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
)

// lockName is the file in the data folder that a running process holds locked. It says the process's
// id, and its modification time is when that process was last alive: that costs no flush of the disk,
// and survives kill -9.
const lockName = "hotline.lock"

// beatEvery is how often the time is noted, and so how much of a crashed call's end may be unknown.
const beatEvery = time.Second

// folderLock is the data folder held against other processes. The system lets go of it when the
// process dies, however it dies.
type folderLock struct {
	file *os.File
	// alive is when the holder before this one was last alive; zero if there was none.
	alive time.Time
	stop  chan struct{}
}

// lockFolder makes the folder if need be, and locks it. Errors: ErrLocked, naming folder and holder.
func lockFolder(dir string) (*folderLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, fmt.Errorf("open lock of data folder: %w", err)
	}
	l := &folderLock{file: f, stop: make(chan struct{})}
	if err := f.Chmod(fileMode); err != nil { // one of an earlier version may be open to others
		return nil, errors.Join(fmt.Errorf("keep lock of data folder private: %w", err), f.Close())
	}
	if err := flock(f); err != nil {
		holder := l.holder()
		return nil, errors.Join(lockError(dir, holder, err), f.Close())
	}
	if err := l.claim(); err != nil {
		return nil, errors.Join(fmt.Errorf("claim lock %s: %w", path, err), f.Close())
	}
	return l, nil
}

func lockError(dir, holder string, err error) error {
	if !errors.Is(err, errHeld) {
		return fmt.Errorf("lock data folder %s: %w", dir, err)
	}
	if holder == "" {
		return fmt.Errorf("%w: %s", ErrLocked, dir)
	}
	return fmt.Errorf("%w: %s is held by process %s", ErrLocked, dir, holder)
}

// holder is the process id in the file; empty when it cannot be read.
func (l *folderLock) holder() string {
	text, err := io.ReadAll(io.LimitReader(l.file, 20))
	if err != nil {
		return ""
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return ""
	}
	return strconv.Itoa(pid)
}

// claim notes what the holder before left, and writes this process's id.
func (l *folderLock) claim() error {
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() > 0 { // else it was just made
		l.alive = info.ModTime()
	}
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err = l.file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// beat notes each second that the process is alive, until rest or ctx.
func (l *folderLock) beat(ctx context.Context, log *zap.Logger) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	failed := false
	for {
		select {
		case now := <-tick.C:
			err := os.Chtimes(l.file.Name(), now, now)
			if err != nil && !failed {
				log.Warn("cannot note that the process is alive", zap.Error(err))
			}
			failed = err != nil
		case <-l.stop:
			return
		case <-ctx.Done():
			return
		}
	}
}

// rest ends beat.
func (l *folderLock) rest() { close(l.stop) }

// release lets go of the folder. The file stays: to remove it would let two processes lock two files.
func (l *folderLock) release() error {
	if l == nil {
		return nil
	}
	return l.file.Close()
}
