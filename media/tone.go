package media

import (
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
