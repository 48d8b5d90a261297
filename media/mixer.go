package media

import (
	"math"

	"github.com/pion/rtp"
)

// mixer makes what one party hears of several others: for each of them a buffer of its own, and the sum of all every
// 20 ms. Who listens is not among them, so nobody hears himself. Not safe for concurrent use.
type mixer struct {
	voices []*playout // by party; nil for those not heard
	sum    [frameSamples]int32
}

// hears sets who is heard: by party, whether. The buffers of those who were heard before stay.
func (m *mixer) hears(whom []bool) {
	voices := make([]*playout, len(whom))
	for i, heard := range whom {
		if !heard {
			continue
		}
		if voices[i] = new(playout); i < len(m.voices) && m.voices[i] != nil {
			voices[i] = m.voices[i]
		}
	}
	m.voices = voices
}

// put takes one packet of a party's; one of a party who is not heard is passed over.
func (m *mixer) put(party int, p *rtp.Packet, kind payloadKind) {
	if v := m.voices[party]; v != nil {
		v.put(p, kind)
	}
}

// frame makes the next 20 ms, in A-law.
func (m *mixer) frame(alaw []byte) {
	clear(m.sum[:])
	for _, v := range m.voices {
		if v != nil {
			v.add(&m.sum)
		}
	}
	for i := range alaw {
		alaw[i] = encodeALaw(limited(m.sum[i]))
	}
}

// limited brings a sum of voices into the range of samples: what is within three quarters of it stays as it is, what is
// beyond comes ever closer to its end. So two loud voices neither wrap around nor are cut off flat.
func limited(sum int32) int16 {
	const (
		knee = (math.MaxInt16 + 1) / 4 * 3
		rest = math.MaxInt16 - knee
	)
	size := max(int64(sum), -int64(sum))
	if size > knee {
		over := size - knee
		size = knee + over*rest/(over+rest)
	}
	if sum < 0 {
		size = -size
	}
	return int16(size)
}
