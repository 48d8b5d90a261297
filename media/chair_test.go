package media

import (
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
)

// heardBy counts what a tap hears of each side.
type heardBy [2]int

func (h *heardBy) Frame(f Frame) { h[f.Side]++ }

// While a key is sent to one who hears several, in place of the mix, the mix goes on unheard: nobody is heard later
// after it, and the tap has no gap.
func TestMixGoesOnWhileAKeyIsSent(t *testing.T) {
	c := &core{teller: newTeller()}
	defer c.teller.end()
	tap := &heardBy{}
	r := &room{tap: tap, mixed: Frame{Side: SideB}, wants: [][]bool{{false, true, true}, {true, false, true}, {true, true, false}}}
	for i := range 3 {
		l, _ := deskLine(c, toneless())
		seat := &chair{room: r, place: i}
		seat.end = bridgeEnd{line: l, chair: seat}
		require.NoError(t, l.claim(&seat.end))
		r.chairs = append(r.chairs, seat)
	}
	require.NoError(t, r.open(pair{}))
	var frame [frameSamples]byte
	var bench workbench
	due := time.Now()
	turn := func(n int) {
		for from, seat := range r.chairs {
			p := &rtp.Packet{
				Header:  rtp.Header{SSRC: uint32(from), SequenceNumber: uint16(n), Timestamp: uint32(n * frameSamples)},
				Payload: make([]byte, frameSamples),
			}
			seat.pass(p, payloadPCMA, bench.scratch[:], due)
		}
		for _, seat := range r.chairs {
			seat.end.line.turn(due, 1, frame[:])
		}
		due = due.Add(FrameDuration)
	}
	inHand := func() int {
		v := r.chairs[SideA].mix.voices[SideB]
		return int(int32(v.end - v.head))
	}
	for n := range 5 {
		turn(n)
	}
	before := inHand()
	r.chairs[SideA].end.line.out.dial('5')
	for n := range keyTurns + endTurns {
		turn(5 + n)
	}
	require.Zero(t, r.chairs[SideA].end.line.out.keys.n, "the key is over")
	require.Equal(t, before, inHand())
	require.Equal(t, heardBy{5 + keyTurns + endTurns, 5 + keyTurns + endTurns}, *tap)
}
