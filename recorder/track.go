package recorder

import (
	"time"

	"hotline/media"
)

const (
	// maxApart is how far timestamp and arrival may disagree before the timestamps are held to have
	// begun anew: longer than the stalls that a mobile network makes up for in a burst, shorter than
	// most holds, after which many phones go on counting where they stopped.
	maxApart = 2 * media.SampleRate
	// maxMisorder is how many packets late one may be and still be an old one (RFC 3550 A.1,
	// MAX_MISORDER); one further behind is from a sender that began anew.
	maxMisorder = 100
	// driftSpan is over how much of a call the drift of two clocks is measured. The packet that
	// travelled best counts, so that jitter does not.
	driftSpan = 10 * media.SampleRate
	// maxDrift is how far a side may run from arrival time before it is moved back: 60 ms. At a
	// crystal's 100 ppm that is one step in ten minutes.
	maxDrift = 60 * media.SampleRate / 1000
)

// track says where one side's frames belong, in samples since the join.
//
// The first frame, and the first after the sender began anew (another SSRC, or a timestamp more than
// maxApart from arrival), is placed by its arrival; from there on a frame is placed by the difference of
// timestamps. The other party hears a frame when it arrives, so both sides lie as they were heard.
type track struct {
	begun bool
	ssrc  uint32
	// Of the newest frame, by sequence number; pos is where it was placed.
	seq       uint16
	timestamp uint32
	pos       int64

	// best is the most that a frame lay ahead of its arrival (less than 0: all were late) since
	// position since.
	best, since int64
}

// place returns where a frame that arrived at a position belongs. It is false for an old frame whose
// timestamp makes no sense.
func (t *track) place(f *media.Frame, arrived int64) (pos int64, ok bool) {
	if !t.begun || f.SSRC != t.ssrc {
		t.anchor(f, arrived)
		return arrived, true
	}
	// Serial arithmetic: both counters wrap (RFC 3550 section 5.1; RFC 1982).
	pos = t.pos + int64(int32(f.Timestamp-t.timestamp))
	old := t.seq-f.Sequence <= maxMisorder // a duplicate of the newest included
	ahead := pos - arrived
	if ahead > maxApart || ahead < -maxApart {
		if old {
			return 0, false
		}
		t.anchor(f, arrived)
		return arrived, true
	}
	if !old {
		t.seq, t.timestamp, t.pos = f.Sequence, f.Timestamp, pos
		t.guard(ahead, arrived)
	}
	return pos, true
}

func (t *track) anchor(f *media.Frame, arrived int64) {
	*t = track{
		begun: true, ssrc: f.SSRC, seq: f.Sequence, timestamp: f.Timestamp, pos: arrived,
		since: arrived,
	}
}

// guard keeps a sender's clock that runs faster or slower than ours from pulling the sides apart. It
// acts on the frames that follow.
func (t *track) guard(ahead, arrived int64) {
	t.best = max(t.best, ahead)
	if arrived-t.since < driftSpan {
		return
	}
	if t.best > maxDrift || t.best < -maxDrift {
		t.pos -= t.best
	}
	t.best, t.since = -maxApart, arrived
}

// samples is how many samples fit a time, rounded to the nearest.
func samples(d time.Duration) int64 {
	const one = time.Second / media.SampleRate
	return int64(d.Round(one) / one)
}
