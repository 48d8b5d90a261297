package media

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sound is what a test lets the detector hear, in linear samples: made from formulas, with nothing of the
// package's tones.
type sound []float64

// dual is a key's two tones: amplitudes in dBm0, length in ms.
func (s sound) dual(low, high, lowLevel, highLevel float64, ms float64) sound {
	a, b := level(lowLevel), level(highLevel)
	for i := range int(ms * 8) {
		t := 2 * math.Pi * float64(i) / 8000
		s = append(s, a*math.Sin(low*t+1)+b*math.Sin(high*t+2))
	}
	return s
}

// level is the amplitude of a sine in dBm0, by the full scale of A-law (3.14 dBm0 is 4032 of 4096).
func level(dBm0 float64) float64 { return 32768 * 4032 / 4096 * math.Pow(10, (dBm0-3.14)/20) }

func (s sound) pause(ms float64) sound { return append(s, make(sound, int(ms*8))...) }

// plus adds another sound.
func (s sound) plus(other sound) sound {
	sum := make(sound, max(len(s), len(other)))
	copy(sum, s)
	for i, v := range other {
		sum[i] += v
	}
	return sum
}

// noisy adds white noise of a level in dBm0.
func (s sound) noisy(dBm0 float64) sound {
	r := rand.New(rand.NewPCG(1, uint64(len(s))))
	for i := range s {
		s[i] += level(dBm0) / math.Sqrt2 * r.NormFloat64()
	}
	return s
}

func (s sound) alaw() []byte {
	pcm := make([]int16, len(s))
	for i, v := range s {
		pcm[i] = int16(min(max(math.Round(v), math.MinInt16), math.MaxInt16))
	}
	return EncodeALaw(pcm)
}

// keysIn is what the detector finds in audio that comes in frames of some samples.
func keysIn(alaw []byte, frame int) (keys string) {
	var d toneDetector
	for len(alaw) > 0 {
		n := min(frame, len(alaw))
		rest := alaw[:n]
		alaw = alaw[n:]
		for len(rest) > 0 {
			var k Key
			if k, rest = d.feed(rest, &alawLinear); k != 0 {
				keys += k.String()
			}
		}
	}
	return keys
}

// spoken is the prompts of the hotline, and its music.
func spoken(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("prompts/zh/*.wav")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	all := make(map[string][]byte, len(files))
	for _, name := range files {
		file, err := os.ReadFile(name)
		require.NoError(t, err)
		clip, err := ReadWAV(bytes.NewReader(file))
		require.NoError(t, err)
		all[filepath.Base(name)] = clip.ALaw
	}
	return all
}

// shifts are the places of a sound among the detector's blocks, in samples.
var shifts = []int{0, 3, 7, 11, 16, 20, 23, 28, 33, 39}

// heardIn is what the detector makes of one sound at each place among its blocks; all must agree.
func heardIn(t *testing.T, s sound, what ...any) string {
	t.Helper()
	keys := ""
	for i, shift := range shifts {
		shifted := append(make(sound, 400+shift), s...).pause(60)
		found := keysIn(shifted.alaw(), 160)
		if i > 0 {
			require.Equal(t, keys, found, append(what, "shifted by", shift)...)
		}
		keys = found
	}
	return keys
}

// each calls f for each key of the table.
func eachKey(f func(key string, low, high float64)) {
	for row, low := range keyRows {
		for column, high := range keyColumns {
			f(string(keyTable[4*row+column]), low, high)
		}
	}
}

// The column AT&T of ITU-T Q.24 table A-1: what must be taken is, and what must not is not, for every key and wherever
// it lies among the blocks.
func TestTonesQ24(t *testing.T) {
	for name, c := range map[string]struct {
		make func(low, high float64) sound
		want int // how many keys are to be told
	}{
		"40 ms":           {func(low, high float64) sound { return sound{}.dual(low, high, -10, -10, 40) }, 1},
		"23 ms":           {func(low, high float64) sound { return sound{}.dual(low, high, -10, -10, 23) }, 0},
		"held for 1 s":    {func(low, high float64) sound { return sound{}.dual(low, high, -10, -10, 1000) }, 1},
		"row 1.5 % low":   {func(low, high float64) sound { return sound{}.dual(0.985*low, high, -10, -10, 40) }, 1},
		"row 1.5 % high":  {func(low, high float64) sound { return sound{}.dual(1.015*low, high, -10, -10, 40) }, 1},
		"column 1.5% low": {func(low, high float64) sound { return sound{}.dual(low, 0.985*high, -10, -10, 40) }, 1},
		"column 1.5% up":  {func(low, high float64) sound { return sound{}.dual(low, 1.015*high, -10, -10, 40) }, 1},
		"both 1.5 % low":  {func(low, high float64) sound { return sound{}.dual(0.985*low, 0.985*high, -10, -10, 40) }, 1},
		"apart by 1.5 %":  {func(low, high float64) sound { return sound{}.dual(0.985*low, 1.015*high, -10, -10, 40) }, 1},
		"row 3.5 % low":   {func(low, high float64) sound { return sound{}.dual(0.965*low, high, -10, -10, 400) }, 0},
		"row 3.5 % high":  {func(low, high float64) sound { return sound{}.dual(1.035*low, high, -10, -10, 400) }, 0},
		"column 3.5% low": {func(low, high float64) sound { return sound{}.dual(low, 0.965*high, -10, -10, 400) }, 0},
		"column 3.5% up":  {func(low, high float64) sound { return sound{}.dual(low, 1.035*high, -10, -10, 400) }, 0},
		"0 dBm":           {func(low, high float64) sound { return sound{}.dual(low, high, 0, 0, 40) }, 1},
		"-25 dBm":         {func(low, high float64) sound { return sound{}.dual(low, high, -25, -25, 40) }, 1},
		"-55 dBm":         {func(low, high float64) sound { return sound{}.dual(low, high, -55, -55, 400) }, 0},
		"twist +4 dB":     {func(low, high float64) sound { return sound{}.dual(low, high, -25, -21, 40) }, 1},
		"twist -8 dB":     {func(low, high float64) sound { return sound{}.dual(low, high, -17, -25, 40) }, 1},
		"twist +4 loud":   {func(low, high float64) sound { return sound{}.dual(low, high, -4, 0, 40) }, 1},
		"twist -8 loud":   {func(low, high float64) sound { return sound{}.dual(low, high, 0, -8, 40) }, 1},
		"paused for 40 ms": {func(low, high float64) sound {
			return sound{}.dual(low, high, -10, -10, 53).pause(40).dual(low, high, -10, -10, 53)
		}, 2},
		"93 ms a key": {func(low, high float64) sound {
			return sound{}.dual(low, high, -10, -10, 40).pause(53).dual(low, high, -10, -10, 40).
				pause(53).dual(low, high, -10, -10, 40)
		}, 3},
		"interrupted for 10 ms": {func(low, high float64) sound {
			return sound{}.dual(low, high, -10, -10, 50).pause(10).dual(low, high, -10, -10, 50)
		}, 1},
		"interrupted at its beginning": {func(low, high float64) sound {
			return sound{}.dual(low, high, -10, -10, 12).pause(10).dual(low, high, -10, -10, 60)
		}, 1},
		"echo 10 dB down, 20 ms late": {func(low, high float64) sound {
			return sound{}.dual(low, high, -10, -10, 60).plus(sound{}.pause(20).dual(low, high, -20, -20, 60))
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			eachKey(func(key string, low, high float64) {
				require.Equal(t, strings.Repeat(key, c.want), heardIn(t, c.make(low, high), "key", key), "key %s", key)
			})
		})
	}
}

// What Q.24 leaves to the receiver: a twist that no line makes, a level that is not a key's, one tone, three.
func TestTonesRefused(t *testing.T) {
	for name, s := range map[string]sound{
		"twist of +9 dB":  sound{}.dual(770, 1336, -19, -10, 400),
		"twist of -13 dB": sound{}.dual(770, 1336, -10, -23, 400),
		"-35 dBm":         sound{}.dual(770, 1336, -35, -35, 400),
		"the row alone":   sound{}.dual(770, 1336, -10, -99, 400),
		"the column":      sound{}.dual(770, 1336, -99, -10, 400),
		"two rows":        sound{}.dual(770, 852, -10, -10, 400),
		"three tones":     sound{}.dual(770, 1336, -10, -10, 400).plus(sound{}.dual(852, 1477, -10, -10, 400)),
		"harmonics":       sound{}.dual(697, 1209, -10, -10, 400).plus(sound{}.dual(2*697, 2*1209, -17, -17, 400)),
	} {
		require.Empty(t, heardIn(t, s), name)
	}
	// Call progress tones (ITU-T E.180 supplement 2): China's 450 Hz, North America's, and of a fax.
	for _, pair := range [][2]float64{{450, 450}, {350, 440}, {440, 480}, {480, 620}, {1100, 1100}, {2100, 2100}, {950, 1400}} {
		require.Empty(t, heardIn(t, sound{}.dual(pair[0], pair[1], -10, -10, 1000)), "%v Hz", pair)
	}
	require.Empty(t, keysIn(make(sound, 60*8000).noisy(-10).alaw(), 160), "a minute of noise")
}

// Keys are found in noise 15 dB below each of their tones, whatever the seed of it.
func TestTonesInNoise(t *testing.T) {
	eachKey(func(key string, low, high float64) {
		require.Equal(t, key, heardIn(t, sound{}.pause(20).dual(low, high, -10, -10, 45).noisy(-25), "key", key))
	})
}

// A caller who presses a key while a prompt is played to them: its echo, 25 dB down, comes with the key.
func TestTonesOverEchoOfPrompt(t *testing.T) {
	greeting := spoken(t)["welcome.wav"]
	require.NotEmpty(t, greeting)
	eachKey(func(key string, low, high float64) {
		var s sound
		for i := range 5 {
			s = s.pause(300).dual(low, high, -10, -10, 70+float64(i))
		}
		echo := make(sound, len(s))
		for i := range echo {
			echo[i] = 0.056 * float64(alawLinear[greeting[i%len(greeting)]])
		}
		require.Equal(t, strings.Repeat(key, 5), heardIn(t, s.plus(echo), "key", key))
	})
}

// Talk-off: in a quarter of an hour of speech and music, with the levels and pitches of other voices, no key is found.
// (Nor was any in twenty hours of espeak-ng's other voices and languages, which are not kept here.) Q.24 lets AT&T's receivers err once in 3,000 calls.
func TestTonesTalkOff(t *testing.T) {
	heard := 0
	for name, alaw := range spoken(t) {
		for _, voice := range []struct{ speed, gain float64 }{{0.8, 1}, {0.9, 2}, {1, 0.5}, {1, 2}, {1.1, 1}, {1.25, 2}} {
			var s sound
			for at := 0.0; int(at)+1 < len(alaw); at += voice.speed {
				i, part := int(at), at-math.Floor(at)
				s = append(s, voice.gain*((1-part)*float64(alawLinear[alaw[i]])+part*float64(alawLinear[alaw[i+1]])))
			}
			heard += len(s)
			require.Empty(t, keysIn(s.alaw(), 160), "%s %+v", name, voice)
		}
	}
	require.Greater(t, heard, 15*60*SampleRate)
}

// The frames' length is nothing to the detector, nor is the law.
func TestTonesFrames(t *testing.T) {
	var s sound
	want := ""
	eachKey(func(key string, low, high float64) {
		want += key
		s = s.pause(45).dual(low, high, -9, -11, 45)
	})
	alaw := s.alaw()
	for _, frame := range []int{1, 37, 80, 160, 240, 320, 480, 2036, len(alaw)} {
		require.Equal(t, want, keysIn(alaw, frame), "frames of %d", frame)
	}
	var d toneDetector
	keys, rest := "", translate(make([]byte, len(alaw)), alaw, PCMA, PCMU)
	for len(rest) > 0 {
		var k Key
		if k, rest = d.feed(rest, &ulawLinear); k != 0 {
			keys += k.String()
		}
	}
	require.Equal(t, want, keys)
}

func FuzzTones(f *testing.F) {
	f.Add(sound{}.dual(770, 1336, -10, -10, 60).pause(40).dual(852, 1477, -10, -10, 60).alaw(), 160)
	f.Fuzz(func(t *testing.T, alaw []byte, frame int) {
		frame = min(max(frame, 1), maxDatagram)
		require.LessOrEqual(t, len(keysIn(alaw, frame)), len(alaw)/(toneBlock*toneWindow), "each takes its time")
		require.Equal(t, keysIn(alaw, len(alaw)+1), keysIn(alaw, frame))
	})
}

// BenchmarkTones is what a frame of 20 ms costs: of silence, of speech, of a key.
func BenchmarkTones(b *testing.B) {
	speech := make(sound, 160*50)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range speech {
		speech[i] = 2000*math.Sin(2*math.Pi*float64(i)/60) + 900*r.NormFloat64()
	}
	for name, alaw := range map[string][]byte{
		"silence": make(sound, 160*50).alaw(),
		"speech":  speech.alaw(),
		"key":     sound{}.dual(770, 1336, -10, -10, 1000).alaw(),
		"two":     sound{}.dual(800, 1400, -10, -10, 1000).alaw(), // steady as a key, but none
	} {
		b.Run(name, func(b *testing.B) {
			var d toneDetector
			b.ReportAllocs()
			for i := range b.N {
				frame := alaw[i%50*160:][:160]
				for len(frame) > 0 {
					_, frame = d.feed(frame, &alawLinear)
				}
			}
		})
	}
}
