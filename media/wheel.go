package media

import (
	"context"
	"time"
)

// maxArrears is how far the wheel may fall behind and still make up for it, frame by frame: half a second.
// A loaded machine, or a hypervisor, takes the processor away for a few hundred milliseconds, and phones hold
// about as much in their jitter buffers; a frame sent late but with its own time is heard in its place, while
// one left out is a hole, and every prompt ends later by it. After a longer standstill (the machine slept)
// what was due is left out: nobody waits for a burst of that length.
const maxArrears = 25 * FrameDuration

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
			s.turnContained(due, frame[:])
		}
		due = due.Add(FrameDuration)
		now := time.Now()
		if now.Sub(due) > maxArrears {
			due = now
		}
		timer.Reset(due.Sub(now)) // at once, while in arrears
	}
}
