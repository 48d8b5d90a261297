package media

import (
	"math"

	"github.com/pion/rtp"
)

const (
	// playoutRing is what one voice may have in its buffer, in samples: half a second, and a power of two, so that a
	// timestamp that wraps keeps its place.
	playoutRing = 4096
	// playoutLeast is how long a voice waits for packets that are late, in samples (40 ms), where it has just begun
	// or nothing was late; playoutMost (200 ms) is the longest it is let wait.
	playoutLeast = 2 * frameSamples
	playoutMost  = 10 * frameSamples
	// playoutLook is over how many frames is looked whether a shorter wait would have done: half a second.
	playoutLook = 25
	// playoutFade is how many frames in a row that did not come sound on, each half as loud as the one before; then
	// there is silence.
	playoutFade = 3
	// absent marks a sample that did not come. No code of G.711 stands for it.
	absent = math.MinInt16
)

// playout takes one voice's packets as they come, late or in another order, and gives a frame every 20 ms: each sample
// at its time by the RTP timestamps. It holds them back for as long as packets have been late, which it learns: a
// packet that comes too late has it wait longer by that, time in hand over half a second has it skip some.
//
// The clock of frames is the wheel's and that of packets the sender's; where the two drift apart, the same two rules
// keep them together. Not safe for concurrent use.
type playout struct {
	begun bool
	ssrc  uint32
	head  uint32 // timestamp of the next sample to be given
	end   uint32 // timestamp after the newest that came
	ring  [playoutRing]int16

	last    [frameSamples]int16 // the last frame that came whole
	missing int                 // frames in a row since, in which something was absent

	spare int // least that was left in hand after a frame since it was looked last, in samples
	looks int // frames since then

	late, concealed uint64 // packets that came too late, and frames filled in for what did not come
}

// begin waits for a voice to be heard from a timestamp on.
func (p *playout) begin(ssrc, timestamp uint32) {
	p.begun, p.ssrc, p.missing = true, ssrc, playoutFade
	p.head, p.end = timestamp-uint32(playoutLeast), timestamp
	for i := range p.ring {
		p.ring[i] = absent
	}
	p.look()
}

// put takes the audio of one packet. What is coded in neither A-law nor µ-law is passed over.
func (p *playout) put(packet *rtp.Packet, kind payloadKind) {
	linear := linearOf(kind)
	n := len(packet.Payload)
	if linear == nil || n == 0 || n > playoutRing/2 {
		return
	}
	timestamp := packet.Timestamp
	if !p.begun || packet.SSRC != p.ssrc {
		p.begin(packet.SSRC, timestamp)
	}
	if !p.admit(timestamp, n) {
		return
	}
	for i, code := range packet.Payload {
		p.ring[(timestamp+uint32(i))%playoutRing] = linear[code]
	}
}

// admit makes sure that there is a place for n samples from a timestamp on; false for what comes so late that nobody
// waits for it any more.
func (p *playout) admit(timestamp uint32, n int) bool {
	ahead, after := int(int32(timestamp-p.head)), timestamp+uint32(n)
	if int32(after-p.end) > 0 {
		p.end = after
	}
	if ahead+n > playoutRing { // the sender's time has jumped
		p.begin(p.ssrc, timestamp)
		p.end = after
		return true
	}
	if ahead >= 0 {
		return true
	}
	p.late++
	switch held := int(int32(p.end - timestamp)); {
	case held <= playoutMost: // wait longer from now on
		p.head, p.spare = timestamp, 0
	case int32(p.end-p.head) <= 0 || after == p.end: // nothing is left to lose: its time goes on from here
		p.begin(p.ssrc, timestamp)
		p.end = after
	default:
		return false
	}
	return true
}

// linearOf is the table of a kind of payload; nil for what is no audio.
func linearOf(kind payloadKind) *[256]int16 {
	if kind == payloadPCMA {
		return &alawLinear
	}
	if kind == payloadPCMU {
		return &ulawLinear
	}
	return nil
}

// add adds the next 20 ms of the voice to a sum.
func (p *playout) add(sum *[frameSamples]int32) {
	if !p.begun {
		return
	}
	var frame [frameSamples]int16
	whole := true
	for i := range frame {
		at := &p.ring[(p.head+uint32(i))%playoutRing]
		frame[i], *at = *at, absent
		if frame[i] == absent {
			whole = false
			frame[i] = p.filling(i)
		}
		sum[i] += int32(frame[i])
	}
	p.head += uint32(frameSamples)
	p.heard(&frame, whole)
	p.adapt()
}

// filling stands in for a sample that did not come: the last frame that did, fading.
func (p *playout) filling(i int) int16 {
	if p.missing >= playoutFade {
		return 0
	}
	return p.last[i] >> (p.missing + 1)
}

func (p *playout) heard(frame *[frameSamples]int16, whole bool) {
	switch {
	case whole:
		p.last, p.missing = *frame, 0
	case p.missing < playoutFade:
		p.missing++
		p.concealed++
	}
}

// adapt skips some of what is held back, where over some time there was always more in hand than need be.
func (p *playout) adapt() {
	p.spare = min(p.spare, int(int32(p.end-p.head)))
	if p.looks++; p.looks < playoutLook {
		return
	}
	if over := p.spare - playoutLeast; over >= frameSamples {
		p.skip(max(frameSamples, over/2/frameSamples*frameSamples))
	}
	p.look()
}

// look begins to look anew at what is in hand.
func (p *playout) look() { p.looks, p.spare = 0, math.MaxInt }

func (p *playout) skip(n int) {
	for range n {
		p.ring[p.head%playoutRing] = absent
		p.head++
	}
}
