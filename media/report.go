package media

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/pion/rtcp"
)

// reportTurns is how many turns of the wheel lie between two RTCP reports: 5 s, the least that RFC 3550
// section 6.2 allows, varied by half (section 6.3.1) so that streams do not report in step.
func reportTurns() int {
	const interval = int(5 * time.Second / FrameDuration)
	return interval/2 + rand.IntN(interval)
}

// ntp is a time as RTCP writes it: seconds since 1900 in 32.32 bits (RFC 3550 section 4).
func ntp(t time.Time) uint64 {
	const since1900 = 2_208_988_800
	return uint64(t.Unix()+since1900)<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}

// report describes what was sent, and to where the report goes; false before anything was sent.
func (o *sender) report(now time.Time) (r rtcp.SenderReport, to netip.AddrPort, ok bool) {
	if o.closed || o.agreed == nil || o.packets == 0 {
		return r, to, false
	}
	to = o.agreed.rtcp
	timestamp, _ := o.clock(now)
	return rtcp.SenderReport{
		SSRC: o.ssrc, NTPTime: ntp(now), RTPTime: timestamp,
		PacketCount: uint32(o.packets), OctetCount: uint32(o.octets),
	}, to, to.Port() != 0 && !to.Addr().IsUnspecified()
}

// report describes what was received since the last report; false before anything was. The times of the
// far end's own reports are left out, as RFC 3550 allows: the round trip is of no use to us.
func (r *receiver) report() (rtcp.ReceptionReport, bool) {
	q := &r.sequence
	if !q.begun {
		return rtcp.ReceptionReport{}, false
	}
	lost, expected := q.lost(), q.expected()
	var fraction uint64
	if expected > r.reported.expected && lost > r.reported.lost {
		fraction = min(255, (lost-r.reported.lost)<<8/(expected-r.reported.expected))
	}
	r.reported.lost, r.reported.expected = lost, expected
	return rtcp.ReceptionReport{
		SSRC: q.ssrc, FractionLost: uint8(fraction), TotalLost: uint32(min(lost, 1<<23-1)),
		LastSequenceNumber: uint32(q.highest), Jitter: uint32(q.jitter),
	}, true
}

// report sends an RTCP sender report (RFC 3550 section 6.4.1) to the address that the far end named.
func (l *line) report(now time.Time) {
	sent, to, ok := l.out.report(now)
	if !ok {
		return
	}
	if received, ok := l.in.report(); ok {
		sent.Reports = []rtcp.ReceptionReport{received}
	}
	// A name that says nothing of us (RFC 7022 section 4.2), as every report must have one.
	name := rtcp.NewCNAMESourceDescription(sent.SSRC, l.name)
	b, err := rtcp.Marshal([]rtcp.Packet{&sent, name})
	if err != nil {
		return // a report less; the next has other figures
	}
	l.sockets.report(b, to)
}
