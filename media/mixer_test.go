package media

import (
	"math"
	"testing"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// said makes the packets of some audio, in A-law or µ-law.
func said(ssrc uint32, linear []int16, kind payloadKind) []*rtp.Packet {
	var packets []*rtp.Packet
	for at := 0; at+frameSamples <= len(linear); at += frameSamples {
		p := &rtp.Packet{Header: rtp.Header{Version: 2, SSRC: ssrc, Timestamp: ssrc*1000 + uint32(at)}}
		for _, s := range linear[at : at+frameSamples] {
			if kind == payloadPCMU {
				p.Payload = append(p.Payload, encodeULaw(s))
			} else {
				p.Payload = append(p.Payload, encodeALaw(s))
			}
		}
		packets = append(packets, p)
	}
	return packets
}

// mix has parties say something at once, and returns what somebody hears who hears some of them, after the wait.
func mix(hears []bool, voices ...[]*rtp.Packet) []int16 {
	var m mixer
	m.hears(hears)
	var heard []int16
	var alaw [frameSamples]byte
	for turn := range len(voices[0]) + 2 {
		for party, packets := range voices {
			if turn < len(packets) {
				m.put(party, packets[turn], payloadPCMA)
			}
		}
		m.frame(alaw[:])
		if turn < 2 {
			continue // the wait
		}
		for _, code := range alaw {
			heard = append(heard, alawLinear[code])
		}
	}
	return heard
}

// What is heard is the sum of those heard, and of nobody else: at every instant, for any voices.
func TestMixIsTheSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const frames = 4
		hears := rapid.SliceOfN(rapid.Bool(), 1, 5).Draw(t, "hears")
		voices := make([][]*rtp.Packet, len(hears))
		want := make([]int32, frames*frameSamples)
		for party := range hears {
			seed := rapid.Int16().Draw(t, "voice")
			linear := make([]int16, frames*frameSamples)
			for i := range linear {
				seed = seed*31 + 7
				linear[i] = seed / int16(1+party)
			}
			voices[party] = said(uint32(party+1), linear, payloadPCMA)
			if !hears[party] {
				continue
			}
			for i := range want {
				want[i] += int32(alawLinear[encodeALaw(linear[i])])
			}
		}
		got := mix(hears, voices...)
		for i, sum := range want {
			require.Equal(t, alawLinear[encodeALaw(limited(sum))], got[i], "sample %d", i)
		}
	})
}

// One voice among silent ones is heard as it came, A-law or µ-law.
func TestMixOfOne(t *testing.T) {
	quiet := make([]int16, 5*frameSamples)
	for i := range quiet {
		quiet[i] = int16(10000 * math.Sin(float64(i)/5))
	}
	for _, kind := range []payloadKind{payloadPCMA, payloadPCMU} {
		var m mixer
		m.hears([]bool{true, false, true})
		var alaw [frameSamples]byte
		packets := said(3, quiet, kind)
		for turn := range packets {
			m.put(0, packets[turn], kind)
			m.put(1, packets[turn], kind) // who is not heard
			if m.frame(alaw[:]); turn < 2 {
				continue
			}
			for i, code := range alaw {
				heard, want := float64(alawLinear[code]), float64(quiet[(turn-2)*frameSamples+i])
				require.InDelta(t, want, heard, 520, "within the steps of the two codes")
			}
		}
	}
}

// Two loud voices neither wrap around nor change places: what is louder stays louder, and the sign is kept.
func TestLimited(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int32().Draw(t, "a"), rapid.Int32().Draw(t, "b")
		if a <= b {
			require.LessOrEqual(t, limited(a), limited(b))
		}
		if a != math.MinInt32 {
			require.Equal(t, -limited(a), limited(-a))
		}
		if a >= -24576 && a <= 24576 {
			require.EqualValues(t, a, limited(a), "what is no louder than need be stays as it is")
		}
	})
	require.InDelta(t, math.MaxInt16, limited(math.MaxInt32), 1)
	full := make([]int16, 3*frameSamples)
	for i := range full {
		full[i] = math.MaxInt16
	}
	for _, s := range mix([]bool{true, true, true}, said(1, full, payloadPCMA), said(2, full, payloadPCMA), said(3, full, payloadPCMA)) {
		require.Greater(t, s, int16(30000))
	}
}

// Who is heard may change at any time; those who stay are heard without a gap.
func TestMixChanges(t *testing.T) {
	tone := make([]int16, 20*frameSamples)
	for i := range tone {
		tone[i] = 8000
	}
	a, b := said(1, tone, payloadPCMA), said(2, tone, payloadPCMA)
	var m mixer
	var alaw [frameSamples]byte
	one, two := alawLinear[encodeALaw(8000)], alawLinear[encodeALaw(limited(2*int32(alawLinear[encodeALaw(8000)])))]
	m.hears([]bool{true, false})
	for turn := range 20 {
		switch turn {
		case 6:
			m.hears([]bool{true, true})
		case 13:
			m.hears([]bool{true, false})
		}
		m.put(0, a[turn], payloadPCMA)
		m.put(1, b[turn], payloadPCMA)
		m.frame(alaw[:])
		want := one
		switch {
		case turn < 2:
			want = 8 // silence
		case turn >= 8 && turn < 13:
			want = two
		}
		require.Equal(t, want, alawLinear[alaw[0]], "turn %d", turn)
	}
}

func TestMixAllocatesNothing(t *testing.T) {
	var m mixer
	m.hears([]bool{true, true, false})
	packets := said(1, make([]int16, frameSamples), payloadPCMA)
	var alaw [frameSamples]byte
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		for party := range 3 {
			m.put(party, packets[0], payloadPCMA)
		}
		packets[0].Timestamp += uint32(frameSamples)
		m.frame(alaw[:])
	}))
}
