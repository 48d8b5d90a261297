package notify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
	open    []item
	lines   int
	failing bool
	damaged int // lines that could not be read when it was opened
	// settle brings a folder's names to the disk; syncFolder, but in tests.
	settle func(dir string) error

	mu    sync.Mutex // guards notes
	notes []item     // to be written
	wake  chan struct{}
}

func spoolPath(dir, name string) string { return filepath.Join(dir, name+extension) }

// prepare makes the folder, if there is a hook, and deletes what is left of those that are there no more.
func prepare(o *Options) error {
	if len(o.Hooks) > 0 {
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			return err
		}
	}
	files, err := os.ReadDir(o.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, f := range files {
		name, rest, _ := strings.Cut(f.Name(), ".") // a name has none
		ours := slices.Contains([]string{extension, extension + suffixNew, extension + suffixBad, extension + suffixOld}, "."+rest)
		if ours && !slices.ContainsFunc(o.Hooks, func(h Hook) bool { return h.Name == name }) {
			o.Logger.Warn("spool of a webhook that is not configured any more is deleted", zap.String("webhook", name))
			if err := os.Remove(filepath.Join(o.Dir, f.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// openSpool reads a spool and opens it for writing, without what is over. left are the items not over yet. A line
// that cannot be read costs itself alone: it is set aside.
func openSpool(path string, log *zap.Logger) (left []item, s *spool, err error) {
	s = &spool{path: path, log: log, wake: make(chan struct{}, 1), settle: syncFolder}
	file, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, nil, err
	default:
		bad := &aside{path: path + suffixBad}
		err := errors.Join(s.read(file, bad), file.Close())
		if !bad.end(log) && err == nil {
			s.keepOld()
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read %s: %w", path, err)
		}
		s.damaged = bad.lines
	}
	if err := s.rewrite(); err != nil {
		if s.file != nil {
			err = errors.Join(err, s.file.Close())
		}
		return nil, nil, err
	}
	return slices.Clone(s.open), s, nil
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

// rewrite writes the file anew with the open items alone, and opens it. When it returns, the disk has it under its
// name: else a power cut could bring back the old one, without what was written to the new.
func (s *spool) rewrite() error {
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
	select {
	case s.wake <- struct{}{}:
	default:
	}
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
	if s.lines > rewriteAfter || len(s.open) == 0 && s.lines > len(notes) || s.failing {
		err = s.rewrite()
	} else {
		err = write(s.file, notes)
	}
	if err != nil && !s.failing {
		s.log.Error("events for a webhook are not kept over a restart: the spool cannot be written", zap.Error(err))
	}
	s.failing = err != nil
}

func (s *spool) close() error { return s.file.Close() }
