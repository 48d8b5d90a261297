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
// when the first is put, and belongs to [openSpool] alone.
type aside struct {
	path string
	file *os.File
	size int64
	// lines are those put since it was made; lost are the octets that found no room.
	lines, lost int
}

// put appends a part of a line, with the line's end if it has one.
func (a *aside) put(part []byte) error {
	if a.file == nil {
		f, err := os.OpenFile(a.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		a.file = f
		info, err := f.Stat()
		if err != nil {
			return err
		}
		a.size = info.Size()
	}
	if a.size+int64(len(part)) > maxAside {
		a.lost += len(part)
		return nil
	}
	a.size += int64(len(part))
	_, err := a.file.Write(part)
	return err
}

// end brings what was put to the disk, closes the file, and says so to the log.
func (a *aside) end(log *zap.Logger) error {
	if a.file == nil {
		return nil
	}
	log.Error("lines of the spool that cannot be read are set aside: events in them are not sent",
		zap.Int("lines", a.lines), zap.String("file", filepath.Base(a.path)), zap.Int("octets_without_room", a.lost))
	return errors.Join(a.file.Sync(), a.file.Close())
}

// read takes every line of a spool, and puts aside those that cannot be read: damaged ones, those longer than
// maxLine, and the last one if a crash cut it off.
func (s *spool) read(file io.Reader, bad *aside) error {
	lines := bufio.NewReaderSize(file, maxLine)
	for rest := false; ; { // rest: of a line whose beginning was put aside
		part, err := lines.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		if len(part) > 0 && (rest || long || !s.takeLine(part)) {
			if !rest {
				bad.lines++
			}
			if err := bad.put(part); err != nil {
				return err
			}
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
