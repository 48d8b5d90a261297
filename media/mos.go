package media

import (
	"math"
	"time"
)

// The parameters of the E-model that are not its defaults or depend on us. All others (noise, loudness, side tone) are
// the defaults of ITU-T G.107 table 2, with which R is 93.2 on a line without loss and delay.
const (
	defaultRating = 93.2
	// equipmentImpairment is Ie and lossRobustness Bpl of G.711 with concealment of lost packets (ITU-T G.113 appendix I,
	// table I.3).
	equipmentImpairment = 0.0
	lossRobustness      = 25.1
	// burstRatio of 1 says that packets are lost at random (ITU-T G.107 clause 7.5): RTCP does not tell bursts.
	burstRatio = 1.0
	// noticedDelay is mT, the delay below which nobody minds, and delaySensitivity sT (ITU-T G.107 table 1, the class
	// "default").
	noticedDelay     = 100 * time.Millisecond
	delaySensitivity = 1.0
	// leastBuffer is how much a phone's jitter buffer holds on a line without jitter; with jitter twice that, if it is more.
	leastBuffer = 40 * time.Millisecond
)

// opinion estimates how good a conversation over a line is, as a mean opinion score of 1 to 4.41 (MOS-CQE, ITU-T
// P.800.1), by the E-model of ITU-T G.107:
//
//	R       = 93.2 − Idd − Ie,eff
//	Ie,eff  = Ie + (95 − Ie) · Ppl / (Ppl/BurstR + Bpl)                                        clause 7.5
//	Idd     = 25 · { (1 + X⁶)^⅙ − 3 (1 + (X/3)⁶)^⅙ + 2 },  X = log₂(Ta / 100 ms); 0 up to 100 ms   clause 7.4
//	MOS     = 1 + 0.035 R + R (R − 60) (100 − R) · 7·10⁻⁶, 1 where R is below 0               annex B
//
// loss is Ppl as a ratio of 0 to 1. Ta, from mouth to ear, is assumed to be half the round trip, a packet's length
// (FrameDuration, before it can be sent), and the far jitter buffer: twice the jitter, at least leastBuffer. What the
// network beyond the far end adds is not known, nor what the other leg of a bridge does: each leg is judged by itself.
// The impairments by echo (Idte, Idle) are taken as 0, as phones cancel theirs. A round trip that is not known is 0.
func opinion(loss float64, roundTrip, jitter time.Duration) float64 {
	return scoreOf(rating(loss, roundTrip/2+FrameDuration+max(leastBuffer, 2*jitter)))
}

// rating is R for a ratio of packets lost and a delay from mouth to ear.
func rating(loss float64, delay time.Duration) float64 {
	ppl := 100 * min(max(loss, 0), 1)
	equipment := equipmentImpairment + (95-equipmentImpairment)*ppl/(ppl/burstRatio+lossRobustness)
	return defaultRating - delayImpairment(delay) - equipment
}

// delayImpairment is Idd.
func delayImpairment(delay time.Duration) float64 {
	if delay <= noticedDelay {
		return 0
	}
	const power = 6 * delaySensitivity
	x := math.Log2(float64(delay) / float64(noticedDelay))
	root := func(x float64) float64 { return math.Pow(1+math.Pow(x, power), 1/power) }
	return 25 * (root(x) - 3*root(x/3) + 2)
}

// scoreOf is the mean opinion score for a rating. Between 0 and 6.5 the formula falls below 1, which no opinion can.
func scoreOf(r float64) float64 {
	r = min(max(r, 0), 100)
	return max(1, 1+0.035*r+r*(r-60)*(100-r)*7e-6)
}
