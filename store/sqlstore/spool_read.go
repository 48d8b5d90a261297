package sqlstore

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"go.uber.org/zap"
)

// Bounds of what is read, and written to the database, at once.
const (
	batchRows  = 200
	batchBytes = 1 << 20
)

// batch are entries of one segment, in order.
type batch struct {
	id   string // of the start that wrote them
	rows []*row
	// aside are lines that cannot be read.
	aside [][]byte
	lines uint64
	end   int64 // in the segment
}

// segmentShape is what a segment's name is like: its number, and the start that wrote it.
var segmentShape = regexp.MustCompile(`^([0-9]{8,})-([0-9a-f-]{36})\.log$`)

// find looks for the segments that earlier starts left, in their order.
func (s *spool) find() error {
	files, err := os.ReadDir(s.dir) // sorted by name
	if err != nil {
		return err
	}
	for _, f := range files {
		m := segmentShape.FindStringSubmatch(f.Name())
		if m == nil {
			continue
		}
		g := &segment{path: filepath.Join(s.dir, f.Name()), id: m[2]}
		if s.number, err = strconv.Atoi(m[1]); err != nil {
			return fmt.Errorf("number of segment %s: %w", g.path, err)
		}
		lines, err := g.measure()
		if err != nil {
			return err
		}
		s.came += lines
		s.segments = append(s.segments, g)
	}
	if s.came > 0 {
		s.oldest = time.Now() // until the first is read
		s.log.Warn("call records of before wait in the spool for the database", zap.Uint64("entries", s.came))
	}
	return nil
}

// measure finds out its size, and counts its lines.
func (g *segment) measure() (lines uint64, err error) {
	f, err := os.Open(g.path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	part := make([]byte, 64<<10)
	for {
		n, err := f.Read(part)
		g.size += int64(n)
		lines += uint64(bytes.Count(part[:n], []byte{'\n'})) //nolint:gosec // a count
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// next reads the entries that are to be written next; none: there are none now. They stay until done says so.
func (s *spool) next() (*batch, error) {
	for {
		s.mu.Lock()
		if len(s.segments) == 0 {
			s.mu.Unlock()
			return nil, nil //nolint:nilnil // nothing is no error
		}
		g := *s.segments[0]
		s.mu.Unlock()
		if s.offset < g.size {
			return s.read(g)
		}
		if g.live {
			return nil, nil //nolint:nilnil // as above
		}
		if err := os.Remove(g.path); err != nil {
			return nil, fmt.Errorf("remove segment of the spool: %w", err)
		}
		s.mu.Lock()
		s.segments = s.segments[1:]
		s.mu.Unlock()
		s.offset = 0
	}
}

func (s *spool) read(g segment) (_ *batch, err error) {
	f, err := os.Open(g.path)
	if err != nil {
		return nil, fmt.Errorf("read spool: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b := &batch{id: g.id, end: s.offset}
	lines := bufio.NewReaderSize(io.NewSectionReader(f, s.offset, g.size-s.offset), 64<<10)
	for len(b.rows) < batchRows && b.end-s.offset < batchBytes {
		line, err := lines.ReadBytes('\n')
		b.end += int64(len(line))
		if errors.Is(err, io.EOF) {
			if len(line) > 0 { // nobody was told that it is durable
				s.log.Warn("an entry of the spool that was not written to its end is dropped", zap.String("file", g.path))
			}
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read spool: %w", err)
		}
		b.lines++
		r, err := parseLine(line)
		if err != nil {
			s.log.Error("a line of the spool is damaged and is set aside", zap.String("file", g.path),
				zap.Int64("ends_at", b.end), zap.String("aside", asideName), zap.Error(err))
			b.aside = append(b.aside, line)
			continue
		}
		b.rows = append(b.rows, r)
	}
	if len(b.rows) > 0 {
		s.mu.Lock()
		s.oldest = time.Unix(0, b.rows[0].At)
		s.mu.Unlock()
	}
	return b, nil
}

// errDamaged: a line of the spool that is not as it was written.
var errDamaged = errors.New("checksum does not fit")

func parseLine(line []byte) (*row, error) {
	sum, rest, _ := bytes.Cut(bytes.TrimSuffix(line, []byte{'\n'}), []byte{' '})
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if err != nil || uint32(want) != crc32.Checksum(rest, castagnoli) { //nolint:gosec // 32 bits were parsed
		return nil, errDamaged
	}
	number, text, _ := bytes.Cut(rest, []byte{' '})
	var e entry
	seq, err := strconv.ParseUint(string(number), 10, 64)
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	if err != nil {
		return nil, fmt.Errorf("decode entry: %w", err)
	}
	r := rowOf(e)
	r.seq = seq
	return r, nil
}

// done lets go of what next returned.
func (s *spool) done(b *batch) {
	s.offset = b.end
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone += b.lines
	if s.gone == s.came {
		s.oldest = time.Time{}
	}
	close(s.moved)
	s.moved = make(chan struct{})
}

// setAside keeps lines for people to look at, durably. It may be told the same twice.
func (s *spool) setAside(lines [][]byte) error {
	if len(lines) == 0 {
		return nil
	}
	if err := writeDurably(filepath.Join(s.dir, asideName), os.O_APPEND, bytes.Join(lines, nil)); err != nil {
		return fmt.Errorf("set entries of the spool aside: %w", err)
	}
	return nil
}

// wait returns when all that came before is gone, or at the limit, or when ctx is done.
func (s *spool) wait(ctx context.Context, limit time.Duration) {
	over := time.NewTimer(limit)
	defer over.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for mark := s.came; s.gone < mark; {
		moved := s.moved
		s.mu.Unlock()
		select {
		case <-moved:
		case <-over.C:
			mark = 0
		case <-ctx.Done():
			mark = 0
		}
		s.mu.Lock()
	}
}
