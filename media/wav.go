package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrBadWAV is why a file cannot be played; what wraps it says what is wrong with it, and what would be
// right.
var ErrBadWAV = errors.New("media: unusable WAV file")

// maxWAV bounds what is read of one file, in bytes: over an hour of 16-bit audio.
const maxWAV = 64 << 20

// Format tags of WAV (Microsoft, mmreg.h).
const (
	wavPCM        = 1
	wavALaw       = 6
	wavULaw       = 7
	wavExtensible = 0xFFFE // the tag proper stands at the head of the sub-format
)

type wavFormat struct {
	tag, channels, bits uint16
	rate                uint32
}

// ReadWAV reads a mono WAV of 8,000 samples per second, in 16-bit PCM, A-law or µ-law. Chunks it does
// not know are passed over. Errors wrap ErrBadWAV, or are the reader's own.
func ReadWAV(r io.Reader) (Clip, error) {
	file, err := io.ReadAll(io.LimitReader(r, maxWAV+1))
	if err != nil {
		return Clip{}, fmt.Errorf("read WAV: %w", err)
	}
	if len(file) > maxWAV {
		return Clip{}, fmt.Errorf("%w: longer than %d MiB", ErrBadWAV, maxWAV>>20)
	}
	if len(file) < 12 || string(file[:4]) != "RIFF" || string(file[8:12]) != "WAVE" {
		return Clip{}, fmt.Errorf("%w: no RIFF/WAVE header", ErrBadWAV)
	}
	var format *wavFormat
	for rest := file[12:]; len(rest) >= 8; {
		id, size := string(rest[:4]), int(binary.LittleEndian.Uint32(rest[4:]))
		body := rest[8:]
		if id == "data" {
			return wavAudio(format, body, size)
		}
		if size > len(body) {
			return Clip{}, fmt.Errorf("%w: chunk %q is cut off", ErrBadWAV, id)
		}
		if id == "fmt " {
			if format, err = readFormat(body[:size]); err != nil {
				return Clip{}, err
			}
		}
		rest = body[min(size+size%2, len(body)):] // chunks are padded to even length
	}
	return Clip{}, fmt.Errorf("%w: no audio in it (data chunk)", ErrBadWAV)
}

func readFormat(b []byte) (*wavFormat, error) {
	if len(b) < 16 {
		return nil, fmt.Errorf("%w: format chunk of %d bytes, at least 16 needed", ErrBadWAV, len(b))
	}
	f := &wavFormat{
		tag:      binary.LittleEndian.Uint16(b),
		channels: binary.LittleEndian.Uint16(b[2:]),
		rate:     binary.LittleEndian.Uint32(b[4:]),
		bits:     binary.LittleEndian.Uint16(b[14:]),
	}
	if f.tag == wavExtensible && len(b) >= 26 {
		f.tag = binary.LittleEndian.Uint16(b[24:])
	}
	const convert = "convert it with: sox in.wav -r 8000 -c 1 -b 16 out.wav"
	if f.rate != SampleRate {
		return nil, fmt.Errorf("%w: %d Hz, %d needed; %s", ErrBadWAV, f.rate, SampleRate, convert)
	}
	if f.channels != 1 {
		return nil, fmt.Errorf("%w: %d channels, mono needed; %s", ErrBadWAV, f.channels, convert)
	}
	switch {
	case f.tag == wavPCM && f.bits == 16, f.tag == wavALaw && f.bits == 8, f.tag == wavULaw && f.bits == 8:
		return f, nil
	}
	return nil, fmt.Errorf("%w: format %d with %d bits, 16-bit PCM, A-law or µ-law needed; %s",
		ErrBadWAV, f.tag, f.bits, convert)
}

func wavAudio(f *wavFormat, body []byte, size int) (Clip, error) {
	if f == nil {
		return Clip{}, fmt.Errorf("%w: audio before its format", ErrBadWAV)
	}
	// A program that wrote into a pipe could not know the length, and put the greatest (sox, ffmpeg).
	const unknown = 0x7FFF_0000
	if size > len(body) && size < unknown {
		return Clip{}, fmt.Errorf("%w: cut off: %d bytes of audio of %d", ErrBadWAV, len(body), size)
	}
	body = body[:min(size, len(body))]
	switch f.tag {
	case wavALaw:
		return Clip{ALaw: bytes.Clone(body)}, nil
	case wavULaw:
		return Clip{ALaw: translate(make([]byte, len(body)), body, PCMU, PCMA)}, nil
	}
	alaw := make([]byte, len(body)/2)
	for i := range alaw {
		alaw[i] = encodeALaw(int16(binary.LittleEndian.Uint16(body[2*i:])))
	}
	return Clip{ALaw: alaw}, nil
}
