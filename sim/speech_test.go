package sim

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// dbfs is the RMS level of samples, in decibels below full scale.
func dbfs(pcm []int16) float64 {
	var power float64
	for _, s := range pcm {
		power += float64(s) * float64(s)
	}
	return 10 * math.Log10(max(power, 1)/float64(len(pcm))/fullScale/fullScale)
}

// decode is A-law as ITU-T G.711 has it, scaled to 16 bits, written apart from the encoder.
func decode(alaw []byte) []int16 {
	pcm := make([]int16, len(alaw))
	for i, code := range alaw {
		code ^= 0x55
		v := int16(code&0x0f)<<4 + 8
		if segment := code >> 4 & 7; segment > 0 {
			v = (v + 0x100) << (segment - 1)
		}
		if code&0x80 == 0 {
			v = -v
		}
		pcm[i] = v
	}
	return pcm
}

// TestSpeech: whoever speaks, the level is that of speech, there are pauses and they are no more than
// half of it, nearly nothing is cut off, and the voice is the telephone's band and not a tone.
func TestSpeech(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		pitch := rapid.Float64Range(80, 260).Draw(t, "pitch")
		clip := Speech(r, pitch, time.Second)
		require.GreaterOrEqual(t, clip.Duration(), time.Second)
		require.Less(t, clip.Duration(), 4*time.Second)
		pcm := decode(clip.ALaw)
		level := dbfs(pcm)
		require.Greater(t, level, -30.0)
		require.Less(t, level, -10.0)

		const frame = 160
		var quiet, cut int
		for i := 0; i+frame <= len(pcm); i += frame {
			if dbfs(pcm[i:i+frame]) < -50 {
				quiet++
			}
		}
		for _, s := range pcm {
			if math.Abs(float64(s)) >= loudest*fullScale {
				cut++
			}
		}
		share := float64(quiet) * frame / float64(len(pcm))
		require.Greater(t, share, 0.1, "pauses")
		require.Less(t, share, 0.5, "pauses")
		require.Less(t, float64(cut)/float64(len(pcm)), 0.001, "cut off")
	})
}

// TestTurns: while one side speaks the other is silent, and both rounds are equally long.
func TestTurns(t *testing.T) {
	t.Parallel()
	w := &World{rand: rand.New(rand.NewPCG(1, 2))}
	first, second := decode(w.voice(true).ALaw), decode(w.voice(false).ALaw)
	half := samples(turn.Seconds())
	require.Len(t, first, 2*half)
	require.Len(t, second, 2*half)
	require.Greater(t, dbfs(first[:half]), -30.0)
	require.Less(t, dbfs(first[half:]), -60.0)
	require.Less(t, dbfs(second[:half]), -60.0)
	require.Greater(t, dbfs(second[half:]), -30.0)
}
