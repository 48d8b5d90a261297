package media

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Points of ITU-T G.711 tables 1a, 1b (A-law, shifted up to 16 bits by 3 from 13) and 2a, 2b (µ-law, by 2
// from 14): the least values, the ends of segments, the greatest.
func TestG711Golden(t *testing.T) {
	for code, value := range map[byte]int16{
		0xD5: 8, 0x55: -8, 0xD4: 24, 0xC5: 264, 0x45: -264, 0xF5: 528, 0xE5: 1056,
		0x95: 2112, 0x85: 4224, 0xB5: 8448, 0xA5: 16896, 0xAA: 32256, 0x2A: -32256,
	} {
		require.Equal(t, value, alawLinear[code], "A-law %#x", code)
	}
	for code, value := range map[byte]int16{
		0xFF: 0, 0x7F: 0, 0xFE: 8, 0x7E: -8, 0xEF: 132, 0xDF: 396, 0xCF: 924, 0xBF: 1980,
		0xAF: 4092, 0x9F: 8316, 0x8F: 16764, 0x80: 32124, 0x00: -32124,
	} {
		require.Equal(t, value, ulawLinear[code], "µ-law %#x", code)
	}
}

// Encoding finds the nearest value that a code stands for, over all 16 bits, and what was decoded is
// encoded to itself.
func TestG711Nearest(t *testing.T) {
	for name, law := range map[string]struct {
		encode func(int16) byte
		linear *[256]int16
		clip   int // the greatest sample that is not cut
	}{
		"A-law": {encodeALaw, &alawLinear, 32767},
		"µ-law": {encodeULaw, &ulawLinear, 32635},
	} {
		for code := range 256 {
			if name == "µ-law" && code == 0x7F {
				continue // minus zero
			}
			require.Equal(t, byte(code), law.encode(law.linear[code]), "%s %#x", name, code)
		}
		for sample := math.MinInt16; sample <= math.MaxInt16; sample++ {
			got := int(law.linear[law.encode(int16(sample))])
			clipped := max(-law.clip, min(law.clip, sample))
			// A step is at most a sixteenth of its segment's beginning (which in µ-law is shifted by its
			// bias), and a code stands for the middle of it.
			off := max(got-clipped, clipped-got)
			require.LessOrEqual(t, off, max(8, (max(clipped, -clipped)+ulawBias)/32), "%s of %d", name, sample)
		}
	}
}

// Once across and back loses at most what the coarser law has not got, and a second time nothing more.
func TestTranslate(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, laws := range [][2]Codec{{PCMA, PCMU}, {PCMU, PCMA}} {
		there := translate(make([]byte, 256), all, laws[0], laws[1])
		back := translate(make([]byte, 256), there, laws[1], laws[0])
		again := translate(make([]byte, 256), translate(make([]byte, 256), back, laws[0], laws[1]), laws[1], laws[0])
		require.Equal(t, back, again, "%s", laws)
	}
	require.Equal(t, all, translate(make([]byte, 300), all, PCMU, PCMU))
	inPlace := append([]byte(nil), all...)
	require.Equal(t, alawToUlaw[:], translate(inPlace, inPlace, PCMA, PCMU))
}

func TestTone(t *testing.T) {
	c := Tone(1000, 250*time.Millisecond)
	require.Len(t, c.ALaw, 2000)
	require.Equal(t, 250*time.Millisecond, c.Duration())
	require.Empty(t, Tone(1000, -time.Second).ALaw)
	require.InDelta(t, 8191, float64(alawLinear[c.ALaw[2]]), 256, "the peak of a sine of 8 samples")
}
