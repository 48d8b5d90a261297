package media

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// held is what a far end agrees to that wants no audio.
var held = &agreement{codec: PCMA, audio: 8, event: 101, hasEvent: true}

// A key has one beginning, one timestamp and its end, whenever the far end holds us: it begins when the far
// end listens, at the time it is then.
func TestSendKeyHeld(t *testing.T) {
	for name, c := range map[string]struct {
		held   func(turn int) bool
		turns  int // until it is over
		sent   int
		starts int // in frames after the audio before it
	}{
		"never":                {func(int) bool { return false }, 8, 8, 0},
		"when it is pressed":   {func(turn int) bool { return turn == 0 }, 9, 8, 1},
		"until long after":     {func(turn int) bool { return turn < 7 }, 15, 8, 7},
		"in the middle of it":  {func(turn int) bool { return turn == 2 || turn == 3 }, 8, 6, 0},
		"from then to the end": {func(int) bool { return true }, 8, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			o, sent := captured()
			listening := o.agreed
			now := time.Now()
			var frame [frameSamples]byte
			o.frame(now, frame[:], true)
			base := (*sent)[0].Timestamp + uint32(frameSamples)
			key := &press{event: 5}
			turns := 0
			for over := false; !over; turns++ {
				now = now.Add(FrameDuration)
				o.agree(listening)
				if c.held(turns) {
					o.agree(held)
				}
				over = key.step(o, now, frame[:])
			}
			require.Equal(t, c.turns, turns)
			events := (*sent)[1:]
			require.Len(t, events, c.sent)
			for i, p := range events {
				require.Equal(t, i == 0, p.Marker)
				require.InDelta(t, base+uint32(c.starts*frameSamples), p.Timestamp, float64(clockSlack), "packet %d", i)
				require.Equal(t, events[0].Timestamp, p.Timestamp, "packet %d", i)
				require.Equal(t, (*sent)[0].SequenceNumber+1+uint16(i), p.SequenceNumber)
			}
			o.agree(listening)
			o.frame(now.Add(FrameDuration), frame[:], true)
			after := (*sent)[len(*sent)-1]
			if c.sent > 0 {
				require.Equal(t, byte(0x80), events[c.sent-1].Payload[1]&0x80, "its end was said")
				require.Equal(t, events[0].Timestamp+8*uint32(frameSamples), after.Timestamp)
			}
		})
	}
}
