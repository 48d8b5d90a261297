package sim

import (
	"math"
	"math/rand/v2"
	"time"

	"hotline/media"
)

// The voice: a glottal buzz through three resonances, in syllables, with pauses between phrases. It is
// not a language, but levels, pauses and spectrum are those of speech, so that meters, recordings and
// overlap figures look as they do on a working day.
const (
	syllable   = 180 * time.Millisecond
	perPhrase  = 9   // syllables
	pauseShare = 0.3 // of the time, between phrases
)

// vowels are the first three formants in hertz (Peterson and Barney's averages, rounded).
var vowels = [][3]float64{{730, 1090, 2440}, {270, 2290, 3010}, {300, 870, 2240}, {530, 1840, 2480}, {570, 840, 2410}}

// Speech makes about d of speech-like audio, from whole phrases, with a pitch in hertz of its own for
// each person.
func Speech(r *rand.Rand, pitch float64, d time.Duration) media.Clip {
	n := int(d.Seconds() * media.SampleRate)
	pcm := make([]int16, 0, n)
	for len(pcm) < n {
		for range perPhrase {
			pcm = appendSyllable(pcm, r, pitch*(0.9+0.2*r.Float64()))
		}
		phrase := perPhrase * syllable.Seconds()
		pause := phrase * pauseShare / (1 - pauseShare) * (0.5 + r.Float64())
		pcm = append(pcm, make([]int16, int(pause*media.SampleRate))...)
	}
	return media.Clip{Name: "speech", ALaw: media.EncodeALaw(pcm)}
}

func appendSyllable(pcm []int16, r *rand.Rand, pitch float64) []int16 {
	vowel := vowels[r.IntN(len(vowels))]
	n := int(syllable.Seconds() * media.SampleRate * (0.7 + 0.6*r.Float64()))
	for i := range n {
		t := float64(i) / media.SampleRate
		var s float64
		for h := 1; float64(h)*pitch < 3400; h++ {
			f := float64(h) * pitch
			s += resonance(f, vowel) * math.Sin(2*math.Pi*f*t)
		}
		swell := math.Sin(math.Pi * float64(i) / float64(n)) // the syllable's rise and fall
		pcm = append(pcm, int16(2600*swell*s))
	}
	return pcm
}

// resonance is how much of a frequency passes the formants.
func resonance(f float64, formants [3]float64) float64 {
	var gain float64
	for i, centre := range formants {
		width := 90.0 + 40*float64(i)
		gain += 1 / (1 + math.Pow((f-centre)/width, 2)) / float64(i+1)
	}
	return gain
}
