package media

import (
	"encoding/binary"
	"testing"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// numbered is audio whose samples tell where they belong: each frame has a code of its own, the loudest first.
func numbered(frame int) byte { return byte(0x80|frame%0x40) ^ 0x55 }

// voicePacket is the packet of one frame of a voice, n samples long.
func voicePacket(ssrc uint32, begin uint32, frame, n int) *rtp.Packet {
	p := &rtp.Packet{Header: rtp.Header{Version: 2, SSRC: ssrc, SequenceNumber: uint16(frame), Timestamp: begin + uint32(frame*n)}}
	for range n {
		p.Payload = append(p.Payload, numbered(frame))
	}
	return p
}

// played takes the next frame and returns its first sample; -1 when they differ.
func played(p *playout) int {
	var sum [frameSamples]int32
	p.add(&sum)
	for _, s := range sum {
		if s != sum[0] {
			return -1
		}
	}
	return int(sum[0])
}

// sample is what a numbered frame sounds like.
func sample(frame int) int { return int(alawLinear[numbered(frame)]) }

// What comes in time is heard as it was said, after the least wait, whatever its timestamps: also where they wrap.
func TestPlayoutInOrder(t *testing.T) {
	for _, begin := range []uint32{0, 1, 4095, 1 << 31, 0xFFFFFF00} {
		var p playout
		for i := range 100 {
			p.put(voicePacket(7, begin, i, frameSamples), payloadPCMA)
			want := 0
			if i >= 2 {
				want = sample(i - 2)
			}
			require.Equal(t, want, played(&p), "frame %d from timestamp %d", i, begin)
		}
		require.Zero(t, p.late)
	}
}

// Packets of 10 to 60 ms make frames of 20.
func TestPlayoutPacketSizes(t *testing.T) {
	for _, n := range []int{80, 160, 240, 320, 480} {
		var p playout
		heard := 0
		for i := range 240 { // steps of 10 ms
			if i%(n/80) == 0 {
				packet := voicePacket(1, 99, i/(n/80), n)
				for j := range packet.Payload {
					packet.Payload[j] = numbered(1)
				}
				p.put(packet, payloadPCMA)
			}
			if i%2 == 1 && played(&p) == sample(1) {
				heard++
			}
		}
		require.GreaterOrEqual(t, heard, 117, "packets of %d samples", n)
		require.Zero(t, p.late)
		require.Zero(t, p.missing)
	}
}

// A packet swapped with the next is put right without a sound lost.
func TestPlayoutReorders(t *testing.T) {
	var p playout
	order := []int{0, 2, 1, 3, 5, 4, 6, 7, 8, 9, 10, 11}
	for i, frame := range order {
		p.put(voicePacket(1, 0, frame, frameSamples), payloadPCMA)
		if got := played(&p); i >= 2 {
			require.Equal(t, sample(i-2), got)
		}
	}
	require.Zero(t, p.late)
	require.Zero(t, p.concealed)
}

// What does not come is stood in for by the frame before it, each time half as loud, and then by silence.
func TestPlayoutConceals(t *testing.T) {
	var p playout
	for i := range 3 {
		p.put(voicePacket(1, 0, i, frameSamples), payloadPCMA)
		played(&p)
	}
	require.Equal(t, sample(1), played(&p))
	require.Equal(t, sample(2), played(&p))
	for _, want := range []int{sample(2) >> 1, sample(2) >> 2, sample(2) >> 3, 0, 0} {
		require.Equal(t, want, played(&p))
	}
	require.EqualValues(t, playoutFade, p.concealed)
	p.put(voicePacket(1, 0, 10, frameSamples), payloadPCMA) // it was silent for a while, and goes on in time
	heard := 0
	for range 4 {
		if played(&p) == sample(10) {
			heard++
		}
	}
	require.Equal(t, 1, heard)
	require.Zero(t, p.late)
}

// A voice whose packets begin to be late waits longer, so that those after them are in time; once they are on time
// again for a while, the wait is short again.
func TestPlayoutAdapts(t *testing.T) {
	var p playout
	const delay = 5 // frames
	sent := 0
	lateAt := uint64(0)
	for i := range 200 {
		if i < 10 || i >= 10+delay {
			p.put(voicePacket(1, 0, sent, frameSamples), payloadPCMA)
			sent++
		}
		played(&p)
		if i == 10+delay {
			lateAt = p.late
		}
	}
	require.Positive(t, lateAt)
	require.Equal(t, lateAt, p.late, "late once, and never again")
	held := int(int32(p.end - p.head))
	require.LessOrEqual(t, held, playoutLeast+frameSamples)
	before := held

	for range delay { // they come at once, after a pause of the network
		played(&p)
	}
	for range delay + 1 {
		p.put(voicePacket(1, 0, sent, frameSamples), payloadPCMA)
		sent++
	}
	played(&p)
	held = int(int32(p.end - p.head))
	require.Greater(t, held, before, "waits longer")
	for range 10 * playoutLook {
		p.put(voicePacket(1, 0, sent, frameSamples), payloadPCMA)
		sent++
		played(&p)
	}
	held = int(int32(p.end - p.head))
	require.LessOrEqual(t, held, playoutLeast+frameSamples, "and not for longer than it must")
}

// Another sender, or one whose time has jumped, is heard at once, and what was left of the old time is not.
func TestPlayoutBeginsAnew(t *testing.T) {
	for name, next := range map[string]struct{ ssrc, begin uint32 }{
		"another sender": {2, 50}, "far ahead": {1, 1 << 30}, "far back": {1, 1 << 31},
	} {
		t.Run(name, func(t *testing.T) {
			var p playout
			for i := range 5 {
				p.put(voicePacket(1, 1<<20, i, frameSamples), payloadPCMA)
				played(&p)
			}
			if name == "far back" { // it is told from a stray once nothing else is left
				for range 3 {
					played(&p)
				}
			}
			var got []int
			for i := range 10 {
				p.put(voicePacket(next.ssrc, next.begin, 20+i, frameSamples), payloadPCMA)
				got = append(got, played(&p))
			}
			require.Equal(t, sample(20), got[2])
			require.Equal(t, sample(27), got[9])
		})
	}
}

// A packet of long ago, among others, moves nothing.
func TestPlayoutStray(t *testing.T) {
	var p playout
	for i := range 50 {
		p.put(voicePacket(1, 1<<20, i, frameSamples), payloadPCMA)
		if i == 30 {
			p.put(voicePacket(1, 1<<19, 0, frameSamples), payloadPCMA)
		}
		if got := played(&p); i >= 2 {
			require.Equal(t, sample(i-2), got)
		}
	}
	require.EqualValues(t, 1, p.late)
}

// Where the sender's clock and ours drift apart, the wait stays what it is: thousandths are far more than any crystal's.
func TestPlayoutDrift(t *testing.T) {
	for _, perMille := range []int{-5, 5} {
		var p playout
		sent, missing := 0, 0
		for i := range 6000 {
			for sent*(1000-perMille) <= i*1000 {
				p.put(voicePacket(1, 0, sent, frameSamples), payloadPCMA)
				sent++
			}
			played(&p)
			if p.missing > 0 {
				missing++
			}
			if held := int(int32(p.end - p.head)); i > 10 {
				require.LessOrEqual(t, held, playoutLeast+3*frameSamples, "frame %d", i)
			}
		}
		require.Less(t, missing, 75, "thirty frames are too few or too many in %d", sent)
	}
}

// Whatever comes in whatever order, what is held is bounded, and a steady voice is heard again afterwards.
func TestPlayoutRecovers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p playout
		for range rapid.IntRange(0, 60).Draw(t, "acts") {
			if rapid.Bool().Draw(t, "packet") {
				packet := &rtp.Packet{Header: rtp.Header{
					SSRC: rapid.Uint32Range(0, 2).Draw(t, "ssrc"), Timestamp: rapid.Uint32().Draw(t, "timestamp"),
				}}
				packet.Payload = make([]byte, rapid.IntRange(0, maxDatagram).Draw(t, "size"))
				p.put(packet, payloadPCMA)
			} else {
				played(&p)
			}
			require.LessOrEqual(t, int(int32(p.end-p.head)), playoutRing)
		}
		begin := rapid.Uint32().Draw(t, "begin")
		var got int
		for i := range playoutRing/frameSamples + 20 {
			p.put(voicePacket(9, begin, i, frameSamples), payloadPCMA)
			got = played(&p)
		}
		require.Equal(t, sample(playoutRing/frameSamples+20-3), got)
	})
}

// FuzzPlayout: no packets make it fail, or hold more than its buffer.
func FuzzPlayout(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 0, 0, 160, 0, 1, 0, 0, 0, 160, 0, 160, 0})
	f.Add([]byte{1, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 200, 2, 0, 0, 0, 0, 0, 8, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		var p playout
		for ; len(script) >= 8; script = script[8:] {
			if script[0]%3 == 0 {
				played(&p)
				continue
			}
			p.put(&rtp.Packet{
				Header:  rtp.Header{SSRC: uint32(script[0]), Timestamp: binary.BigEndian.Uint32(script[1:])},
				Payload: make([]byte, int(binary.BigEndian.Uint16(script[5:]))%maxDatagram),
			}, payloadKind(script[7]%4))
			require.LessOrEqual(t, int(int32(p.end-p.head)), playoutRing)
		}
	})
}
