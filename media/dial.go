package media

import (
	"math"
	"strings"
	"time"
)

// maxDialled is how many keys may wait to be passed on to the other end of a bridge: each takes 160 ms, a person presses
// slower than that for long, and a flood of them must not keep the parties from hearing each other.
const maxDialled = 8

// dialled is the keys that are sent on a bridged line, one after another, instead of what the other end says. Not safe
// for concurrent use; owned by the line's shard.
type dialled struct {
	keys [maxDialled]Key
	n    int
	now  press // keys[0], once it has begun
}

// dial has a key sent from the next turn of the wheel on. One too many is lost.
func (o *sender) dial(k Key) {
	d := &o.keys
	if d.n == maxDialled {
		return
	}
	if d.n == 0 {
		d.now = press{event: eventOf(k)}
	}
	d.keys[d.n] = k
	d.n++
}

// step sends the packet that is due of the key that is its turn; frame is the caller's to write to.
func (d *dialled) step(o *sender, due time.Time, frame []byte) {
	if !d.now.step(o, due, frame) {
		return
	}
	copy(d.keys[:], d.keys[1:d.n])
	if d.n--; d.n > 0 {
		d.now = press{event: eventOf(d.keys[0])}
	}
}

// hangUp forgets the keys that have not begun; the one that has is finished.
func (d *dialled) hangUp() {
	d.n = min(d.n, 1)
	if d.now.turn == 0 {
		d.n = 0
	}
}

// The levels at which we send the tones of a key, in dBm0: the column 2 dB above the row, as telephones do for the
// lines that take more of it.
const (
	rowLevel    = -11
	columnLevel = -9
)

// tones sends the next frame of a key as tones, or of the pause after it, if the far end listens.
func (o *sender) tones(now time.Time, p *press, frame []byte) bool {
	if !o.open() {
		return false
	}
	sounds := p.turn < keyTurns
	if sounds {
		writeTones(frame, Key(eventKeys[p.event]), p.turn*frameSamples)
	} else {
		silence(frame)
	}
	o.frame(now, frame, sounds)
	return true
}

// writeTones fills a frame with the tones of a key (ITU-T Q.23), in A-law, from a sample of theirs on.
func writeTones(frame []byte, k Key, from int) {
	row, column := tonesOf(k)
	low, high := toneAmplitude(rowLevel), toneAmplitude(columnLevel)
	for i := range frame {
		t := 2 * math.Pi * float64(from+i) / SampleRate
		frame[i] = encodeALaw(int16(low*math.Sin(row*t) + high*math.Sin(column*t)))
	}
}

// tonesOf returns the frequencies of a key, which must be valid, in Hz.
func tonesOf(k Key) (row, column float64) {
	i := max(0, strings.IndexByte(keyTable, byte(k)))
	return keyRows[i/4], keyColumns[i%4]
}

// hasEvents reports whether the far end takes telephone-events.
func (o *sender) hasEvents() bool { return o.agreed != nil && o.agreed.hasEvent }
