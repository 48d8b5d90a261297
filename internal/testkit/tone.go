package testkit

import (
	"math"
	"time"
)

// window is how much audio one judgement on a tone is made of: 50 ms tell 20 Hz apart.
const window = sampleRate / 20

// Tone reports how much of the samples is a tone of so many hertz: the share of 50 ms windows, from
// 0 to 1, in which most of the energy is in that tone. Silence has none.
func Tone(samples []float64, hertz float64) float64 { return shareOf(samples, hertz, 0.5) }

// Carries is Tone for several voices at once: it reports the share of windows in which at least a tenth of the energy is
// in that tone.
func Carries(samples []float64, hertz float64) float64 { return shareOf(samples, hertz, 0.1) }

// shareOf is the share of windows in which more than a part of the energy is in a tone.
func shareOf(samples []float64, hertz, part float64) float64 {
	windows, with := 0, 0
	for at := 0; at+window <= len(samples); at += window {
		windows++
		if has(samples[at:at+window], hertz, part) {
			with++
		}
	}
	if windows == 0 {
		return 0
	}
	return float64(with) / float64(windows)
}

// HasTone reports whether a tone is there for at least so long, in all.
func HasTone(samples []float64, hertz float64, atLeast time.Duration) bool {
	length := time.Duration(len(samples)) * time.Second / sampleRate
	return time.Duration(Tone(samples, hertz)*float64(length)) >= atLeast
}

// FirstTone is how far into the samples a tone is first heard, to 50 ms, and whether it is at all.
func FirstTone(samples []float64, hertz float64) (time.Duration, bool) {
	for at := 0; at+window <= len(samples); at += window {
		if dominates(samples[at:at+window], hertz) {
			return time.Duration(at) * time.Second / sampleRate, true
		}
	}
	return 0, false
}

// dominates reports whether most of the energy of a window is at one frequency.
func dominates(samples []float64, hertz float64) bool { return has(samples, hertz, 0.5) }

// has measures one window by Goertzel's algorithm: the energy at one frequency against all of it.
func has(samples []float64, hertz, part float64) bool {
	coefficient := 2 * math.Cos(2*math.Pi*hertz/sampleRate)
	var s1, s2, total float64
	for _, x := range samples {
		s1, s2 = x+coefficient*s1-s2, s1
		total += x * x
	}
	n := float64(len(samples))
	const quiet = 1e-5 // mean square, about −50 dBFS: comfort noise and idle codes are below
	if total/n < quiet {
		return false
	}
	power := (s1*s1 + s2*s2 - coefficient*s1*s2) * 2 / n
	return power > total*part
}
