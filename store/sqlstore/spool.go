package sqlstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"
)

const (
	// segmentBytes is how large a file of the spool becomes, but for the entries that were queued together.
	segmentBytes = 4 << 20
	// asideName is the file of the spool's folder that takes lines which cannot be read, and entries that the database
	// refused for what they are. Nobody reads it but people.
	asideName = "aside.log"
	nodeName  = "node"
)

// spool holds entries on the local disk, in order, until the database has them. It is a folder of segments,
// NUMBER-START.log, whose lines are entries: a checksum (CRC-32C, of the rest without the line's end) in hexadecimal, the
// entry's number, counted from 1 in each start of the process, and the entry as JSON, which has no line's end in it. So
// a damaged entry is one line, and those after it are found.
//
// One goroutine appends, and another reads and lets go (next, done); other methods may be called from any goroutine.
type spool struct {
	dir  string
	node string // whose data folder this is, over its starts
	id   string // of this start
	log  *zap.Logger
	wake chan struct{} // holds one token when there is something to read

	// The appending goroutine's.
	file   *os.File // of the last segment; nil: the next entry begins another
	seq    uint64   // of the last entry
	number int      // of the last segment

	offset int64 // in the first segment, up to which it was let go; the reading goroutine's

	mu         sync.Mutex
	segments   []*segment    // oldest first
	came, gone uint64        // lines, those found at the start included
	oldest     time.Time     // no younger than the first that waits; zero: none does
	moved      chan struct{} // closed, and another made, when lines are let go
	over       chan struct{} // closed once nothing is appended any more
}

// segment is one file.
type segment struct {
	path string
	id   string // of the start that wrote it
	size int64  // what of it is durable
	live bool   // more may come
}

// openSpool opens a folder, or makes it. Errors: the system's.
func openSpool(dir string, log *zap.Logger) (*spool, error) {
	s := &spool{dir: dir, id: uuid.NewString(), log: log, wake: make(chan struct{}, 1), moved: make(chan struct{}), over: make(chan struct{})}
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		s.node, err = nodeOf(dir)
	}
	if err == nil {
		err = s.find()
	}
	if err != nil {
		return nil, fmt.Errorf("open spool of call records: %w", err)
	}
	return s, nil
}

// nodeOf is the name of the node whose folder it is, made at random when there is none.
func nodeOf(dir string) (string, error) {
	path := filepath.Join(dir, nodeName)
	text, err := os.ReadFile(path)
	if err == nil {
		var id uuid.UUID
		if id, err = uuid.ParseBytes(bytes.TrimSpace(text)); err == nil {
			return id.String(), nil
		}
		return "", fmt.Errorf("%s is damaged; without it this is a new node, and calls that the old one left open stay so: %w", path, err)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	node := uuid.NewString()
	fresh := path + ".new"
	if err := writeDurably(fresh, os.O_TRUNC, []byte(node+"\n")); err != nil {
		return "", err
	}
	if err := os.Rename(fresh, path); err != nil {
		return "", err
	}
	return node, syncFolder(dir)
}

// writeDurably writes data to a file of the owner's alone, opened with a flag besides, and flushes it.
func writeDurably(path string, flag int, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|flag, fileMode)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
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

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// addLine writes an entry's line into b.
func addLine(b *bytes.Buffer, seq uint64, e entry) error {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode entry: %w", err)
	}
	rest := append(strconv.AppendUint(nil, seq, 10), ' ')
	rest = append(rest, text...)
	fmt.Fprintf(b, "%08x ", crc32.Checksum(rest, castagnoli))
	b.Write(rest)
	return b.WriteByte('\n')
}

// append makes rows durable, all or none. Those that cannot be written down are marked.
func (s *spool) append(rows []*row) error {
	var b bytes.Buffer
	seq := s.seq
	for _, r := range rows {
		if r.err != nil {
			continue
		}
		if err := addLine(&b, seq+1, r.entry); err != nil {
			r.err = errors.Join(err, ErrFault)
			continue
		}
		seq++
	}
	if b.Len() == 0 {
		return nil
	}
	if err := s.write(b.Bytes()); err != nil {
		return fmt.Errorf("spool call records: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.came == s.gone {
		s.oldest = time.Now()
	}
	s.segments[len(s.segments)-1].size += int64(b.Len())
	s.came += seq - s.seq
	s.seq = seq
	s.tell()
	return nil
}

// write adds lines to the last segment. After an error they may be there or not: the same rows come again, with the
// same numbers, in another segment.
func (s *spool) write(lines []byte) error {
	if s.file == nil || s.last().size >= segmentBytes {
		if err := s.rotate(); err != nil {
			return err
		}
	}
	live := s.last()
	_, err := s.file.WriteAt(lines, live.size)
	if err == nil {
		err = s.file.Sync()
	}
	if err == nil {
		return nil
	}
	// What a failed flush leaves of a file cannot be known, so it is not written to any more (fsync(2)). To cut off
	// what was written gives a full disk its room back.
	err = errors.Join(err, s.file.Truncate(live.size), s.file.Close())
	s.file = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	live.live = false
	if live.size == 0 {
		s.segments = s.segments[:len(s.segments)-1]
		err = errors.Join(err, os.Remove(live.path))
	}
	return err
}

// last is the segment that is written.
func (s *spool) last() *segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.segments[len(s.segments)-1]
}

// rotate begins another segment.
func (s *spool) rotate() error {
	path := filepath.Join(s.dir, fmt.Sprintf("%08d-%s.log", s.number+1, s.id))
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	if err := syncFolder(s.dir); err != nil {
		return errors.Join(err, f.Close(), os.Remove(path))
	}
	before := s.file
	s.file = f
	s.number++
	s.mu.Lock()
	if before != nil {
		s.segments[len(s.segments)-1].live = false
	}
	s.segments = append(s.segments, &segment{path: path, id: s.id, live: true})
	s.mu.Unlock()
	if before != nil {
		return before.Close() // it is flushed
	}
	return nil
}

// tell wakes the reader; s.mu is held.
func (s *spool) tell() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// end says that nothing is appended any more; it is said once.
func (s *spool) end() { close(s.over) }

// ended reports that nothing is appended any more.
func (s *spool) ended() bool {
	select {
	case <-s.over:
		return true
	default:
		return false
	}
}

// waiting is how many entries the database has yet to get, and how long the oldest has been waiting.
func (s *spool) waiting() (entries int, age time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.oldest.IsZero() {
		age = max(0, time.Since(s.oldest))
	}
	return int(s.came - s.gone), age //nolint:gosec // lines of files
}

// close lets go of the files, once nothing is appended or read any more, and leaves none if the database has all.
func (s *spool) close() error {
	if s == nil {
		return nil
	}
	var errs []error
	if s.file != nil {
		errs = append(errs, s.file.Close())
		s.file = nil
	}
	if s.came == s.gone {
		for _, g := range s.segments {
			errs = append(errs, os.Remove(g.path))
		}
		s.segments = nil
	}
	return errors.Join(errs...)
}
