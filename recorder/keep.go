package recorder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"time"

	"go.uber.org/zap"
)

// keepEvery is how often old recordings are looked for: they grow old by whole days.
const keepEvery = 24 * time.Hour

// keeper deletes recordings that have been kept for long enough. It has one goroutine, which run is.
type keeper struct {
	recorder *Recorder
	keep     time.Duration
	clock    func() time.Time
}

// run deletes what is old, now and once a day, until ctx is done.
func (k keeper) run(ctx context.Context) {
	ticker := time.NewTicker(keepEvery)
	defer ticker.Stop()
	for {
		k.round(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// round deletes the recordings of the days that are old by the clock as it is now, and says what it did. A
// clock that was set back makes fewer days old, never more.
func (k keeper) round(ctx context.Context) {
	r := k.recorder
	defer func() {
		if v := recover(); v != nil {
			r.panicked("recorder: keep", v)
		}
	}()
	now := k.clock()
	days, err := dayFolders(r.root.FS())
	errs := []error{err}
	deleted, oldest := 0, ""
	for _, day := range days {
		if ctx.Err() != nil || !k.old(day, now) {
			continue
		}
		n, err := k.clear(ctx, day)
		errs = append(errs, err)
		if deleted += n; n > 0 && oldest == "" {
			oldest = day
		}
	}
	if deleted > 0 {
		r.log.Info("old recordings deleted", zap.Int("recordings", deleted), zap.String("oldest_day", oldest),
			zap.Duration("keep", k.keep))
	}
	if err := errors.Join(errs...); err != nil {
		r.log.Warn("old recordings not all deleted; tried again in a day", zap.Error(err))
	}
}

// old reports whether a day, all of it, lies longer ago than recordings are kept.
func (k keeper) old(day string, now time.Time) bool {
	location := k.recorder.location
	if location == nil {
		location = time.Local
	}
	begins, err := time.ParseInLocation("2006/01/02", day, location)
	return err == nil && !begins.AddDate(0, 0, 1).After(now.Add(-k.keep))
}

// clear deletes the recordings in a day's folder, and the folder when nothing is left in it. One file's
// error does not keep it from the others. A recording that still runs is left for another day.
func (k keeper) clear(ctx context.Context, day string) (deleted int, err error) {
	r := k.recorder
	files, err := fs.ReadDir(r.root.FS(), day)
	if err != nil {
		return 0, fmt.Errorf("delete old recordings: %w", err)
	}
	running := r.running()
	left := 0
	var errs []error
	for _, f := range files {
		name := path.Join(day, f.Name())
		ours := namePattern.MatchString(name) && f.Type().IsRegular() && !slices.Contains(running, name)
		if !ours || ctx.Err() != nil {
			left++
			continue
		}
		if err := r.root.Remove(name); err != nil {
			errs = append(errs, fmt.Errorf("delete old recording: %w", err))
			left++
			continue
		}
		deleted++
		r.metrics.deleted.Inc()
	}
	if left == 0 {
		if err := r.root.Remove(day); err != nil {
			errs = append(errs, fmt.Errorf("delete empty folder of recordings: %w", err))
		}
	}
	return deleted, errors.Join(errs...)
}

// running are the names of the recordings that are being written.
func (r *Recorder) running() []string {
	r.mu.Lock()
	active := make([]*recording, 0, len(r.active))
	for c := range r.active {
		active = append(active, c)
	}
	r.mu.Unlock()
	names := make([]string, len(active))
	for i, c := range active {
		names[i] = c.Name()
	}
	return names
}
