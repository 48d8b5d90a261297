package media

import "math/bits"

// alawSilence is the A-law code of the smallest positive value (ITU-T G.711 table 1a).
const alawSilence = 0xD5

// The four tables of G.711, made from its formulas when the package is loaded. They are only read.
var (
	alawLinear, ulawLinear = linearTables()
	alawToUlaw, ulawToAlaw = crossTables()
)

func linearTables() (alaw, ulaw [256]int16) {
	for i := range 256 {
		alaw[i], ulaw[i] = decodeALaw(byte(i)), decodeULaw(byte(i))
	}
	return alaw, ulaw
}

func crossTables() (au, ua [256]byte) {
	for i := range 256 {
		au[i] = encodeULaw(decodeALaw(byte(i)))
		ua[i] = encodeALaw(decodeULaw(byte(i)))
	}
	return au, ua
}

// decodeALaw expands one A-law code to 16-bit linear (ITU-T G.711 section 3, table 1: 13 bits,
// shifted up by 3).
func decodeALaw(code byte) int16 {
	code ^= 0x55 // even bits are inverted on the line
	segment, mantissa := int(code>>4&7), int(code&0x0F)
	value := mantissa<<4 + 8
	if segment > 0 {
		value = (value + 0x100) << (segment - 1)
	}
	if code&0x80 == 0 { // the sign bit is set for positive values
		value = -value
	}
	return int16(value)
}

// encodeALaw compresses 16-bit linear to A-law (ITU-T G.711 section 3, table 1).
func encodeALaw(sample int16) byte {
	sign, value := byte(0x80), int(sample)
	if value < 0 {
		sign, value = 0, -value-1 // one less, so that -32768 fits and codes are symmetric
	}
	segment := max(0, bits.Len(uint(value))-8)
	mantissa := value >> 4
	if segment > 0 {
		mantissa = value >> (segment + 3)
	}
	return (sign | byte(segment)<<4 | byte(mantissa&0x0F)) ^ 0x55
}

// ulawBias moves the µ-law segments to powers of two (ITU-T G.711 table 2: 33, shifted up by 2).
const ulawBias = 0x84

// decodeULaw expands one µ-law code to 16-bit linear (ITU-T G.711 section 3, table 2: 14 bits,
// shifted up by 2).
func decodeULaw(code byte) int16 {
	code = ^code
	segment, mantissa := int(code>>4&7), int(code&0x0F)
	value := (mantissa<<3+ulawBias)<<segment - ulawBias
	if code&0x80 != 0 {
		value = -value
	}
	return int16(value)
}

// encodeULaw compresses 16-bit linear to µ-law (ITU-T G.711 section 3, table 2).
func encodeULaw(sample int16) byte {
	const clip = 32635 // the greatest value that the last segment holds once biased
	sign, value := byte(0), int(sample)
	if value < 0 {
		sign, value = 0x80, -value
	}
	value = min(value, clip) + ulawBias
	segment := bits.Len(uint(value)) - 8
	mantissa := value >> (segment + 3)
	return ^(sign | byte(segment)<<4 | byte(mantissa&0x0F))
}

// translate writes src, coded in from, to dst coded in to, and returns the part of dst written. dst
// must be at least as long as src; the two may be the same slice.
func translate(dst, src []byte, from, to Codec) []byte {
	dst = dst[:len(src)]
	switch {
	case from == to:
		copy(dst, src)
	case to == PCMU:
		for i, code := range src {
			dst[i] = alawToUlaw[code]
		}
	default:
		for i, code := range src {
			dst[i] = ulawToAlaw[code]
		}
	}
	return dst
}
