package mediaload

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"hotline/media"
)

// frameBytes is the audio of one packet: 20 ms of G.711.
const frameBytes = media.SampleRate * int(media.FrameDuration) / int(time.Second)

// Side of a [Mark] whose packet the server made itself.
const sideServer = 2

// Where a mark's parts lie in a frame; what is left is filler.
const (
	markCall   = 4
	markSide   = markCall + 4
	markNumber = markSide + 1
	markSent   = markNumber + 4
	markFiller = markSent + 8
)

// magic begins every mark. No audio that a hotline makes begins so.
var magic = [markCall]byte{0x9E, 0x37, 0x79, 0xB9}

// filler is what fills frames: from another place in it for each call, so that a frame of two calls' parts is known.
var filler = func() (all [256 + frameBytes]byte) {
	x := uint32(1)
	for i := range all {
		x = x*1664525 + 1013904223 // Numerical Recipes' generator; any would do
		all[i] = byte(x >> 24)
	}
	return all
}()

// mark is what the audio of one packet says of it.
type mark struct {
	call   int
	side   uint8 // of the phone that sent it, or sideServer
	number int   // of the packet, from 0, at its sender
	sent   int64 // Unix time in ns; 0 when the server made it
}

// put writes the mark over a frame.
func (m mark) put(frame []byte) {
	copy(frame, magic[:])
	binary.BigEndian.PutUint32(frame[markCall:], uint32(m.call))
	frame[markSide] = m.side
	binary.BigEndian.PutUint32(frame[markNumber:], uint32(m.number))
	binary.BigEndian.PutUint64(frame[markSent:], uint64(m.sent))
	copy(frame[markFiller:], m.filler())
}

func (m mark) filler() []byte { return filler[m.call&0xFF:][:frameBytes-markFiller] }

// readMark reads a frame; false if it is not, to the last octet, one that a mark was put on.
func readMark(frame []byte) (mark, bool) {
	if len(frame) != frameBytes || !bytes.Equal(frame[:markCall], magic[:]) {
		return mark{}, false
	}
	m := mark{
		call:   int(binary.BigEndian.Uint32(frame[markCall:])),
		side:   frame[markSide],
		number: int(binary.BigEndian.Uint32(frame[markNumber:])),
		sent:   int64(binary.BigEndian.Uint64(frame[markSent:])),
	}
	return m, bytes.Equal(frame[markFiller:], m.filler())
}

// clipFrames is how long a prompt is: short, since each call has one of its own, where real prompts are shared.
const clipFrames = 10

// Clip is a prompt for the caller of one call, to be played again and again, that a [Load] of callers alone knows.
func Clip(call int) media.Clip {
	c := media.Clip{Name: fmt.Sprint("load ", call), ALaw: make([]byte, clipFrames*frameBytes), Loop: true}
	for i := range clipFrames {
		mark{call: call, side: sideServer, number: i}.put(c.ALaw[i*frameBytes:][:frameBytes])
	}
	return c
}

// silent reports whether a frame is nothing but A-law's silence (ITU-T G.711 table 1a), which an engine may send where
// it has nothing else.
func silent(frame []byte) bool {
	const alawSilence = 0xD5
	for _, b := range frame {
		if b != alawSilence {
			return false
		}
	}
	return len(frame) > 0
}
