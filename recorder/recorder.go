package recorder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"hotline/call"
)

const (
	// flushEvery is how old the file of a killed process may be.
	flushEvery = time.Second
	// flushTurns is in how many turns per flushEvery the recordings are served, each in the turn of
	// its start: so the disk's work does not come in one burst.
	flushTurns = 8
	// flushBytes is the largest single write.
	flushBytes = 32 << 10
	// startPatience is how long Start waits for the file: a call does not feel it. A file that takes
	// longer is waited for in the background while the window holds the audio.
	startPatience = 250 * time.Millisecond
	// closePatience is how long a recording's Close waits for the disk.
	closePatience = 10 * time.Second
	// maxTakes is how many recordings one call may have.
	maxTakes = 99

	dirMode  = 0o750
	fileMode = 0o640
)

// Errors of this package that a caller tells apart.
var (
	// ErrBadName: a call's id holds more than letters, digits and hyphens, or is longer than 128.
	ErrBadName = errors.New("recorder: not a name for a recording")
	// ErrClosed: the recorder is closed.
	ErrClosed = errors.New("recorder: closed")
	// ErrStalled: the disk did not finish in time.
	ErrStalled = errors.New("recorder: the disk did not answer in time")
	// ErrDropped: the disk stalled for so long that audio had to be dropped; the file has silence
	// in its place.
	ErrDropped = errors.New("recorder: audio dropped while the disk stalled")
	// ErrBadEnd: the end lies before the join; the file has what had been written by then.
	ErrBadEnd = errors.New("recorder: the end lies before the join")
	// ErrFault: the recording met a fault of ours (a panic, contained to it); the file has what had been
	// written by then.
	ErrFault = errors.New("recorder: fault in a recording")
	// ErrTooLong: the recording reached the 4 GiB (74 hours) that a WAV file can hold.
	ErrTooLong = errors.New("recorder: longer than a WAV file can be")
)

var (
	idPattern   = regexp.MustCompile(`^[A-Za-z0-9-]{1,128}$`)
	namePattern = regexp.MustCompile(`^\d{4}/\d{2}/\d{2}/[A-Za-z0-9-]{1,128}(_\d{1,2})?\.wav$`)
)

// Options of a Recorder.
type Options struct {
	// Dir is the folder of recordings; it is made if need be, mode 0750. It may be a symbolic link,
	// but no link below it is followed out of it.
	Dir string
	// Location decides the day whose folder a recording lies in; nil means that of the join's time, and
	// for Keep the system's.
	Location *time.Location
	// Keep is how long recordings are kept: those of a day that ended longer ago are deleted, at the start
	// and then once a day. 0 or less keeps them for ever.
	Keep time.Duration
	// OnError, if not nil, is told once of each recording that ended before its call did, when that
	// happens. It is called from the recorder's goroutines and must not block. The same error is
	// returned by Start or Close.
	OnError func(call string, err error)
	// OnPanic, if not nil, is told of each fault that was contained to one recording, or to one round of
	// deleting old ones: where, and what was recovered. It is called from the recorder's goroutines and
	// must not block.
	OnPanic func(where string, v any)
	// Clock is the wall clock by which recordings grow old, for tests; nil means time.Now.
	Clock func() time.Time
	// Logger; nil is silent.
	Logger *zap.Logger
	// Registry for hotline_recordings_total, hotline_recordings_deleted_total and
	// hotline_recording_dropped_seconds_total; nil is silent.
	Registry prometheus.Registerer
}

func (o Options) withDefaults() Options {
	if o.OnPanic == nil {
		o.OnPanic = func(string, any) {}
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return o
}

// Recorder writes recordings. It implements call.Recorder.
type Recorder struct {
	root     *os.Root
	location *time.Location
	onError  func(string, error)
	onPanic  func(string, any)
	log      *zap.Logger
	metrics  *metrics
	openFile func(name string) (file, error) // makes a new file; tests put a failing disk here

	mu     sync.Mutex
	active map[*recording]struct{}
	closed bool

	stop context.CancelFunc
	work sync.WaitGroup // the flusher, the keeper, and the disk work of Start and Close
}

var _ call.Recorder = (*Recorder)(nil)

// New makes the folder, repairs what a crash left in it (see [Recover]; what cannot be repaired is
// logged and left alone), and starts the flusher and, when recordings are not kept for ever, the keeper. The
// caller must Close it.
// Errors: the folder cannot be made or opened; the registry already has the metrics.
func New(o Options) (*Recorder, error) {
	o = o.withDefaults()
	m, err := newMetrics(o.Registry)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, dirMode); err != nil {
		return nil, fmt.Errorf("make the folder of recordings: %w", err)
	}
	root, err := os.OpenRoot(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open the folder of recordings: %w", err)
	}
	repaired, err := recoverRoot(root)
	if err != nil {
		o.Logger.Warn("recordings not repaired", zap.Error(err))
	}
	if len(repaired) > 0 {
		o.Logger.Info("recordings repaired after a crash", zap.Strings("names", repaired))
		m.outcomes.WithLabelValues(outcomeRecovered).Add(float64(len(repaired)))
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &Recorder{
		root: root, location: o.Location, onError: o.OnError, onPanic: o.OnPanic, log: o.Logger, metrics: m,
		active: map[*recording]struct{}{}, stop: stop,
	}
	r.openFile = r.openNew
	r.work.Go(func() { r.flusher(ctx) })
	if o.Keep > 0 {
		k := keeper{recorder: r, keep: o.Keep, clock: o.Clock}
		r.work.Go(func() { k.run(ctx) })
	}
	return r, nil
}

// Start implements call.Recorder. It waits for the file, but at most startPatience: on a disk that takes
// longer the recording begins all the same, and an error there is told to OnError and returned by Close.
// Errors: ErrBadName, ErrClosed, and those of making a file.
func (r *Recorder) Start(callID string, joined time.Time) (call.Recording, error) {
	if !idPattern.MatchString(callID) {
		r.metrics.count(ErrBadName)
		return nil, fmt.Errorf("start the recording of call %q: %w", callID, ErrBadName)
	}
	day := joined
	if r.location != nil {
		day = joined.In(r.location)
	}
	c := &recording{
		recorder: r, call: callID, joined: joined, made: make(chan struct{}),
		name: day.Format("2006/01/02/") + callID + ".wav", window: newWindow(), flushed: time.Now(),
	}
	r.mu.Lock()
	closed := r.closed
	if !closed {
		r.active[c] = struct{}{}
	}
	r.mu.Unlock()
	if closed {
		r.metrics.count(ErrClosed)
		return nil, fmt.Errorf("start the recording of call %s: %w", callID, ErrClosed)
	}
	err := r.patiently(startPatience, func() error { return c.contained("recorder: start", c.create) })
	switch {
	case errors.Is(err, ErrStalled):
		r.log.Warn("disk is slow: recording begins in memory", zap.String("call", callID))
	case err != nil:
		return nil, c.Close(joined)
	}
	return c, nil
}

// patiently does disk work in a goroutine of its own and waits for it, but not for ever: after d it
// returns ErrStalled and the work goes on. Close waits for it.
func (r *Recorder) patiently(d time.Duration, work func() error) error {
	done := make(chan error, 1)
	r.work.Go(func() { done <- work() })
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return ErrStalled
	}
}

// create makes the file of a recording, under the first name of that call that is free.
func (r *Recorder) create(first string) (f file, name string, err error) {
	if err := r.root.MkdirAll(path.Dir(first), dirMode); err != nil {
		return nil, "", err
	}
	name = first
	for take := 2; ; take++ {
		f, err = r.openFile(name)
		if !errors.Is(err, fs.ErrExist) || take > maxTakes {
			return f, name, err
		}
		name = fmt.Sprintf("%s_%d.wav", first[:len(first)-len(".wav")], take)
	}
}

func (r *Recorder) openNew(name string) (file, error) {
	f, err := r.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// discard takes back a file into which not even its header could be written.
func (r *Recorder) discard(f file, name string, why error) error {
	return errors.Join(why, f.Close(), r.root.Remove(name))
}

// flusher carries each recording's audio to its file every flushEvery.
func (r *Recorder) flusher(ctx context.Context) {
	ticker := time.NewTicker(flushEvery / flushTurns)
	defer ticker.Stop()
	buf := make([]byte, flushBytes)
	var due []*recording
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			due = r.due(now, due[:0])
		}
		for _, c := range due {
			c.turn(buf)
		}
		clear(due)
	}
}

// due appends the recordings whose turn it is.
func (r *Recorder) due(now time.Time, to []*recording) []*recording {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.active {
		if now.Sub(c.flushed) >= flushEvery {
			c.flushed = now
			to = append(to, c)
		}
	}
	return to
}

// panicked logs and counts a fault that was contained.
func (r *Recorder) panicked(where string, v any, of ...zap.Field) {
	r.log.Error("panic contained", append(of, zap.String("where", where), zap.Any("panic", v), zap.Stack("stack"))...)
	r.onPanic(where, v)
}

func (r *Recorder) forget(c *recording) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.active, c)
}

// Open opens a recording for reading, by the name that the record keeps; one that still runs may be read
// too. It returns the time of the last write and the size in bytes.
// Errors: one that wraps [fs.ErrNotExist] for a name that is none, or names nothing.
func (r *Recorder) Open(name string) (file io.ReadSeekCloser, modified time.Time, size int64, err error) {
	if !namePattern.MatchString(name) {
		return nil, time.Time{}, 0, fmt.Errorf("open recording %q: %w", name, fs.ErrNotExist)
	}
	f, err := r.root.Open(name)
	if err != nil {
		return nil, time.Time{}, 0, fmt.Errorf("open recording: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, time.Time{}, 0, errors.Join(fmt.Errorf("open recording: %w", err), f.Close())
	}
	return f, info.ModTime(), info.Size(), nil
}

// Close ends the recordings that still run, now, and waits until everything is on the disk and the
// flusher has stopped. It returns what made recordings incomplete. Idempotent.
func (r *Recorder) Close() error {
	r.mu.Lock()
	first := !r.closed
	r.closed = true
	open := make([]*recording, 0, len(r.active))
	for c := range r.active {
		open = append(open, c)
	}
	r.mu.Unlock()

	now := time.Now()
	errs := make([]error, len(open))
	var all sync.WaitGroup
	for i, c := range open {
		all.Go(func() { errs[i] = c.Close(now) })
	}
	all.Wait()
	r.stop()
	r.work.Wait()
	if first {
		errs = append(errs, r.root.Close())
	}
	return errors.Join(slices.DeleteFunc(errs, func(err error) bool { return err == nil })...)
}
