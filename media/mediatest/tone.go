package mediatest

import "math"

// Has reports whether a tone of freq Hz can be heard in A-law audio of 8,000 samples per second: it
// must carry at least a tenth of the audio's energy, and the audio must not be silence. A tenth is far
// more than what another tone leaks (a hundredth, from 50 Hz away and 100 ms on), and less than
// what a tone keeps among three others.
func Has(alaw []byte, freq float64) bool {
	const (
		least  = 0.1
		silent = 64 * 64 // mean square of what nobody hears, 54 dB below full scale
	)
	power, energy := goertzel(alaw, freq)
	return energy > silent*float64(len(alaw)) && power > least*energy
}

// goertzel returns the energy at one frequency, on the scale on which a pure tone there has all the
// energy of the audio, and the audio's energy (G. Goertzel, Amer. Math. Monthly 65, 1958).
func goertzel(alaw []byte, freq float64) (power, energy float64) {
	coefficient := 2 * math.Cos(2*math.Pi*freq/8000)
	var s1, s2 float64
	for _, code := range alaw {
		x := linear(code)
		energy += x * x
		s1, s2 = x+coefficient*s1-s2, s1
	}
	power = s1*s1 + s2*s2 - coefficient*s1*s2
	return power * 2 / float64(max(1, len(alaw))), energy
}

// linear expands an A-law code (ITU-T G.711). It is written apart from package media's, so that a
// mistake there is heard here.
func linear(code byte) float64 {
	code ^= 0x55
	exponent := code >> 4 & 7
	value := float64(code&0x0F) + 0.5
	if exponent > 0 {
		value = math.Ldexp(value+16, int(exponent)-1)
	}
	if code&0x80 == 0 {
		value = -value
	}
	return value * 16
}
