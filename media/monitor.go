package media

import (
	"math/rand/v2"
	"net/netip"
	"time"
)

// judgeEvery is how many turns of the wheel lie between two looks at a line: a second.
const judgeEvery = int(time.Second / FrameDuration)

// leastJudged is how many packets should have come before a line is scored: a second of them.
const leastJudged = 50

// monitor is what a line knows of how good its audio is: by what we receive, and by what the far end reports. Not safe
// for concurrent use; owned by the line's shard.
type monitor struct {
	far   farEnd
	watch watch
	// inward and outward add up the jitter of what we receive, each second in which something came, and of what we send,
	// each time it is reported. The score of a call is that of all of it, and not of its last second.
	inward, outward mean
	seen            uint64 // packets received at the last look
	untilJudged     int    // turns of the wheel
	// reported is how many packets had been sent at our last report and at the one before, if there were any.
	reported [2]uint64
	reports  int
}

func newMonitor(timeout time.Duration) monitor {
	return monitor{watch: newWatch(timeout), untilJudged: 1 + rand.IntN(judgeEvery)} // not all lines in one turn
}

// agree begins anew what belongs to one agreement. heard is when the far end last was, sent how many packets were.
func (m *monitor) agree(a *agreement, heard time.Time, sent uint64, now time.Time) {
	m.far.agree(sent)
	m.watch.agree(a.send && a.sends, heard, now)
}

// sends reports whether our next report is a sender's: whether we have sent since the last report but one (RFC 3550
// section 6.4).
func (m *monitor) sends(sent uint64) bool { return sent != m.reported[1] }

// spoke takes note of a report of ours.
func (m *monitor) spoke(sent uint64) {
	m.reported[0], m.reported[1] = sent, m.reported[0]
	m.reports++
}

// mean of durations. The sum is no integer: what a far end claims may be long, and often.
type mean struct{ sum, n float64 }

func (m *mean) add(d time.Duration) {
	m.sum += float64(d)
	m.n++
}

// or is the mean, or d while there is none.
func (m *mean) or(d time.Duration) time.Duration {
	if m.n == 0 {
		return d
	}
	return time.Duration(m.sum / m.n)
}

// hearing is how well one end hears the other; all zero while that is not known.
type hearing struct {
	known  bool
	loss   float64 // ratio
	jitter time.Duration
	score  float64 // mean opinion score
}

// verdict on a stream.
type verdict struct {
	in, out   hearing
	roundTrip time.Duration
	timed     bool
}

// control takes in an RTCP datagram of the far end's.
func (m *monitor) control(c control, from netip.AddrPort, sent uint64, now time.Time) {
	m.far.take(c, from, sent, now)
	if c.about {
		m.outward.add(m.far.jitter())
	}
}

// look is called once a second: it notes the jitter, and returns what is to be told; 0 is nothing.
func (m *monitor) look(in *receiver, sent uint64, now time.Time) Fact {
	if in.stats.PacketsIn != m.seen {
		m.seen = in.stats.PacketsIn
		m.inward.add(duration(in.sequence.jitter))
	}
	return m.watch.judge(in.source.heard, sent, &m.far, now)
}

// verdict of all that came and went until now.
func (m *monitor) verdict(q *sequence) verdict {
	v := verdict{roundTrip: m.far.roundTrip, timed: m.far.timed}
	if expected := q.expected(); expected >= leastJudged {
		v.in = heardWith(q.lost(), expected, m.inward.or(duration(q.jitter)), v.roundTrip)
	}
	if m.far.known {
		// What was lost before it reached us, on the other leg of a bridge, is missing among what we sent: the ratio comes
		// out too high by that much of itself.
		v.out = heardWith(m.far.lost(), m.far.sent, m.outward.or(m.far.jitter()), v.roundTrip)
	}
	return v
}

// heardWith judges one direction.
func heardWith(lost, expected uint64, jitter, roundTrip time.Duration) hearing {
	loss := float64(min(lost, expected)) / float64(max(expected, 1))
	return hearing{known: true, loss: loss, jitter: jitter, score: opinion(loss, roundTrip, jitter)}
}

// report fills in what a verdict says.
func (v verdict) report(s *Stats) {
	s.RoundTrip, s.MOSIn, s.MOSOut = v.roundTrip, v.in.score, v.out.score
	s.MOS = max(s.MOSIn, s.MOSOut)
	if v.in.known && v.out.known {
		s.MOS = min(s.MOSIn, s.MOSOut)
	}
}
