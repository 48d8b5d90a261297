package mediaload

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const frameTime = int64(20 * time.Millisecond)

// TestTally: a phone of call 5 that is to hear side 1, to which ten packets are sent, each with 1 ms under way unless
// said otherwise.
func TestTally(t *testing.T) {
	t.Parallel()
	type packet struct {
		mark  mark
		after time.Duration
	}
	sent := func(numbers ...int) (all []packet) {
		for _, n := range numbers {
			all = append(all, packet{mark{5, 1, n, int64(n) * frameTime}, time.Millisecond})
		}
		return all
	}
	for name, c := range map[string]struct {
		packets []packet
		want    Counts
	}{
		"nothing":    {nil, Counts{Lost: 10}},
		"all":        {sent(0, 1, 2, 3, 4, 5, 6, 7, 8, 9), Counts{Received: 10}},
		"gaps":       {sent(0, 1, 4, 5, 6, 8), Counts{Received: 6, Lost: 4}},
		"disordered": {sent(0, 2, 1, 3, 4, 5, 6, 9, 7, 8), Counts{Received: 10, Disordered: 3}},
		"doubled":    {sent(0, 0, 1, 2, 3, 1, 4, 5, 6, 7, 8, 9, 9), Counts{Received: 10, Doubled: 3}},
		"late": {
			append(sent(0, 1, 2, 3, 4, 5, 6, 7, 8), packet{mark{5, 1, 9, 9 * frameTime}, lateAfter + 1}),
			Counts{Received: 10, Late: 1},
		},
		"another call": {[]packet{{mark: mark{call: 6, side: 1}}}, Counts{Foreign: 1, Lost: 10}},
		"its own":      {[]packet{{mark: mark{call: 5, side: 0}}}, Counts{Foreign: 1, Lost: 10}},
		"never sent":   {sent(64), Counts{Damaged: 1, Lost: 10}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newTally(5, 1, 10)
			frame := make([]byte, frameBytes)
			for _, x := range c.packets {
				x.mark.put(frame)
				p.hear(frame, 0, x.mark.sent+int64(x.after), false)
			}
			require.Equal(t, c.want, p.closed(10))
		})
	}
}

// TestTallyOfRubbish: silence and what nobody said are counted apart from what is heard.
func TestTallyOfRubbish(t *testing.T) {
	t.Parallel()
	p := newTally(5, 1, 10)
	frame := make([]byte, frameBytes)
	for i := range frame {
		frame[i] = 0xD5
	}
	p.hear(frame, 0, 0, false)
	frame[0] = 0
	p.hear(frame, 0, 0, false)
	p.hear(nil, 0, 0, false)
	require.Equal(t, Counts{Silent: 1, Damaged: 2, Lost: 10}, p.closed(10))
}

// TestTallyOfPrompts: of what the server makes, numbers are those of RTP, which wrap, and time goes by the most punctual
// packet of those that settle the pace.
func TestTallyOfPrompts(t *testing.T) {
	t.Parallel()
	const begun = int64(time.Hour)
	p := newTally(5, sideServer, 0)
	frame := make([]byte, frameBytes)
	hear := func(n int, after time.Duration, settling bool) (late time.Duration, ok bool) {
		mark{call: 5, side: sideServer, number: n % clipFrames}.put(frame)
		at := begun + int64(n)*frameTime + int64(after)
		due, ok := p.hear(frame, uint16(65500+n), at, settling)
		return time.Duration(at - due), ok
	}
	for n := range 60 {
		late, ok := hear(n, 3*time.Millisecond-time.Duration(n)*time.Microsecond, true)
		require.True(t, ok)
		require.Zero(t, late, "each is more punctual than those before")
	}
	for n := 60; n < 500; n++ {
		if n%100 == 99 {
			continue
		}
		late, ok := hear(n, 4*time.Millisecond, false)
		require.True(t, ok)
		require.Equal(t, time.Millisecond+59*time.Microsecond, late)
	}
	late, _ := hear(500, 50*time.Millisecond, false)
	require.Greater(t, late, lateAfter)
	_, ok := hear(400, 0, false)
	require.False(t, ok, "it came already")
	require.Equal(t, Counts{Received: 496, Lost: 5, Late: 1, Doubled: 1}, p.closed(0))
}

func TestSpread(t *testing.T) {
	t.Parallel()
	var s Spread
	require.Zero(t, s.Quantile(0.5))
	require.Zero(t, s.Max())
	for i := range 100 {
		s.add(time.Duration(i) * time.Millisecond)
	}
	s.add(-time.Second)
	s.add(time.Minute)
	require.Equal(t, 102, s.Count())
	require.Zero(t, s.Quantile(0))
	require.Equal(t, 50*time.Millisecond, s.Quantile(0.5))
	require.Equal(t, 99*time.Millisecond, s.Quantile(0.99))
	require.Equal(t, 10*time.Second, s.Quantile(1), "no more is told apart")
	require.Equal(t, time.Minute, s.Max())
	for _, us := range []int{0, 1, 7, 19_999, 20_000, 20_100, 123_400, 10_000_000} {
		d := time.Duration(us) * time.Microsecond
		require.Equal(t, d, least(place(d)))
		require.Equal(t, place(d), place(d+999*time.Nanosecond))
	}
	require.Equal(t, place(20*time.Millisecond)-1, place(20*time.Millisecond-1))
}
