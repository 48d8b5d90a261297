package media

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var epoch = time.Unix(1_700_000_000, 123_456_789)

// aboutUs is a receiver report with a block about us.
func aboutUs(b receptionBlock) control {
	return control{ssrc: theirSSRC, reports: true, blocks: 1, about: true, block: b}
}

// RFC 3550 section 6.4.1, figure 2: a report is sent at 46853.125 s, kept by the far end for 5.25 s, and answered at
// 46864.500 s.
func TestRoundTrip(t *testing.T) {
	var f farEnd
	const ntp = 0xB44D_B705_2000_0000 // its middle is b705:2000
	f.reported(ntp, epoch)
	f.take(aboutUs(receptionBlock{lsr: 0xB705_2000, dlsr: 0x0005_4000}), anywhere, 1, epoch.Add(11375*time.Millisecond))
	require.Equal(t, 6125*time.Millisecond, f.roundTrip)
}

func TestRoundTripIsSmoothed(t *testing.T) {
	var f farEnd
	at := epoch
	trip := func(d time.Duration, dlsr uint32) {
		at = at.Add(5 * time.Second)
		f.reported(ntp(at), at)
		f.take(aboutUs(receptionBlock{lsr: uint32(ntp(at) >> 16), dlsr: dlsr}), anywhere, 1, at.Add(d))
	}
	trip(80*time.Millisecond, 0)
	require.Equal(t, 80*time.Millisecond, f.roundTrip)
	trip(160*time.Millisecond, 0)
	require.Equal(t, 90*time.Millisecond, f.roundTrip, "an eighth of the difference")
	trip(0, 65536*coarseClockMS/1000)
	require.Equal(t, 90*time.Millisecond-90*time.Millisecond/8, f.roundTrip, "a clock that ticks coarsely: none")
	before := f.roundTrip
	trip(0, 65536)
	require.Equal(t, before, f.roundTrip, "kept longer than it was away: not taken")
}

const coarseClockMS = uint32(coarseClock / time.Millisecond)

// What names none of our last reports measures nothing.
func TestRoundTripOfOurReportsAlone(t *testing.T) {
	var f farEnd
	f.take(aboutUs(receptionBlock{lsr: 0, dlsr: 5}), anywhere, 1, epoch)
	f.take(aboutUs(receptionBlock{lsr: 12345, dlsr: 5}), anywhere, 1, epoch)
	require.False(t, f.timed)
	first := epoch
	for i := range reportsKept + 1 {
		at := first.Add(time.Duration(i) * 5 * time.Second)
		f.reported(ntp(at), at)
	}
	f.take(aboutUs(receptionBlock{lsr: uint32(ntp(first) >> 16)}), anywhere, 1, first.Add(time.Minute))
	require.False(t, f.timed, "too long ago")
	second := first.Add(5 * time.Second)
	f.take(aboutUs(receptionBlock{lsr: uint32(ntp(second) >> 16)}), anywhere, 1, second.Add(time.Minute))
	require.Equal(t, time.Minute, f.roundTrip)
}

// What our reports say of its own (RFC 3550 section 6.4.1): when the last came, and how long ago, of the source that
// they are on.
func TestSinceItsReport(t *testing.T) {
	var f farEnd
	lsr, dlsr := f.since(theirSSRC, epoch)
	require.Zero(t, lsr)
	require.Zero(t, dlsr, "none came")
	f.take(control{ssrc: theirSSRC, reports: true, sends: true, ntp: 0xABCD}, anywhere, 1, epoch)
	lsr, dlsr = f.since(theirSSRC, epoch.Add(1500*time.Millisecond))
	require.Equal(t, uint32(0xABCD), lsr)
	require.Equal(t, uint32(0x18000), dlsr)
	lsr, _ = f.since(theirSSRC+1, epoch)
	require.Zero(t, lsr, "another source's")
	_, dlsr = f.since(theirSSRC, epoch.Add(1000*time.Hour))
	require.Equal(t, uint32(18*3600*65536), dlsr, "no more than fits")
	f.take(control{ssrc: theirSSRC, reports: true}, anywhere, 1, epoch.Add(time.Second))
	lsr, _ = f.since(theirSSRC, epoch.Add(time.Second))
	require.Equal(t, uint32(0xABCD), lsr, "a receiver report has no time")
}

func TestFarLossAndJitter(t *testing.T) {
	var f farEnd
	require.Zero(t, f.lost())
	f.take(aboutUs(receptionBlock{lost: 7, jitter: 80}), anywhere, 1, epoch)
	require.Equal(t, uint64(7), f.lost())
	require.Equal(t, 10*time.Millisecond, f.jitter())
	f.take(control{reports: true, blocks: 1}, anywhere, 1, epoch)
	require.Equal(t, uint64(7), f.lost(), "what is about others changes nothing")
	f.take(aboutUs(receptionBlock{lost: -3}), anywhere, 1, epoch)
	require.Zero(t, f.lost(), "more came than were sent")
}
