package media

import "time"

// maxArrears is how far the wheel may fall behind and still make up for it, frame by frame: half a second.
// A loaded machine, or a hypervisor, takes the processor away for a few hundred milliseconds, and phones hold
// about as much in their jitter buffers; a frame sent late but with its own time is heard in its place, while
// one left out is a hole, and every prompt ends later by it. After a longer standstill (the machine slept)
// what was due is left out: nobody waits for a burst of that length.
const maxArrears = 25 * FrameDuration

// nowhere is the seat of a line that the wheel does not turn for.
const nowhere = -1

// wheel has the lines of one shard send whatever is theirs to send by the clock: every FrameDuration, by deadlines
// counted from the first so that nothing drifts. A line that has nothing to do for some turns, as most in bridges, is left
// alone for so long, or until it is stirred. Not safe for concurrent use; owned by its shard.
type wheel struct {
	places []place
	count  uint64    // of turns so far
	due    time.Time // of the next turn
	pace   pace
}

// place is a line's on a wheel.
type place struct {
	line *line
	last uint64 // turn that the line had
	next uint64 // turn that is its again
}

// add has the wheel turn for a line.
func (w *wheel) add(l *line) {
	l.wheel, l.seat = w, len(w.places)
	w.places = append(w.places, place{line: l, last: w.count})
}

// remove is the opposite, for a line that may not have been added; a line may be removed in its own turn.
func (w *wheel) remove(l *line) {
	if l.seat == nowhere {
		return
	}
	last := len(w.places) - 1
	w.places[l.seat] = w.places[last]
	w.places[l.seat].line.seat = l.seat
	w.places[last] = place{}
	w.places = w.places[:last]
	l.wheel, l.seat = nil, nowhere
}

// stir has the line's turn come with the next turn of the wheel, however long it was to be left alone.
func (l *line) stir() {
	if l.seat != nowhere {
		l.wheel.places[l.seat].next = 0
	}
}

// begin has the next turn be due now.
func (w *wheel) begin() {
	w.due = time.Now()
	w.pace.set(w.due)
}

// turn sends one frame on each line that has something of its own to send, and moves the deadline on. now is asked
// for the time when that has been done.
func (w *wheel) turn(frame []byte, now func() time.Time) {
	w.count++
	w.pace.turned(w.due, now())
	for i := len(w.places) - 1; i >= 0; i-- { // whoever is removed leaves its seat to one who had its turn
		k := &w.places[i]
		if k.next > w.count {
			continue
		}
		l, passed := k.line, int(w.count-k.last)
		k.last = w.count
		rest := l.turnContained(w.due, passed, frame)
		if l.wheel == w {
			w.places[l.seat].next = w.count + uint64(rest)
		}
	}
	w.due = w.due.Add(FrameDuration)
	if n := now(); n.Sub(w.due) > maxArrears {
		w.due = n
	}
	w.pace.set(w.due)
}
