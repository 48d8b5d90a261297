package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
)

// wavFile builds a WAV. size is what the data chunk says of its length.
func wavFile(tag, channels, bits uint16, rate uint32, size uint32, data []byte, before ...byte) []byte {
	var b bytes.Buffer
	b.WriteString("RIFF\x00\x00\x00\x00WAVE")
	b.Write(before)
	b.WriteString("fmt ")
	for _, v := range []any{
		uint32(16), tag, channels, rate, rate * uint32(channels*bits/8), channels * bits / 8, bits,
	} {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	b.WriteString("data")
	_ = binary.Write(&b, binary.LittleEndian, size)
	b.Write(data)
	return b.Bytes()
}

func TestReadWAV(t *testing.T) {
	tone := Tone(1000, 100*time.Millisecond).ALaw
	pcm := make([]byte, 0, 2*len(tone))
	for _, code := range tone {
		pcm = binary.LittleEndian.AppendUint16(pcm, uint16(alawLinear[code]))
	}
	ulaw := translate(make([]byte, len(tone)), tone, PCMA, PCMU)
	list := []byte("LIST\x03\x00\x00\x00abc\x00") // of odd length, padded
	for name, c := range map[string]struct{ file, want []byte }{
		"PCM":               {wavFile(1, 1, 16, 8000, uint32(len(pcm)), pcm), tone},
		"A-law":             {wavFile(6, 1, 8, 8000, uint32(len(tone)), tone), tone},
		"µ-law":             {wavFile(7, 1, 8, 8000, uint32(len(ulaw)), ulaw), translate(make([]byte, len(ulaw)), ulaw, PCMU, PCMA)},
		"other chunks":      {wavFile(6, 1, 8, 8000, uint32(len(tone)), tone, list...), tone},
		"chunks after":      {append(wavFile(6, 1, 8, 8000, uint32(len(tone)), tone), list...), tone},
		"length not known":  {wavFile(6, 1, 8, 8000, math.MaxUint32, tone), tone},
		"written to a pipe": {wavFile(6, 1, 8, 8000, 0x7FFFF000, tone), tone},
	} {
		clip, err := ReadWAV(bytes.NewReader(c.file))
		require.NoError(t, err, name)
		require.Equal(t, c.want, clip.ALaw, name)
	}
}

func TestReadWAVRefuses(t *testing.T) {
	data := make([]byte, 100)
	for want, file := range map[string][]byte{
		"no RIFF/WAVE header": []byte("ID3 and so on, an MP3"),
		"44100 Hz, 8000 needed; convert it with: sox in.wav -r 8000 -c 1 -b 16 out.wav": wavFile(1, 1, 16, 44100, 100, data),
		"2 channels, mono needed; convert it with: sox":                                 wavFile(1, 2, 16, 8000, 100, data),
		"format 1 with 24 bits, 16-bit PCM":                                             wavFile(1, 1, 24, 8000, 100, data),
		"format 3 with 32 bits":                                                         wavFile(3, 1, 32, 8000, 100, data),
		"cut off: 100 bytes of audio of 101":                                            wavFile(1, 1, 16, 8000, 101, data),
		"no audio in it":                                                                wavFile(1, 1, 16, 8000, 0, nil)[:36],
		"audio before its format":                                                       []byte("RIFF\x00\x00\x00\x00WAVEdata\x00\x00\x00\x00"),
		`chunk "LIST" is cut off`:                                                       []byte("RIFF\x00\x00\x00\x00WAVELIST\xff\x00\x00\x00"),
		"format chunk of 2 bytes":                                                       []byte("RIFF\x00\x00\x00\x00WAVEfmt \x02\x00\x00\x00ab"),
	} {
		_, err := ReadWAV(bytes.NewReader(file))
		require.ErrorIs(t, err, ErrBadWAV)
		require.ErrorContains(t, err, want)
	}
	fault := errors.New("disk fault")
	_, err := ReadWAV(iotest.ErrReader(fault))
	require.ErrorIs(t, err, fault)
	require.NotErrorIs(t, err, ErrBadWAV)
}

func FuzzReadWAV(f *testing.F) {
	f.Add(wavFile(1, 1, 16, 8000, 4, []byte{1, 2, 3, 4}))
	f.Add(wavFile(7, 1, 8, 8000, math.MaxUint32, []byte{1, 2, 3, 4}))
	f.Add(wavFile(wavExtensible, 1, 16, 8000, 4, []byte{1, 2, 3, 4}))
	f.Fuzz(func(t *testing.T, b []byte) {
		clip, err := ReadWAV(bytes.NewReader(b))
		if err != nil && !errors.Is(err, ErrBadWAV) {
			t.Fatal(err)
		}
		if len(clip.ALaw) > len(b) {
			t.Fatal("more audio than file")
		}
	})
}
