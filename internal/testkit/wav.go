package testkit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"testing"
	"time"
)

// sampleRate of all telephone audio here, per second.
const sampleRate = 8000

// WAV is audio read from a file, at 8,000 samples per second.
type WAV struct {
	// Channels are samples from −1 to 1, each channel by itself.
	Channels [][]float64
	// Format is 1 for PCM16, 6 for A-law, 7 for µ-law (RFC 2361).
	Format int

	complete bool // the header's length is not more than the file
}

// Duration of it.
func (w WAV) Duration() time.Duration {
	return time.Duration(len(w.Channels[0])) * time.Second / sampleRate
}

// ReadWAV reads a PCM16, A-law or µ-law file. One that is damaged fails the test.
func ReadWAV(tb testing.TB, path string) WAV {
	tb.Helper()
	w, err := parseWAVFile(path)
	if err != nil {
		tb.Fatalf("read %s: %v", path, err)
	}
	return w
}

func parseWAVFile(path string) (WAV, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return WAV{}, err
	}
	return ParseWAV(b)
}

// ParseWAV reads what a file (or an HTTP answer) holds. This reader is the tests' own, so that a
// fault of the hotline's writer cannot hide in a reader that shares it.
func ParseWAV(b []byte) (WAV, error) {
	if len(b) < 12 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE" {
		return WAV{}, errors.New("no RIFF WAVE")
	}
	var format, channels, bits int
	for at := 12; at+8 <= len(b); {
		id, size := string(b[at:at+4]), int(binary.LittleEndian.Uint32(b[at+4:]))
		body := b[at+8:]
		switch {
		case id == "fmt " && size >= 16 && len(body) >= 16:
			format, channels = int(binary.LittleEndian.Uint16(body)), int(binary.LittleEndian.Uint16(body[2:]))
			bits = int(binary.LittleEndian.Uint16(body[14:]))
			if rate := binary.LittleEndian.Uint32(body[4:]); rate != sampleRate {
				return WAV{}, fmt.Errorf("%d samples per second", rate)
			}
		case id == "data":
			if channels < 1 {
				return WAV{}, errors.New("data before its format")
			}
			complete := size > 0 && size <= len(body)
			return decode(body[:min(size, len(body))], format, channels, bits, complete)
		}
		at += 8 + size + size%2
	}
	return WAV{}, errors.New("no data")
}

func decode(data []byte, format, channels, bits int, complete bool) (WAV, error) {
	w := WAV{Channels: make([][]float64, channels), Format: format, complete: complete}
	var sample func(i int) float64
	width := bits / 8
	switch {
	case format == 1 && bits == 16:
		sample = func(i int) float64 {
			return float64(int16(binary.LittleEndian.Uint16(data[2*i:]))) / 32768
		}
	case format == 6 && bits == 8:
		sample = func(i int) float64 { return aLaw(data[i]) }
	case format == 7 && bits == 8:
		sample = func(i int) float64 { return muLaw(data[i]) }
	default:
		return WAV{}, fmt.Errorf("format %d of %d bits", format, bits)
	}
	frames := len(data) / width / channels
	for c := range channels {
		w.Channels[c] = make([]float64, frames)
		for i := range frames {
			w.Channels[c][i] = sample(i*channels + c)
		}
	}
	return w, nil
}

// aLaw is one sample of ITU-T G.711 table 1, from −1 to 1.
func aLaw(b byte) float64 {
	b ^= 0x55
	v := float64(b&0x0f)*2 + 1
	if e := b >> 4 & 7; e > 0 {
		v = (v + 32) * float64(int(1)<<(e-1))
	}
	if b&0x80 == 0 {
		v = -v
	}
	return v / 4096
}

// muLaw is one sample of ITU-T G.711 table 2, from −1 to 1.
func muLaw(b byte) float64 {
	b = ^b
	v := (float64(b&0x0f)*2+33)*float64(int(1)<<(b>>4&7)) - 33
	if b&0x80 != 0 {
		v = -v
	}
	return v / 8192
}

// WriteTone writes a PCM16 file of one channel with a sine of so many hertz, a quarter of full scale;
// 0 hertz is silence.
func WriteTone(tb testing.TB, path string, hertz, seconds float64) {
	tb.Helper()
	writePCM(tb, path, seconds, func(t float64) float64 { return math.Sin(2*math.Pi*hertz*t) / 4 })
}

// keyTones are the frequencies of a telephone's keys, in hertz (ITU-T Q.23).
var keyTones = map[byte][2]float64{
	'1': {697, 1209}, '2': {697, 1336}, '3': {697, 1477}, '4': {770, 1209}, '5': {770, 1336}, '6': {770, 1477},
	'7': {852, 1209}, '8': {852, 1336}, '9': {852, 1477}, '*': {941, 1209}, '0': {941, 1336}, '#': {941, 1477},
}

// WriteKey writes what a telephone without telephone-events says when a key is pressed: silence, the key's tones for
// 100 ms, 100 ms of silence, and a sine from then on, as in WriteTone.
func WriteKey(tb testing.TB, path string, key byte, after time.Duration, hertz, seconds float64) {
	tb.Helper()
	const pressed, pause = 0.1, 0.1
	tones := keyTones[key]
	writePCM(tb, path, seconds, func(t float64) float64 {
		switch t -= after.Seconds(); {
		case t < 0 || t >= pressed && t < pressed+pause:
			return 0
		case t < pressed:
			return (math.Sin(2*math.Pi*tones[0]*t) + math.Sin(2*math.Pi*tones[1]*t)) / 5
		default:
			return math.Sin(2*math.Pi*hertz*t) / 4
		}
	})
}

// writePCM writes a PCM16 file of one channel: the samples at times in seconds, from −1 to 1.
func writePCM(tb testing.TB, path string, seconds float64, at func(t float64) float64) {
	tb.Helper()
	n := int(seconds * sampleRate)
	b := make([]byte, 44, 44+2*n)
	copy(b, "RIFF")
	binary.LittleEndian.PutUint32(b[4:], uint32(36+2*n))
	copy(b[8:], "WAVEfmt ")
	binary.LittleEndian.PutUint32(b[16:], 16)
	binary.LittleEndian.PutUint16(b[20:], 1)
	binary.LittleEndian.PutUint16(b[22:], 1)
	binary.LittleEndian.PutUint32(b[24:], sampleRate)
	binary.LittleEndian.PutUint32(b[28:], 2*sampleRate)
	binary.LittleEndian.PutUint16(b[32:], 2)
	binary.LittleEndian.PutUint16(b[34:], 16)
	copy(b[36:], "data")
	binary.LittleEndian.PutUint32(b[40:], uint32(2*n))
	for i := range n {
		b = binary.LittleEndian.AppendUint16(b, uint16(int16(32768*at(float64(i)/sampleRate))))
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		tb.Fatalf("write a tone: %v", err)
	}
}

// WriteToneALaw writes the same as bare A-law, as sipp's rtp_stream wants it. Hertz is whole, so that
// one second follows another without a break.
func WriteToneALaw(tb testing.TB, path string, hertz, seconds int) {
	tb.Helper()
	second := make([]byte, sampleRate)
	for i := range second {
		second[i] = toALaw(math.Sin(2*math.Pi*float64(hertz*i)/sampleRate) / 4)
	}
	if err := os.WriteFile(path, bytes.Repeat(second, seconds), 0o600); err != nil {
		tb.Fatalf("write a tone: %v", err)
	}
}

// toALaw finds the code nearest to v by trying all; tests have the time.
func toALaw(v float64) byte {
	best, off := byte(0), math.Inf(1)
	for code := range 256 {
		if d := math.Abs(aLaw(byte(code)) - v); d < off {
			best, off = byte(code), d
		}
	}
	return best
}
