package media

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The cases of the source lock, step by step: who sends how many packets, after what pause, and how many
// of them are let in; then where we send to.
func TestSourceLock(t *testing.T) {
	var (
		described = netip.MustParseAddrPort("192.0.2.1:4000")
		nat       = netip.MustParseAddrPort("198.51.100.7:61000") // the signalling host, another port
		nat2      = netip.MustParseAddrPort("198.51.100.7:61002")
		stranger  = netip.MustParseAddrPort("203.0.113.9:5004")
		stranger2 = netip.MustParseAddrPort("203.0.113.9:5006")
		other     = netip.MustParseAddrPort("203.0.113.66:5004")
	)
	type step struct {
		from     netip.AddrPort
		packets  int
		pause    time.Duration
		admitted int
		target   netip.AddrPort
	}
	for name, steps := range map[string][]step{
		"before any packet":          {{described, 0, 0, 0, described}},
		"the described address":      {{described, 1, 0, 1, described}},
		"the signalling host":        {{nat, 1, 0, 1, nat}},
		"a stranger in four":         {{stranger, 4, 0, 0, described}},
		"a stranger in five":         {{stranger, 5, 0, 1, stranger}, {stranger, 3, 0, 3, stranger}},
		"two strangers by turns":     {{stranger, 4, 0, 0, described}, {other, 4, 0, 0, described}, {stranger, 4, 0, 0, described}},
		"trusted displaces stranger": {{stranger, 5, 0, 1, stranger}, {described, 1, 0, 1, described}, {stranger, 50, time.Hour, 0, described}},
		"second trusted while the first sends": {
			{described, 1, 0, 1, described}, {nat, 50, 0, 0, described}, {described, 1, 0, 1, described},
		},
		"described displaces the host's other port": {
			{nat, 3, 0, 3, nat}, {described, 1, 0, 1, described}, {nat, 3, 0, 0, described},
		},
		"second trusted after silence": {{described, 1, 0, 1, described}, {nat, 5, lockPatience, 1, nat}},
		"NAT gives a new port":         {{nat, 3, 0, 3, nat}, {nat2, 6, lockPatience, 2, nat2}, {nat, 1, 0, 0, nat2}},
		"stranger's NAT does too":      {{stranger, 5, 0, 1, stranger}, {stranger2, 5, lockPatience, 1, stranger2}},
		"never another stranger":       {{stranger, 5, 0, 1, stranger}, {other, 500, time.Hour, 0, stranger}},
	} {
		t.Run(name, func(t *testing.T) {
			l := sourceLock{signalling: nat.Addr()}
			l.open(described)
			now := time.Now()
			sequence := map[netip.AddrPort]uint16{}
			for i, s := range steps {
				now = now.Add(s.pause)
				admitted := 0
				for range s.packets {
					if l.admit(s.from, 1, sequence[s.from], now) {
						admitted++
					}
					sequence[s.from]++
				}
				sequence[s.from] += 7 // a gap between two steps
				require.Equal(t, s.admitted, admitted, "step %d", i)
				require.Equal(t, s.target, l.target, "step %d", i)
			}
		})
	}
}

func TestSourceLockOpens(t *testing.T) {
	a, b := netip.MustParseAddrPort("192.0.2.1:4000"), netip.MustParseAddrPort("198.51.100.7:61000")
	l := sourceLock{signalling: b.Addr()}
	l.open(a)
	require.True(t, l.admit(b, 1, 1, time.Now()))
	l.open(a)
	require.Equal(t, b, l.target, "a refresh at the same address leaves audio where it goes")
	require.True(t, l.admit(a, 1, 1, time.Now()), "but the first to send is taken again")
	c := netip.MustParseAddrPort("192.0.2.2:4002")
	l.open(c)
	require.Equal(t, c, l.target)
}

// Five packets count only in sequence and of one SSRC.
func TestSourceLockRun(t *testing.T) {
	from := netip.MustParseAddrPort("203.0.113.9:5004")
	for name, packets := range map[string][][2]int{
		"gap":      {{1, 1}, {1, 2}, {1, 3}, {1, 5}, {1, 6}, {1, 7}, {1, 8}},
		"repeated": {{1, 1}, {1, 2}, {1, 2}, {1, 3}, {1, 4}, {1, 5}},
		"SSRC":     {{1, 1}, {1, 2}, {1, 3}, {1, 4}, {2, 5}, {2, 6}, {2, 7}, {2, 8}},
	} {
		l := sourceLock{}
		l.open(netip.MustParseAddrPort("192.0.2.1:4000"))
		for _, p := range packets {
			require.False(t, l.admit(from, uint32(p[0]), uint16(p[1]), time.Now()), name)
		}
	}
	l := sourceLock{}
	l.open(netip.MustParseAddrPort("192.0.2.1:4000"))
	var last bool
	for i := range 5 {
		last = l.admit(from, 1, uint16(65533+i), time.Now())
	}
	require.True(t, last, "the numbers wrap")
}
