package media

import (
	"math/rand/v2"
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

// report describes what was sent.
func (o *sender) report(now time.Time) rtcp.SenderReport {
	timestamp, _ := o.clock(now)
	return rtcp.SenderReport{
		SSRC: o.ssrc, NTPTime: ntp(now), RTPTime: timestamp,
		PacketCount: uint32(o.packets), OctetCount: uint32(o.octets),
	}
}

// report describes what was received since the last report; false before anything was.
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
