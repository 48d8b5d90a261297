package testkit

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestToneIsFoundAndOthersAreNot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tone.wav")
	WriteTone(t, path, 440, 2)
	w := ReadWAV(t, path)
	require.Equal(t, 2*time.Second, w.Duration())
	require.InDelta(t, 1, Tone(w.Channels[0], 440), 1e-9)
	for _, other := range []float64{400, 480, 880, 1000, 3000} {
		require.Zero(t, Tone(w.Channels[0], other), "%v Hz", other)
	}
	require.True(t, HasTone(w.Channels[0], 440, 2*time.Second))
	require.False(t, HasTone(w.Channels[0], 440, 2001*time.Millisecond))
}

func TestSilenceHasNoTone(t *testing.T) {
	require.Zero(t, Tone(make([]float64, sampleRate), 440))
	require.Zero(t, Tone(nil, 440))
	_, found := FirstTone(make([]float64, sampleRate), 440)
	require.False(t, found)
}

func TestFirstTone(t *testing.T) {
	samples := make([]float64, 2*sampleRate)
	for i := sampleRate; i < len(samples); i++ {
		samples[i] = math.Sin(2*math.Pi*1000*float64(i)/sampleRate) / 4
	}
	at, found := FirstTone(samples, 1000)
	require.True(t, found)
	require.Equal(t, time.Second, at)
}

// TestALawAgainstGolden checks decision values of ITU-T G.711 table 1a.
func TestALawAgainstGolden(t *testing.T) {
	for code, want := range map[byte]float64{
		0xd5: 1, 0x55: -1, 0xd4: 3, 0xaa: 4032, 0x2a: -4032, 0xc5: 33,
	} {
		require.InDelta(t, want/4096, aLaw(code), 1e-9, "%#x", code)
	}
	for code := range 256 {
		require.Equal(t, byte(code), toALaw(aLaw(byte(code))))
	}
	require.InDelta(t, 0, muLaw(0xff), 1e-9)
	require.InDelta(t, 8031.0/8192, muLaw(0x80), 1e-9)
	require.InDelta(t, -8031.0/8192, muLaw(0x00), 1e-9)
}

func TestStereoALawFile(t *testing.T) {
	left, right := filepath.Join(t.TempDir(), "l"), filepath.Join(t.TempDir(), "r")
	WriteToneALaw(t, left, 440, 1)
	WriteToneALaw(t, right, 1000, 1)
	l, err := os.ReadFile(left)
	require.NoError(t, err)
	r, err := os.ReadFile(right)
	require.NoError(t, err)
	head := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x12\x00\x00\x00\x06\x00\x02\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x08\x00\x00\x00data\x80\x3e\x00\x00")
	for i := range l {
		head = append(head, l[i], r[i])
	}
	w, err := ParseWAV(head)
	require.NoError(t, err)
	require.Equal(t, time.Second, w.Duration())
	require.InDelta(t, 1, Tone(w.Channels[0], 440), 1e-9)
	require.InDelta(t, 1, Tone(w.Channels[1], 1000), 1e-9)
	require.Zero(t, Tone(w.Channels[0], 1000))
}

func FuzzParseWAV(f *testing.F) {
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x06\x00\x02\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x08\x00data\x02\x00\x00\x00\xd5\x55"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = ParseWAV(b) // it must not panic
	})
}
