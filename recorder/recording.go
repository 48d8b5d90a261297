package recorder

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"go.uber.org/zap"

	"hotline/media"
)

// file is what a recording needs of an [os.File].
type file interface {
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Stat() (fs.FileInfo, error)
	Sync() error
}

// recording is one call's recording, running. It implements call.Recording.
type recording struct {
	recorder *Recorder
	call     string
	joined   time.Time

	// made is closed once create is done; before that there is no file.
	made chan struct{}

	// disk is held over operations on the file, and guards length. It is taken before mu.
	disk   sync.Mutex
	length int64 // pairs in the file

	// mu is held for copies only and guards what follows.
	mu      sync.Mutex
	name    string
	file    file
	tracks  [channels]track
	window  window
	unsaved int64 // the first pair that is not, or not as it is now, in the file
	late    int64 // samples that came too late to be placed
	dropped int64 // samples for which there was no room
	over    bool  // nothing more is taken
	err     error // the first that made the recording incomplete

	flushed time.Time // the flusher's own: its last turn

	closing sync.Once
	outcome error

	// exists: there is a file of that name, and it is this recording's. It is guarded by disk.
	exists bool
}

// Name implements call.Recording: the file's path below Options.Dir, with slashes. It is settled when
// Start returns, unless the disk stalled for longer than startPatience.
func (r *recording) Name() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.name
}

// Frame implements [media.Tap]. It copies f's audio to its place in the window; it does not allocate
// and does not wait for the disk.
func (r *recording) Frame(f media.Frame) {
	if int(f.Side) >= channels || len(f.ALaw) == 0 {
		return
	}
	arrived := samples(f.At.Sub(r.joined))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return
	}
	// More than a second in one packet is not speech (and 64 KiB of it would not fit the window).
	alaw := f.ALaw[:min(len(f.ALaw), media.SampleRate)]
	pos, ok := r.tracks[f.Side].place(&f, arrived)
	if !ok {
		r.late += int64(len(alaw))
		return
	}
	late, ok := r.window.put(f.Side, pos, alaw, r.unsaved)
	r.late += int64(late)
	rest := len(alaw) - late
	switch {
	case !ok:
		r.dropped += int64(rest)
		r.recorder.metrics.dropped.Add(float64(rest) / media.SampleRate)
	case rest > 0:
		r.unsaved = min(r.unsaved, pos+int64(late))
	}
}

// create makes the file and its header. It runs once, in Start's goroutine.
func (r *recording) create() error {
	defer close(r.made)
	f, name, err := r.recorder.create(r.Name())
	if err == nil {
		head := header(0)
		if _, err = f.WriteAt(head[:], 0); err != nil {
			err = r.recorder.discard(f, name, err)
		}
	}
	if err != nil {
		err = fmt.Errorf("start the recording of call %s: %w", r.call, err)
		return r.fail(err)
	}
	r.disk.Lock()
	r.exists = true
	r.disk.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.file, r.name = f, name
	return nil
}

// turn is the flusher's: it carries what was heard until now to the file. A recording whose end is being
// written is passed over, so that no other waits for its fsync.
func (r *recording) turn(buf []byte) {
	if !r.disk.TryLock() {
		return
	}
	defer r.disk.Unlock()
	// The recording remembers an error, and has told OnError.
	_ = r.contained("recorder: flush", func() error { return r.flush(samples(time.Since(r.joined)), buf) })
}

// contained does a piece of a recording's work; a panic in it ends that recording and no other. Every lock
// is released by a defer, so none is held here but disk, which fail does not need.
func (r *recording) contained(where string, work func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = r.fault(where, v)
		}
	}()
	return work()
}

func (r *recording) fault(where string, v any) error {
	r.recorder.panicked(where, v, zap.String("call", r.call))
	return r.fail(fmt.Errorf("%s: call %s: %w: %v", where, r.call, ErrFault, v))
}

// flush carries what is unsaved before position end to the file, in pieces of at most len(buf). An error
// ends the recording. The caller holds disk.
func (r *recording) flush(end int64, buf []byte) error {
	f := r.open()
	if f == nil {
		return nil
	}
	if end > maxFilePairs {
		return r.fail(fmt.Errorf("write %s: %w", r.Name(), ErrTooLong))
	}
	before := r.length
	for {
		pos, part := r.take(end, buf)
		if len(part) == 0 {
			break
		}
		if _, err := f.WriteAt(part, headerBytes+pos*pairBytes); err != nil {
			r.salvage(f)
			return r.fail(fmt.Errorf("write %s: %w", r.Name(), err))
		}
		r.length = max(r.length, pos+int64(len(part)/pairBytes))
	}
	if r.length == before {
		return nil
	}
	if err := r.patch(f); err != nil {
		return r.fail(fmt.Errorf("write %s: %w", r.Name(), err))
	}
	return nil
}

// open is the file, unless there is none yet or writing it has failed.
func (r *recording) open() file {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return nil
	}
	return r.file
}

// take copies the next unsaved pairs before end into buf.
func (r *recording) take(end int64, buf []byte) (pos int64, part []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pos = r.unsaved
	n := min(end-pos, int64(len(buf)/pairBytes))
	if n <= 0 {
		return pos, nil
	}
	part = buf[:n*pairBytes]
	r.window.read(part, pos)
	r.unsaved += n
	return pos, part
}

// patch sets the header's sizes to what the file holds.
func (r *recording) patch(f file) error {
	head := header(r.length)
	_, err := f.WriteAt(head[:], 0)
	return err
}

// salvage makes what did get into a file whose disk is full part of the recording. The file is asked: an
// [os.File] does not count the part of a piece that it could write. The header lies over bytes that the
// file already has, so this mostly works, and where it does not the next start does it.
func (r *recording) salvage(f file) {
	info, err := f.Stat()
	if err != nil {
		return
	}
	r.length = max(r.length, (info.Size()-headerBytes)/pairBytes)
	_ = r.patch(f)
}

// fail ends the recording with an error, which it returns, unless another has ended it before.
func (r *recording) fail(err error) error {
	r.mu.Lock()
	first := r.err == nil
	if first {
		r.err, r.over, r.window = err, true, window{}
	}
	r.mu.Unlock()
	if first && r.recorder.onError != nil {
		r.recorder.onError(r.call, err)
	}
	return err
}

// Close implements call.Recording: it ends the recording at an instant, to the sample, and returns once
// the file is safe on the disk, or after closePatience with ErrStalled; then the file is still finished
// as soon as the disk lets it. Other errors: the one that ended the recording before (OnError was told
// it), ErrDropped, ErrBadEnd. Closed again, it returns what it did the first time.
func (r *recording) Close(end time.Time) error {
	r.closing.Do(func() {
		r.outcome = r.recorder.patiently(closePatience, func() error {
			return r.contained("recorder: close", func() error { return r.finish(end) })
		})
		r.recorder.metrics.count(r.outcome)
	})
	return r.outcome
}

func (r *recording) finish(end time.Time) error {
	defer r.recorder.forget(r)
	r.mu.Lock()
	r.over = true
	r.mu.Unlock()
	<-r.made

	err := r.conclude(samples(end.Sub(r.joined)))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.late > 0 || r.dropped > 0 {
		r.recorder.log.Info("recording has gaps", zap.String("call", r.call),
			zap.Int64("late_samples", r.late), zap.Int64("dropped_samples", r.dropped))
	}
	switch {
	case r.err != nil:
		return r.err
	case err != nil:
		return fmt.Errorf("finish %s: %w", r.name, err)
	case r.dropped > 0:
		return fmt.Errorf("%s: %d samples: %w", r.name, r.dropped, ErrDropped)
	}
	return nil
}

// conclude brings the file to its end, and to the disk, and closes it. One that failed before is closed
// with what it has, and so is one that fails now.
func (r *recording) conclude(end int64) (err error) {
	r.disk.Lock()
	defer r.disk.Unlock()
	defer func() { err = errors.Join(err, r.shut()) }()
	var bad error
	if end < 0 {
		// Nobody wants audio destroyed by a wrong clock: what is there is kept.
		end, bad = r.length, ErrBadEnd
	}
	err = r.flush(end, make([]byte, flushBytes))
	r.mu.Lock()
	f := r.file
	r.mu.Unlock()
	if err == nil && f != nil && r.length > end {
		err = r.cut(f, end)
	}
	return errors.Join(bad, err)
}

// shut brings what the file has to the disk, and lets go of the file and of the window.
func (r *recording) shut() (err error) {
	r.mu.Lock()
	f := r.file
	r.file, r.window = nil, window{}
	r.mu.Unlock()
	if f == nil {
		return nil
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return f.Sync()
}

// cut takes away what was written beyond the end.
func (r *recording) cut(f file, end int64) error {
	r.length = end
	if err := r.patch(f); err != nil {
		return err
	}
	return f.Truncate(headerBytes + end*pairBytes)
}
