package media

import (
	"net/netip"
	"time"
)

const (
	// reportsKept is how many of our reports' times are remembered: the far end answers the last that reached it, and a
	// round trip of more than that many intervals is none.
	reportsKept = 4
	// deafPackets is how many packets of ours, 2 s of them, a report must be silent about to be held against the line,
	// and deafReports how many such reports in a row show that the far end does not hear us.
	deafPackets = 100
	deafReports = 2
	// coarseClock is how far a far end may overstate how long it kept a report of ours, and the round trip be still taken,
	// as none: its clock ticks by some milliseconds. More is a mistake of its.
	coarseClock = 50 * time.Millisecond
)

// farEnd is what the far end of a stream says of it by RTCP: of itself, and of how it hears us. Nothing of it is
// believed further than that it changes these figures. Not safe for concurrent use; owned by the line's shard.
type farEnd struct {
	// from is where its reports come from; zero before the first since the last agreement.
	from netip.AddrPort

	// told is its newest sender report, if it made one.
	told struct {
		begun        bool
		ssrc         uint32
		ntp, packets uint32
		at           time.Time
	}
	// heard is its newest block about us, if known; sent is how many packets we had sent then.
	known bool
	heard receptionBlock
	sent  uint64

	// ours are our newest sender reports, in a ring.
	ours [reportsKept]struct {
		ntp uint32
		at  time.Time
	}
	next      int
	timed     bool
	roundTrip time.Duration

	// What the watch goes by, since the last agreement: idle is when it last said that it sends nothing, sending when
	// that it has sent more, hears when that it hears us; deaf counts the reports since, by which it does not, and
	// judged is how many packets we had sent at the last report that counted.
	idle, sending, hears time.Time
	deaf                 int
	judged               uint64
}

// agree begins anew what is only true of one agreement. sent is how many packets we have sent.
func (f *farEnd) agree(sent uint64) {
	f.from = netip.AddrPort{}
	f.idle, f.sending, f.hears = time.Time{}, time.Time{}, time.Time{}
	f.deaf, f.judged = 0, sent
}

// reported takes note of a sender report of ours.
func (f *farEnd) reported(ntp uint64, now time.Time) {
	f.ours[f.next].ntp, f.ours[f.next].at = uint32(ntp>>16), now
	f.next = (f.next + 1) % len(f.ours)
}

// take takes in what came, when we had sent that many packets.
func (f *farEnd) take(c control, from netip.AddrPort, sent uint64, now time.Time) {
	f.from = from
	if c.left {
		f.idle = time.Time{} // who has left does not say any more that it is there
		return
	}
	if !c.reports {
		return
	}
	f.activity(c, now)
	f.hearing(c, sent, now)
	if c.about {
		f.known, f.heard, f.sent = true, c.block, sent
		f.trip(c.block, now)
	}
}

// activity: a participant makes sender reports while it sends, and receiver reports else (RFC 3550 section 6.4). The
// first of its sender reports shows nothing, as it may have sent before.
func (f *farEnd) activity(c control, now time.Time) {
	if !c.sends {
		f.idle = now
		return
	}
	if f.told.begun && f.told.ssrc == c.ssrc {
		if int32(c.packets-f.told.packets) > 0 {
			f.sending = now
		} else {
			f.idle = now
		}
	}
	f.told.begun, f.told.ssrc, f.told.ntp, f.told.packets, f.told.at = true, c.ssrc, c.ntp, c.packets, now
}

// hearing judges whether it hears us. A report has a block for each source heard since the last one (RFC 3550 section
// 6.4); one that has blocks of others only has come through a middlebox that rewrites RTP and not RTCP, and shows
// nothing.
func (f *farEnd) hearing(c control, sent uint64, now time.Time) {
	switch {
	case c.about && (!f.known || c.block.highest != f.heard.highest):
		f.hears, f.deaf, f.judged = now, 0, sent
	case !c.about && c.blocks > 0:
	case sent-f.judged >= deafPackets:
		f.deaf++
		f.judged = sent
	}
}

// isDeaf reports whether its reports show that nothing of ours arrives.
func (f *farEnd) isDeaf() bool { return f.deaf >= deafReports }

// trip measures the round trip (RFC 3550 section 6.4.1): from our report that a block names until now, less the time
// that the far end kept it. A block that names none of our reports measures nothing. Each further measurement counts an
// eighth, so that a late report does not decide.
func (f *farEnd) trip(b receptionBlock, now time.Time) {
	if b.lsr == 0 {
		return
	}
	for _, r := range f.ours {
		if r.ntp != b.lsr || r.at.IsZero() {
			continue
		}
		d := now.Sub(r.at) - ticks(b.dlsr)
		if d < -coarseClock {
			return
		}
		d = max(d, 0)
		if f.timed {
			d = f.roundTrip + (d-f.roundTrip)/8
		}
		f.roundTrip, f.timed = d, true
		return
	}
}

// since is what a report of ours on a source says of its newest sender report: its time, and how long ago it came; zeros
// when none came from that source (RFC 3550 section 6.4.1).
func (f *farEnd) since(ssrc uint32, now time.Time) (lsr, dlsr uint32) {
	if !f.told.begun || f.told.ssrc != ssrc {
		return 0, 0
	}
	return f.told.ntp, uint32(min(max(now.Sub(f.told.at), 0), 18*time.Hour) * 65536 / time.Second)
}

// lost is how many of our packets it says never came, jitter how unevenly they did.
func (f *farEnd) lost() uint64 { return uint64(max(f.heard.lost, 0)) }

func (f *farEnd) jitter() time.Duration { return duration(float64(f.heard.jitter)) }

// ticks is a time in 1/65,536 s.
func ticks(n uint32) time.Duration { return time.Duration(n) * time.Second / 65536 }
