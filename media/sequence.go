package media

import "time"

// arrival is what a packet's sequence number says of it.
type arrival uint8

const (
	arrivedNew       arrival = iota // newer than all before it
	arrivedLate                     // older than the newest, but not seen before
	arrivedDuplicate                // seen before
)

// reorderWindow is how far back duplicates are told from late packets, in packets. It also parts a late
// packet from a restarted sequence (RFC 3550 A.1, MAX_MISORDER is 100 there).
const reorderWindow = 64

// maxDropout is the greatest gap that is taken as loss; beyond it the sender has begun anew
// (RFC 3550 A.1), as the next packet shows by going on from there. The first is not thrown away, as it is
// there: the source lock has already kept strangers out, and so no audio is lost.
const maxDropout = 3000

// maxTransit is how much later or sooner than the one before it a packet may be and still count as late or soon, in
// samples (2 s): more is a sender whose clock has begun anew.
const maxTransit = 2 * SampleRate

// sequence keeps the statistics of the packets of one sender at a time (RFC 3550 A.1, A.3, A.8). A new
// SSRC, or a jump in the numbers, begins a new run; what the runs before lost stays counted. Not
// safe for concurrent use.
//
// What is wrong with the order is put right where it costs no delay: a packet that was seen before goes no further. One
// that comes late does, at once and with its own number and time, by which a recording puts it in its place, and the far
// end's jitter buffer if there is still time. To hold packets back until a missing one is there would delay the many for
// the few, and the far end, which waits anyway, knows best for how long.
type sequence struct {
	begun   bool
	ssrc    uint32
	base    uint64 // extended sequence number of the run's first packet
	highest uint64 // of its newest
	seen    uint64 // bit n: packet highest-n has arrived
	count   uint64 // packets of the run, without duplicates and without those before its base
	jumped  bool   // the last packet was too far away to be of the run
	after   uint16 // the number that would follow on it

	lostBefore, expectedBefore uint64 // in earlier runs
	duplicate, late            uint64

	timed   bool
	transit uint32
	jitter  float64 // in samples, smoothed
}

// arrive takes note of one packet.
func (q *sequence) arrive(ssrc uint32, number uint16) arrival {
	if !q.begun || ssrc != q.ssrc {
		q.restart(ssrc, number)
		return arrivedNew
	}
	step := int(int16(number - uint16(q.highest)))
	if step > maxDropout || step <= -reorderWindow {
		return q.jump(number)
	}
	q.jumped = false
	switch {
	case step > 0:
		q.highest += uint64(step)
		q.seen = q.seen<<step | 1 // a shift by 64 or more leaves nothing, as it should
		q.count++
		return arrivedNew
	case q.seen>>-step&1 == 1:
		q.duplicate++
		return arrivedDuplicate
	}
	q.seen |= 1 << -step
	q.late++
	if q.highest-uint64(-step) >= q.base {
		q.count++
	}
	return arrivedLate
}

// jump takes note of a packet far from all others: a stray one, or, if it goes on from another such, the second of a new
// run.
func (q *sequence) jump(number uint16) arrival {
	if q.jumped && number == q.after {
		q.restart(q.ssrc, number-1)
		q.highest, q.seen, q.count = q.base+1, 3, 2
		return arrivedNew
	}
	if q.jumped && number == q.after-1 {
		q.duplicate++
		return arrivedDuplicate
	}
	q.jumped, q.after = true, number+1
	return arrivedNew
}

func (q *sequence) restart(ssrc uint32, number uint16) {
	q.lostBefore, q.expectedBefore = q.lost(), q.expected()
	q.begun, q.ssrc = true, ssrc
	q.base = 1<<32 + uint64(number) // far from zero, so that a packet before the first has a number
	q.highest, q.seen, q.count = q.base, 1, 1
	q.jumped, q.timed = false, false
}

// lost is how many packets never came (RFC 3550 A.3). It falls when a late one does.
func (q *sequence) lost() uint64 {
	if !q.begun {
		return 0
	}
	return q.lostBefore + (q.highest - q.base + 1 - q.count)
}

// expected is how many packets there should have been (RFC 3550 A.3).
func (q *sequence) expected() uint64 {
	if !q.begun {
		return 0
	}
	return q.expectedBefore + q.highest - q.base + 1
}

// time takes note of when an audio packet arrived (RFC 3550 A.8). Telephone-events are left out: all
// packets of one carry the timestamp of its beginning.
func (q *sequence) time(timestamp uint32, at time.Duration) {
	transit := uint32(samples(at)) - timestamp
	if q.timed {
		d := int64(int32(transit - q.transit))
		if d = max(d, -d); d <= maxTransit {
			q.jitter += (float64(d) - q.jitter) / 16
		}
	}
	q.timed, q.transit = true, transit
}

// samples is how many samples are in a time.
func samples(d time.Duration) int64 { return int64(d / (time.Second / SampleRate)) }

// duration is how long n samples last.
func duration(n float64) time.Duration { return time.Duration(n * float64(time.Second) / SampleRate) }
