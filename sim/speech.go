package sim

import (
	"math"
	"math/rand/v2"
	"time"

	"hotline/media"
)

// The voice: a glottal buzz through three resonances, in syllables that begin with a breath of noise and
// whose pitch falls, with pauses between phrases. It is not a language, but levels, pauses and spectrum
// are those of speech, so that meters, recordings and overlap figures look as they do on a working day.
const (
	syllable   = 180 * time.Millisecond // on average
	breath     = 0.15                   // of a syllable
	perPhrase  = 9                      // syllables
	pauseShare = 0.3                    // of the time, between phrases
	band       = 3400.0                 // hertz, the upper end of the telephone's
	speechRMS  = 0.07                   // of full scale, pauses included: −23 dBFS
	loudest    = 0.95                   // of full scale
	fullScale  = 1 << 15
)

// vowels are the first three formants in hertz (Peterson and Barney's averages, rounded).
var vowels = [][3]float64{{730, 1090, 2440}, {270, 2290, 3010}, {300, 870, 2240}, {530, 1840, 2480}, {570, 840, 2410}}

// Speech makes about d of speech-like audio, from whole phrases, with a pitch in hertz of its own for
// each person. Its level is −23 dBFS.
func Speech(r *rand.Rand, pitch float64, d time.Duration) media.Clip {
	return media.Clip{Name: "speech", ALaw: media.EncodeALaw(levelled(phrases(r, pitch, d)))}
}

// phrases are phrases and the pauses after them, at no level in particular.
func phrases(r *rand.Rand, pitch float64, d time.Duration) []float64 {
	n := samples(d.Seconds())
	var wave []float64
	for len(wave) < n {
		for i := range perPhrase {
			fall := 1.1 - 0.2*float64(i)/perPhrase // as the voice of one who states something
			wave = appendSyllable(wave, r, pitch*fall*(0.95+0.1*r.Float64()))
		}
		phrase := perPhrase * syllable.Seconds()
		pause := phrase * pauseShare / (1 - pauseShare) * (0.5 + r.Float64())
		wave = append(wave, make([]float64, samples(pause))...)
	}
	return wave
}

func appendSyllable(wave []float64, r *rand.Rand, pitch float64) []float64 {
	cycle := voiced(pitch, vowels[r.IntN(len(vowels))])
	n := samples(syllable.Seconds() * (0.7 + 0.6*r.Float64()))
	for i := range n {
		at := float64(i) / float64(n)
		_, phase := math.Modf(pitch * float64(i) / media.SampleRate)
		s := cycle[int(phase*cyclePoints)]
		if at < breath {
			s += r.NormFloat64() / 2
		}
		wave = append(wave, math.Sin(math.Pi*at)*s) // the syllable's rise and fall
	}
	return wave
}

// cyclePoints is how finely one cycle of the voice is drawn.
const cyclePoints = 256

// voiced is one cycle of the vocal cords as the mouth shapes it: the harmonics of a pitch, each as strong
// as the formants let it be.
func voiced(pitch float64, formants [3]float64) (cycle [cyclePoints]float64) {
	for h := 1.0; h*pitch < band; h++ {
		strength := resonance(h*pitch, formants)
		for i := range cycle {
			cycle[i] += strength * math.Sin(2*math.Pi*h*float64(i)/cyclePoints)
		}
	}
	return cycle
}

// resonance is how much of a frequency passes the formants.
func resonance(f float64, formants [3]float64) float64 {
	var gain float64
	for i, centre := range formants {
		width := 90.0 + 40*float64(i)
		off := (f - centre) / width
		gain += 1 / (1 + off*off) / float64(i+1)
	}
	return gain
}

// levelled brings a wave to the level of speech. What little is louder than the line carries is cut off.
func levelled(wave []float64) []int16 {
	var power float64
	for _, s := range wave {
		power += s * s
	}
	gain := speechRMS / math.Sqrt(max(power, 1)/float64(max(len(wave), 1)))
	pcm := make([]int16, len(wave))
	for i, s := range wave {
		pcm[i] = int16(min(max(s*gain, -loudest), loudest) * fullScale)
	}
	return pcm
}

func samples(seconds float64) int { return int(seconds * media.SampleRate) }
