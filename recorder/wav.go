package recorder

import (
	"bytes"
	"encoding/binary"
	"math"

	"hotline/media"
)

const (
	channels      = 2
	pairBytes     = channels // one A-law byte for each channel
	formatALaw    = 6        // WAVE_FORMAT_ALAW (RFC 2361, appendix A)
	silence       = 0xD5     // the A-law code of zero (ITU-T G.711, table 1a, even bits inverted)
	headerBytes   = 58
	riffOverhead  = headerBytes - 8 // what the RIFF size counts besides the audio
	riffSizeAt    = 4
	factPairsAt   = 46
	dataSizeAt    = 54
	maxFilePairs  = (math.MaxUint32 - riffOverhead) / pairBytes // 74 hours
	sizeFieldSize = 4
)

// header is the WAV header of a file that holds so many pairs of samples: RIFF, an 18-byte fmt chunk
// and the fact chunk, as formats other than PCM must have them (Microsoft, "New Multimedia Data Types
// and Data Techniques", 1994), then the data chunk's head.
func header(pairs int64) [headerBytes]byte {
	data := uint32(pairs * pairBytes) // bounded by maxFilePairs where files grow
	b := make([]byte, 0, headerBytes)
	le := binary.LittleEndian
	b = append(b, "RIFF"...)
	b = le.AppendUint32(b, riffOverhead+data)
	b = append(b, "WAVEfmt "...)
	b = le.AppendUint32(b, 18)
	b = le.AppendUint16(b, formatALaw)
	b = le.AppendUint16(b, channels)
	b = le.AppendUint32(b, media.SampleRate)
	b = le.AppendUint32(b, media.SampleRate*pairBytes)
	b = le.AppendUint16(b, pairBytes)
	b = le.AppendUint16(b, 8) // bits per sample
	b = le.AppendUint16(b, 0) // no extension
	b = append(b, "fact"...)
	b = le.AppendUint32(b, 4)
	b = le.AppendUint32(b, data/pairBytes)
	b = append(b, "data"...)
	b = le.AppendUint32(b, data)
	return [headerBytes]byte(b)
}

// ours reports whether h is a header of this package, whatever its sizes; or nothing but zeros, as a
// power cut leaves a first block that was never written.
func ours(h [headerBytes]byte) bool {
	if h == ([headerBytes]byte{}) {
		return true
	}
	for _, at := range []int{riffSizeAt, factPairsAt, dataSizeAt} {
		clear(h[at : at+sizeFieldSize])
	}
	want := header(0)
	clear(want[riffSizeAt : riffSizeAt+sizeFieldSize])
	return bytes.Equal(h[:], want[:])
}
