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

// restless is two lines of a bench on a wheel, whose next reports and judgements are far.
func restless(t *testing.T) (w *wheel, b *bench, turn func(turns int) (sent uint64)) {
	t.Helper()
	w, b = &wheel{due: time.Now()}, newBench(t, PCMA, PCMA, nil)
	for _, l := range []*line{b.near, b.far} {
		l.untilReport, l.monitor.untilJudged = 1000, 500
		w.add(l)
	}
	return w, b, func(turns int) uint64 {
		before := b.far.out.packets
		for range turns {
			w.turn(b.frame[:], func() time.Time { return w.due })
		}
		return b.far.out.packets - before
	}
}

// A bridged line is left alone by the wheel until its next report or judgement, neither of which comes later for it.
func TestBridgedRests(t *testing.T) {
	w, b, turn := restless(t)
	require.Zero(t, turn(1))
	require.Equal(t, w.count+499, w.places[b.far.seat].next)
	require.Zero(t, turn(498))
	require.Equal(t, 499, b.far.monitor.untilJudged, "it had no turn")
	require.Zero(t, turn(1))
	require.Equal(t, judgeEvery, b.far.monitor.untilJudged, "judged in the 500th turn")
	require.Equal(t, 500, b.far.untilReport)
	require.Zero(t, turn(499))
	require.Equal(t, judgeEvery, b.far.untilReport, "as the last judgement left it")
	require.Zero(t, turn(1))
	require.Greater(t, b.far.untilReport, judgeEvery, "reported in the 1000th turn")
	require.Equal(t, judgeEvery, b.far.monitor.untilJudged)
}

// A line that rests has its turn at once when it has something to send.
func TestStirred(t *testing.T) {
	for name, stir := range map[string]func(b *bench){
		"a tone": func(b *bench) { b.far.overlay(b.now, make([]byte, 10*frameSamples)) },
		"a key of the other party's": func(b *bench) {
			b.near.press('5', byINFO)
		},
		"the bridge ends":               func(b *bench) { b.near.bridged.part() },
		"the bridge ends at this party": func(b *bench) { b.far.bridged.part() },
	} {
		t.Run(name, func(t *testing.T) {
			_, b, turn := restless(t)
			require.Zero(t, turn(3))
			stir(b)
			require.Equal(t, uint64(1), turn(1))
			require.Equal(t, uint64(5), turn(5), "and every one that follows")
		})
	}
}

// Two who are brought from a bridge into a room rest no more: from then on what they hear may be mixed.
func TestStirredIntoARoom(t *testing.T) {
	w, b, turn := restless(t)
	require.Zero(t, turn(3))
	before := pair{b.near.bridged, b.far.bridged}
	before.giveUp(pair{{line: b.near}, {line: b.far}})
	for _, l := range []*line{b.near, b.far} {
		require.LessOrEqual(t, w.places[l.seat].next, w.count+1, "its turn is the next")
	}
}

// Whoever leaves the wheel in its turn, or rests, takes no turn from another.
func TestWheelSeats(t *testing.T) {
	w, b, turn := restless(t)
	require.Zero(t, turn(1))
	other := newBench(t, PCMA, PCMA, nil)
	other.near.bridged.part()
	w.add(other.near)
	w.remove(b.near)
	require.Zero(t, turn(1))
	require.Equal(t, uint64(1), other.near.out.packets)
	w.remove(b.far)
	require.Zero(t, turn(1))
	require.Equal(t, uint64(2), other.near.out.packets)
	require.Len(t, w.places, 1)
}

// The lag is how late turns were since it was asked last, on average; where there was none the one that is overdue counts, and a wheel that stands still has none.
func TestLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wheel{}
		a, b := w.pace.lag(), w.pace.lag()
		require.Zero(t, a(time.Now()), "nobody waits")
		w.begin()
		require.Zero(t, a(time.Now()))
		for _, late := range []time.Duration{0, 10 * time.Millisecond, 20 * time.Millisecond} {
			time.Sleep(time.Until(w.due) + late)
			w.turn(nil, time.Now)
		}
		require.Equal(t, 10*time.Millisecond, a(time.Now()))
		require.Zero(t, a(time.Now()), "asked again")
		time.Sleep(time.Until(w.due) + 300*time.Millisecond)
		require.Equal(t, 300*time.Millisecond, a(time.Now()), "it does not turn at all")
		w.turn(nil, time.Now)
		require.Equal(t, 330*time.Millisecond/4, b(time.Now()), "another's: of 0, 10, 20 and 300")
		w.pace.set(time.Time{})
		_ = a(time.Now())
		time.Sleep(time.Hour)
		require.Zero(t, a(time.Now()))
	})
}
