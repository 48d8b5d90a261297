package notify

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// item is an event on its way to one hook, and a line of the spool. A line with Done says that the item of that id
// is over.
type item struct {
	ID   string          `json:"id,omitempty"`
	Kind call.EventKind  `json:"kind,omitempty"`
	Told time.Time       `json:"told,omitzero"`
	Body json.RawMessage `json:"body,omitempty"`
	Done string          `json:"done,omitempty"`
}

const (
	extension = ".spool"
	// Beside a spool: it while it is written anew, its lines that could not be read, and it as it was before, if those
	// could not be set aside.
	suffixNew, suffixBad, suffixOld = ".new", ".bad", ".old"
	// maxLine bounds a line that is read, in octets; those written are far below it.
	maxLine = 64 << 10
	// rewriteAfter is how many lines a spool may have before what is over is left out of it.
	rewriteAfter = 4096
	// maxNotes bounds the lines that wait for a disk that hangs; what comes beyond is not kept over a restart.
	maxNotes = 8 * maxQueued
)

// spool is a hook's file: what was told and what is over, a line each, so that a crash loses nothing that was
// written. Only its keeper touches the file.
type spool struct {
	path string
	log  *zap.Logger
	file *os.File
	// open are the items not over by the lines written, in order; lines counts those in the file.
	open  []item
	lines int
	// failing: what was noted last is not on the disk. The metrics read it too.
	failing atomic.Bool
	// untouchable: the file has what could neither be read nor kept elsewhere.
	untouchable bool
	damaged     int // lines that could not be read when it was opened
	// settle brings a folder's names to the disk; syncFolder, but in tests.
	settle func(dir string) error

	mu    sync.Mutex // guards notes
	notes []item     // to be written
	wake  chan struct{}
}

func spoolPath(dir, name string) string { return filepath.Join(dir, name+extension) }

// tidy deletes what is left of hooks that are there no more.
func tidy(o *Options) {
	files, err := os.ReadDir(o.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		o.Logger.Error("folder of spools cannot be read", zap.Error(err))
	}
	for _, f := range files {
		name, rest, _ := strings.Cut(f.Name(), ".") // a name has none
		ours := slices.Contains([]string{extension, extension + suffixNew, extension + suffixBad, extension + suffixOld}, "."+rest)
		if ours && !slices.ContainsFunc(o.Hooks, func(h Hook) bool { return h.Name == name }) {
			err := os.Remove(filepath.Join(o.Dir, f.Name()))
			o.Logger.Warn("spool of a webhook that is not configured any more is deleted", zap.String("webhook", name), zap.Error(err))
		}
	}
}

// openSpool reads a spool and opens it for writing, without what is over. left are the items not over yet. A line
// that cannot be read costs itself alone: it is set aside. A disk that fails, or is full, is said, and costs no more
// than what a restart would lose: calls go on.
func openSpool(path string, log *zap.Logger) (left []item, s *spool) {
	s = &spool{path: path, log: log, wake: make(chan struct{}, 1), settle: syncFolder}
	file, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR): // nor is there anything where its folder would be
	case err != nil:
		s.unreadable(err)
	default:
		bad := &aside{path: path + suffixBad}
		err := errors.Join(s.read(file, bad), file.Close())
		switch whole := bad.end(log); {
		case err != nil:
			s.unreadable(err)
		case !whole:
			s.keepOld()
		}
		s.damaged = bad.lines
	}
	s.written(s.rewrite())
	return slices.Clone(s.open), s
}

// unreadable says that lines of the file may never be sent, and keeps it under another name before it is written anew.
// If that cannot be done either, it is left as it is, and nothing is kept in this run.
func (s *spool) unreadable(err error) {
	s.log.Error("spool cannot be read: events in it are not sent", zap.Error(err))
	s.untouchable = !s.keepOld()
}

// takeLine takes a line as it stands in the file, and reports whether it could be read.
func (s *spool) takeLine(line []byte) bool {
	var it item
	if json.Unmarshal(line, &it) != nil || it.Done == "" && (it.ID == "" || len(it.Body) == 0) {
		return false
	}
	s.take(it)
	return true
}

// take brings open up to date with a line.
func (s *spool) take(it item) {
	s.lines++
	if it.Done != "" {
		s.open = slices.DeleteFunc(s.open, func(o item) bool { return o.ID == it.Done })
	} else {
		s.open = append(s.open, it)
	}
}

// errUntouchable says that a spool is not written anew, since what it has is nowhere else.
var errUntouchable = errors.New("it could not be read, and is left as it is")

// rewrite writes the file anew with the open items alone, and opens it; the folder is made if it is missing. When it returns, the disk has it under its
// name: else a power cut could bring back the old one, without what was written to the new.
func (s *spool) rewrite() error {
	if s.untouchable {
		return errUntouchable
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	fresh := s.path + suffixNew
	f, err := os.OpenFile(fresh, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = write(f, s.open)
	if err == nil { // else what is there is better
		err = os.Rename(fresh, s.path)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if s.file != nil {
		err = s.file.Close()
	}
	s.file, s.lines = f, len(s.open)
	return errors.Join(err, s.settle(filepath.Dir(s.path)))
}

// syncFolder brings the names in a folder to the disk (fsync(2): a file's own sync does not). A file system that
// cannot do so keeps them in its own way.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

// write appends lines and returns when they are on the disk.
func write(f *os.File, items []item) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, it := range items {
		if err := enc.Encode(it); err != nil {
			return err
		}
	}
	if _, err := f.Write(b.Bytes()); err != nil {
		return err
	}
	return f.Sync()
}

// note has a line written; it does not wait.
func (s *spool) note(it item) {
	s.mu.Lock()
	if len(s.notes) < maxNotes {
		s.notes = append(s.notes, it)
	}
	s.mu.Unlock()
	token(s.wake)
}

// run writes what is noted, until quit is closed and all is written.
func (s *spool) run(quit <-chan struct{}) {
	for {
		select {
		case <-s.wake:
			s.keep()
		case <-quit:
			s.keep()
			return
		}
	}
}

// keep writes what was noted. A disk that fails costs what a crash would lose, and no event now.
func (s *spool) keep() {
	s.mu.Lock()
	notes := s.notes
	s.notes = nil
	s.mu.Unlock()
	if len(notes) == 0 {
		return
	}
	for _, it := range notes {
		s.take(it)
	}
	var err error
	if s.lines > rewriteAfter || len(s.open) == 0 && s.lines > len(notes) || s.failing.Load() {
		err = s.rewrite()
	} else {
		err = write(s.file, notes)
	}
	s.written(err)
}

// written notes whether the disk took what it was given, and says so when that changes.
func (s *spool) written(err error) {
	switch failed := s.failing.Swap(err != nil); {
	case err != nil && !failed:
		s.log.Error("events for a webhook are not kept over a restart: the spool cannot be written", zap.Error(err))
	case err == nil && failed:
		s.log.Info("events for a webhook are kept over a restart again")
	}
}

// close ends it. A spool that could never be written has no file.
func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
