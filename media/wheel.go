package media

import (
	"slices"
	"time"
)

// maxArrears is how far the wheel may fall behind and still make up for it, frame by frame: half a second.
// A loaded machine, or a hypervisor, takes the processor away for a few hundred milliseconds, and phones hold
// about as much in their jitter buffers; a frame sent late but with its own time is heard in its place, while
// one left out is a hole, and every prompt ends later by it. After a longer standstill (the machine slept)
// what was due is left out: nobody waits for a burst of that length.
const maxArrears = 25 * FrameDuration

// nowhere is the seat of a line that the wheel does not turn for.
const nowhere = -1

// wheel has the lines of one shard send whatever is theirs to send by the clock: every FrameDuration, by deadlines
// counted from the first so that nothing drifts. Not safe for concurrent use; owned by its shard.
type wheel struct {
	lines []*line
	due   time.Time // of the next turn
}

// add has the wheel turn for a line.
func (w *wheel) add(l *line) {
	l.seat = len(w.lines)
	w.lines = append(w.lines, l)
}

// remove is the opposite, for a line that may not have been added; a line may be removed in its own turn.
func (w *wheel) remove(l *line) {
	if l.seat == nowhere {
		return
	}
	last := len(w.lines) - 1
	w.lines[l.seat] = w.lines[last]
	w.lines[l.seat].seat = l.seat
	w.lines[last] = nil
	w.lines = w.lines[:last]
	l.seat = nowhere
}

// turn sends one frame on each line that has something of its own to send, and moves the deadline on. now is asked
// for the time when that has been done.
func (w *wheel) turn(frame []byte, now func() time.Time) {
	for _, l := range slices.Backward(w.lines) { // whoever is removed leaves its seat to one who had its turn
		l.turnContained(w.due, frame)
	}
	w.due = w.due.Add(FrameDuration)
	if n := now(); n.Sub(w.due) > maxArrears {
		w.due = n
	}
}
