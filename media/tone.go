package media

import (
	"bytes"
	"fmt"
	"math"
	"time"
)

// Tone makes a sine of a frequency in Hz (below 4,000, half the sample rate) that lasts d, at a
// quarter of full scale (12 dB below it), as a clip.
func Tone(freq float64, d time.Duration) Clip {
	const amplitude = math.MaxInt16 / 4
	alaw := make([]byte, max(0, int(d*SampleRate/time.Second)))
	for i := range alaw {
		alaw[i] = encodeALaw(int16(amplitude * math.Sin(2*math.Pi*freq*float64(i)/SampleRate)))
	}
	return Clip{Name: fmt.Sprintf("tone %g Hz", freq), ALaw: alaw}
}

// Beeps makes n soft tones of a frequency in Hz, each as long as on and followed by as long a silence: at 26 dB
// below full scale (a voice on the telephone is at about 20), and faded in and out over 10 ms, so that they
// neither startle nor click. For [Stream.Tone].
func Beeps(freq float64, on time.Duration, n int) Clip {
	const (
		amplitude = math.MaxInt16 / 20
		fade      = SampleRate / 100
	)
	length := max(0, int(on*SampleRate/time.Second))
	one := make([]byte, 2*length)
	silence(one)
	for i := range length {
		edge := min(1, float64(min(i, length-1-i))/fade)
		one[i] = encodeALaw(int16(amplitude * edge * math.Sin(2*math.Pi*freq*float64(i)/SampleRate)))
	}
	return Clip{Name: fmt.Sprintf("%d beeps %g Hz", n, freq), ALaw: bytes.Repeat(one, n)}
}
