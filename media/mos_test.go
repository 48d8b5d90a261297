package media

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// ITU-T G.107 annex B, table B.1: the limits of its categories as printed, and the default line.
func TestScoreOfRating(t *testing.T) {
	for r, score := range map[float64]float64{
		-1: 1, 0: 1, 3: 1, 50: 2.58, 60: 3.10, 70: 3.60, 80: 4.03, 90: 4.34, 93.2: 4.41, 100: 4.5, 120: 4.5,
	} {
		require.InDelta(t, score, scoreOf(r), 0.0065, "R = %v", r)
	}
}

// By hand: Ie,eff is 95·1/26.1 = 3.64 at 1 %, 95·5/30.1 = 15.78 at 5 %, 95·10/35.1 = 27.07 at 10 %, 95·100/125.1 = 75.94
// when all is lost. Idd has X = 0.585 at 150 ms, 1 at 200 ms and 2 at 400 ms.
func TestRating(t *testing.T) {
	for _, c := range []struct {
		loss  float64
		delay time.Duration
		r     float64
	}{
		{0, 0, 93.2},
		{0, 100 * time.Millisecond, 93.2},
		{0, 150 * time.Millisecond, 93.2 - 0.164},
		{0, 200 * time.Millisecond, 93.2 - 3.044},
		{0, 400 * time.Millisecond, 93.2 - 24.070},
		{0.01, 0, 93.2 - 3.640},
		{0.05, 0, 93.2 - 15.781},
		{0.1, 0, 93.2 - 27.066},
		{1, 0, 93.2 - 75.939},
		{0.05, 200 * time.Millisecond, 93.2 - 15.781 - 3.044},
	} {
		require.InDelta(t, c.r, rating(c.loss, c.delay), 0.002, "%v lost, %v late", c.loss, c.delay)
	}
}

// The delay that is assumed: half the round trip, 20 ms of a packet, 40 ms of jitter buffer or twice the jitter.
func TestOpinionAssumesDelays(t *testing.T) {
	require.InDelta(t, 4.41, opinion(0, 0, 0), 0.005)
	require.InDelta(t, scoreOf(rating(0, 200*time.Millisecond)), opinion(0, 280*time.Millisecond, 5*time.Millisecond), 1e-9)
	require.InDelta(t, scoreOf(rating(0, 200*time.Millisecond)), opinion(0, 160*time.Millisecond, 50*time.Millisecond), 1e-9)
	require.InDelta(t, 4.41, opinion(0, 80*time.Millisecond, 20*time.Millisecond), 0.005, "100 ms are not noticed")
}

// More loss, delay or jitter never makes it better, and whatever a far end claims, it is a score.
func TestOpinionIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		loss := rapid.Float64Range(0, 1)
		trip := rapid.Int64Range(0, math.MaxInt64/4)
		l, r, j := loss.Draw(t, "loss"), trip.Draw(t, "round trip"), trip.Draw(t, "jitter")
		score := opinion(l, time.Duration(r), time.Duration(j))
		require.GreaterOrEqual(t, score, 1.0)
		require.LessOrEqual(t, score, 4.5)
		const slack = 1e-9
		require.LessOrEqual(t, opinion(max(l, loss.Draw(t, "more")), time.Duration(r), time.Duration(j)), score+slack)
		require.LessOrEqual(t, opinion(l, time.Duration(max(r, trip.Draw(t, "later"))), time.Duration(j)), score+slack)
		require.LessOrEqual(t, opinion(l, time.Duration(r), time.Duration(max(j, trip.Draw(t, "uneven")))), score+slack)
	})
}
