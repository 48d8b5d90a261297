package notify

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"

	"go.uber.org/zap"
)

// maxAside bounds the file of lines set aside, in octets; what would make it longer is only counted.
const maxAside = 4 << 20

// aside is the file beside a spool for its lines that cannot be read: they may be told by a person yet. It is made
// when the first is put, and belongs to [openSpool] alone. It may fail: then it says so to the log, and nothing waits
// for it.
type aside struct {
	path string
	file *os.File
	size int64
	// cut: what was written last has no line end; full: the line that is put now found no room.
	cut, full bool
	// lines are those put since it was made; lost are the octets that found no room.
	lines, lost int
	err         error // the first; nothing is written after it
}

// put appends a part of a line, with the line's end if it has one. begins says that it is the line's first.
func (a *aside) put(part []byte, begins bool) {
	if begins {
		a.lines++
		a.full = false
	}
	if a.file == nil && a.err == nil {
		a.err = a.open()
	}
	if a.err != nil {
		return
	}
	if begins && a.cut { // by a crash, or for want of room: what comes now is another line
		part = append([]byte{'\n'}, part...)
	}
	if a.full = a.full || a.size+int64(len(part)) > maxAside; a.full {
		a.lost += len(part)
		return
	}
	a.size += int64(len(part))
	a.cut = part[len(part)-1] != '\n'
	_, a.err = a.file.Write(part)
}

// open opens the file, and sees whether its last line has an end.
func (a *aside) open() error {
	f, err := os.OpenFile(a.path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	a.file = f
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	a.size = info.Size()
	last := make([]byte, 1)
	_, err = f.ReadAt(last, a.size-1)
	a.cut = last[0] != '\n'
	return err
}

// end brings what was put to the disk, closes the file, and says so to the log. It reports whether all that found
// room is there.
func (a *aside) end(log *zap.Logger) bool {
	if a.lines == 0 {
		return true
	}
	err := a.err
	if a.file != nil {
		err = errors.Join(err, a.file.Sync(), a.file.Close())
	}
	log = log.With(zap.Int("lines", a.lines), zap.String("file", filepath.Base(a.path)))
	if err != nil {
		log.Error("lines of the spool that cannot be read cannot be set aside either: events in them are not sent", zap.Error(err))
		return false
	}
	log.Error("lines of the spool that cannot be read are set aside: events in them are not sent",
		zap.Int("octets_without_room", a.lost))
	return true
}

// read takes every line of a spool, and puts aside those that cannot be read: damaged ones, those longer than
// maxLine, and the last one if a crash cut it off.
func (s *spool) read(file io.Reader, bad *aside) error {
	lines := bufio.NewReaderSize(file, maxLine)
	for rest := false; ; { // rest: of a line whose beginning was put aside
		part, err := lines.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		if len(part) > 0 && (rest || long || !s.takeLine(part)) {
			bad.put(part, !rest)
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !long:
			return err
		}
		rest = long
	}
}

// keepOld keeps the file as it is under another name, before it is written anew: lines in it are nowhere else. One
// that was kept before stays, so that there is never more than one. It reports whether the file was kept.
func (s *spool) keepOld() bool {
	kept := s.path + suffixOld
	if err := os.Link(s.path, kept); err != nil {
		s.log.Error("the spool with lines that cannot be read is not kept", zap.Error(err))
		return false
	}
	s.log.Error("the spool with lines that cannot be read is kept as it was", zap.String("file", filepath.Base(kept)))
	return true
}
