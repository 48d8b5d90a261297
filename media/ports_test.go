package media

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func bindAny(uint16) error { return nil }

func TestPortPoolPairs(t *testing.T) {
	for _, c := range []struct {
		lo, hi       uint16
		first, count int
	}{
		{20000, 24999, 20000, 2500},
		{20000, 20001, 20000, 1},
		{20000, 20002, 20000, 1}, // the last RTP port would have no RTCP port within the range
		{20001, 20004, 20002, 1}, // begins at the even one
		{20001, 20002, 20002, 0},
		{20001, 20000, 20002, 0},
		{0, 3, 2, 1},
		{65534, 65535, 65534, 1},
	} {
		first, count := PortRange{c.lo, c.hi}.pairs()
		require.Equal(t, []int{c.first, c.count}, []int{first, count}, "%d-%d", c.lo, c.hi)
	}
}

// A pair comes back after its rest, and not a nanosecond before.
func TestPortPoolRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPortPool(PortRange{20000, 20001}, DefaultRest)
		port, err := p.take(bindAny)
		require.NoError(t, err)
		time.Sleep(time.Hour)
		_, err = p.take(bindAny)
		require.ErrorIs(t, err, ErrNoPorts, "in use, however long")
		p.release(port)
		time.Sleep(DefaultRest - time.Nanosecond)
		_, err = p.take(bindAny)
		require.ErrorIs(t, err, ErrNoPorts)
		time.Sleep(time.Nanosecond)
		again, err := p.take(bindAny)
		require.NoError(t, err)
		require.Equal(t, port, again)
	})
}

// Without a rest a pair can be used again at once.
func TestPortPoolWithoutRest(t *testing.T) {
	p := newPortPool(PortRange{20000, 20001}, 0)
	for range 3 {
		port, err := p.take(bindAny)
		require.NoError(t, err)
		p.release(port)
	}
}

func TestPortPoolBindFails(t *testing.T) {
	p := newPortPool(PortRange{20000, 20009}, time.Second)
	port, err := p.take(func(port uint16) error {
		if port != 20006 {
			return errPortTaken
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, uint16(20006), port)
	_, err = p.take(func(uint16) error { return errPortTaken })
	require.ErrorIs(t, err, ErrNoPorts)
	fault := errors.New("no such address")
	calls := 0
	_, err = p.take(func(uint16) error { calls++; return fault })
	require.ErrorIs(t, err, fault)
	require.Equal(t, 1, calls, "a fault that all ports share is told at once")
	for range 4 {
		_, err = p.take(bindAny)
		require.NoError(t, err, "a pair that could not be bound does not rest")
	}
}

// Whatever is taken and given back in whatever order: never two owners, never before the rest, never
// outside the range, and none is lost.
func TestPortPoolProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lo := rapid.Uint16Range(2, 60000).Draw(t, "lo")
		r := PortRange{lo, lo + rapid.Uint16Range(2, 40).Draw(t, "width")}
		p := newPortPool(r, time.Hour)
		first, count := r.pairs()
		held, resting := map[uint16]bool{}, map[uint16]bool{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "take") {
				port, err := p.take(bindAny)
				if len(held)+len(resting) == count {
					require.ErrorIs(t, err, ErrNoPorts)
					continue
				}
				require.NoError(t, err)
				require.False(t, held[port] || resting[port], "port %d", port)
				require.Zero(t, port%2)
				require.GreaterOrEqual(t, int(port), first)
				require.Less(t, port, r.Hi)
				held[port] = true
				continue
			}
			for port := range held {
				p.release(port)
				delete(held, port)
				resting[port] = true
				break
			}
		}
	})
}
