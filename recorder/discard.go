package recorder

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"hotline/media"
)

// Discard implements call.Recording: what was written is taken away, after closePatience in the background. Errors:
// ErrStalled, or those of removing the file.
func (r *recording) Discard() error {
	first := false
	r.closing.Do(func() { first = true })
	return r.recorder.patiently(closePatience, func() error {
		return r.contained("recorder: discard", func() error { return r.discard(first) })
	})
}

// discard removes the file, if it is this recording's: a name that was not free is another's. A recording that was
// not closed ends first; how it ended does not matter any more.
func (r *recording) discard(running bool) error {
	if running {
		_ = r.finish(r.joined)
	}
	<-r.made
	r.disk.Lock()
	defer r.disk.Unlock()
	if !r.exists {
		return nil
	}
	if err := r.recorder.root.Remove(r.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("discard recording: %w", err)
	}
	r.exists = false
	r.recorder.metrics.outcomes.WithLabelValues(outcomeDiscarded).Inc()
	return nil
}

// Said implements call.Recording. It waits for the disk at most closePatience: then it is ErrStalled.
func (r *recording) Said() (media.Clip, error) {
	clip := make(chan media.Clip, 1) // the work may outlast the wait for it
	err := r.recorder.patiently(closePatience, func() error {
		return r.contained("recorder: play", func() error {
			c, err := r.said()
			clip <- c
			return err
		})
	})
	if err != nil {
		return media.Clip{}, err
	}
	return <-clip, nil
}

// said reads the left channel of the file.
func (r *recording) said() (media.Clip, error) {
	f, _, size, err := r.recorder.Open(r.Name())
	if err != nil {
		return media.Clip{}, err
	}
	pairs := make([]byte, max(0, size-headerBytes))
	_, err = f.Seek(headerBytes, io.SeekStart)
	if err == nil {
		_, err = io.ReadFull(f, pairs)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return media.Clip{}, fmt.Errorf("read recording %s: %w", r.Name(), err)
	}
	alaw := pairs[:len(pairs)/pairBytes]
	for i := range alaw {
		alaw[i] = pairs[i*pairBytes+int(media.SideA)]
	}
	return media.Clip{Name: r.Name(), ALaw: alaw}, nil
}
