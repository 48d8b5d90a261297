package media

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// What the wheel could not send while the machine stood still it sends afterwards, with the times that were
// due, so that a prompt is neither longer nor has holes; after more than half a second it does not.
func TestWheelArrears(t *testing.T) {
	for _, c := range []struct {
		stall  time.Duration
		frames int // in the second that begins with the stall
	}{
		{0, 50},
		{100 * time.Millisecond, 50},
		{500 * time.Millisecond, 50},
		{510 * time.Millisecond, 50},
		{600 * time.Millisecond, 21}, // the one before it, and those of the 400 ms after it
	} {
		synctest.Test(t, func(t *testing.T) {
			e := &portable{}
			l := newLine(nil, StreamOptions{})
			var stamps []uint32
			l.untilReport = 1 << 30
			l.live = true
			l.out = newSender(func(b []byte, _ netip.AddrPort) bool {
				stamps = append(stamps, uint32(b[4])<<24|uint32(b[5])<<16|uint32(b[6])<<8|uint32(b[7]))
				if len(stamps) == 1 {
					time.Sleep(c.stall)
				}
				return true
			})
			l.out.agree(&agreement{codec: PCMA, audio: 8, send: true})
			l.out.follow(anywhere)
			e.wheel.add(l)
			ctx, stop := context.WithTimeout(t.Context(), time.Second-time.Nanosecond)
			defer stop()
			e.turn(ctx)
			require.Len(t, stamps, c.frames, c.stall)
			if c.frames < 50 {
				return
			}
			for i, stamp := range stamps {
				require.Equal(t, stamps[0]+uint32(i*frameSamples), stamp, "no hole after %v", c.stall)
			}
		})
	}
}
