package media

import (
	"context"
	"time"
)

// maxArrears is how far the wheel may fall behind and still make up for it, frame by frame. After a
// longer standstill (the machine slept) what was due is left out.
const maxArrears = 5 * FrameDuration

// turn is the wheel: every FrameDuration, by deadlines counted from the first so that nothing drifts,
// it sends one frame on each stream that has something of its own to send. It returns when ctx is done.
func (e *Portable) turn(ctx context.Context) {
	var frame [frameSamples]byte
	due := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		for _, s := range *e.streams.Load() {
			s.turn(due, frame[:])
		}
		due = due.Add(FrameDuration)
		now := time.Now()
		if now.Sub(due) > maxArrears {
			due = now
		}
		timer.Reset(due.Sub(now))
	}
}
