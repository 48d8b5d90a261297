package media

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The table of the source lock, step by step: who sends how many packets, after what pause and how many numbers left out,
// and how many of them are let in; then where we send to.
func TestSourceLock(t *testing.T) {
	var (
		described = netip.MustParseAddrPort("192.0.2.1:4000")
		nat       = netip.MustParseAddrPort("198.51.100.7:61000") // the signalling host, another port
		nat2      = netip.MustParseAddrPort("198.51.100.7:61002")
		stranger  = netip.MustParseAddrPort("203.0.113.9:5004")
		other     = netip.MustParseAddrPort("203.0.113.66:5004")
	)
	const (
		theirs   = 1 // the SSRC of the far end
		foreign  = 2
		patience = lockPatience
		short    = lockPatience - time.Millisecond
	)
	type step struct {
		from     netip.AddrPort
		ssrc     uint32
		packets  int
		pause    time.Duration
		skip     uint16
		admitted int
		target   netip.AddrPort
	}
	for name, steps := range map[string][]step{
		"before any packet":       {{described, theirs, 0, 0, 0, 0, described}},
		"the described address":   {{described, theirs, 1, 0, 0, 1, described}},
		"the signalling host":     {{nat, theirs, 1, 0, 0, 1, nat}},
		"a stranger in four":      {{stranger, theirs, 4, 0, 0, 0, described}},
		"a stranger in five":      {{stranger, theirs, 5, 0, 0, 1, stranger}, {stranger, theirs, 3, 0, 0, 3, stranger}},
		"a stranger with a gap":   {{stranger, theirs, 4, 0, 0, 0, described}, {stranger, theirs, 4, 0, 1, 0, described}},
		"a stranger's other SSRC": {{stranger, theirs, 4, 0, 0, 0, described}, {stranger, foreign, 4, 0, 0, 0, described}},
		"two strangers by turns": {
			{stranger, theirs, 2, 0, 0, 0, described},
			{other, foreign, 4, 0, 7, 0, described},
			{stranger, theirs, 3, 0, 0, 1, stranger},
			{other, foreign, 50, 0, 0, 0, stranger},
		},
		"a stranger was first": {
			{stranger, foreign, 500, 0, 0, 496, stranger},
			{nat, theirs, 1, 0, 0, 1, nat},
			{stranger, foreign, 50, time.Hour, 0, 0, nat},
			{described, theirs, 1, 0, 0, 1, described},
			{stranger, foreign, 50, time.Hour, 0, 0, described},
		},
		"a stranger who knows the SSRC, while the phone speaks": {
			{described, theirs, 9, 0, 0, 9, described}, {stranger, theirs, 50, short, 0, 0, described}, {described, theirs, 9, 0, 0, 9, described},
		},
		"a stranger who knows the SSRC and not the numbers": {
			{described, theirs, 9, 0, 0, 9, described},
			{stranger, theirs, 50, patience, 500, 0, described},
			{stranger, theirs, 50, 0, 40000, 0, described},
		},
		"a stranger when the phone is silent":       {{described, theirs, 9, 0, 0, 9, described}, {stranger, foreign, 50, time.Hour, 0, 0, described}},
		"never another stranger":                    {{stranger, theirs, 5, 0, 0, 1, stranger}, {other, foreign, 500, time.Hour, 0, 0, stranger}},
		"rebound: before its time":                  {{described, theirs, 9, 0, 0, 9, described}, {stranger, theirs, 50, short, 0, 0, described}},
		"rebound: it goes on, and we send there":    {{described, theirs, 9, 0, 0, 9, described}, {stranger, theirs, 8, patience, 0, 4, stranger}},
		"rebound: it has sent meanwhile":            {{described, theirs, 9, 0, 0, 9, described}, {stranger, theirs, 8, patience, 200, 4, stranger}},
		"rebound: and the old address speaks again": {{described, theirs, 9, 0, 0, 9, described}, {stranger, theirs, 5, patience, 0, 1, stranger}, {described, theirs, 1, 0, 0, 1, described}},
		"rebound: a stranger's NAT": {
			{stranger, theirs, 9, 0, 0, 5, stranger}, {other, theirs, 5, patience, 90, 1, other}, {stranger, theirs, 9, 0, 0, 0, other},
		},
		"second trusted while the first sends": {
			{described, theirs, 1, 0, 0, 1, described}, {nat, foreign, 50, 0, 0, 0, described}, {described, theirs, 1, 0, 0, 1, described},
		},
		"described displaces the host's other port": {
			{nat, foreign, 3, 0, 0, 3, nat}, {described, theirs, 1, 0, 0, 1, described}, {nat, foreign, 3, 0, 0, 0, described},
		},
		"the described is silent, the host has another stream": {{described, theirs, 1, 0, 0, 1, described}, {nat, foreign, 50, time.Hour, 0, 0, described}},
		"the host begins anew at another port": {
			{nat, theirs, 3, 0, 0, 3, nat}, {nat2, foreign, 6, short, 0, 0, nat}, {nat2, foreign, 6, time.Millisecond, 0, 2, nat2}, {nat, theirs, 1, 0, 0, 0, nat2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := sourceLock{signalling: nat.Addr()}
			l.open(described)
			now := time.Now()
			numbers := map[uint32]uint16{}
			for i, s := range steps {
				now = now.Add(s.pause)
				numbers[s.ssrc] += s.skip
				admitted := 0
				for range s.packets {
					numbers[s.ssrc]++
					if l.admit(s.from, s.ssrc, numbers[s.ssrc]-5, now) { // so that they wrap
						admitted++
					}
				}
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

// A phone behind NAT, whose address nothing told us, is not on trial again when the session is only refreshed, or was on
// hold without an address.
func TestSourceLockKnows(t *testing.T) {
	a, phone, other := netip.MustParseAddrPort("10.0.0.1:4000"), netip.MustParseAddrPort("203.0.113.9:5004"), netip.MustParseAddrPort("203.0.113.66:5004")
	var l sourceLock
	l.open(a)
	now := time.Now()
	for i := range uint16(strangerRun) {
		require.Equal(t, i == strangerRun-1, l.admit(phone, 1, i, now))
	}
	for _, described := range []netip.AddrPort{a, netip.MustParseAddrPort("0.0.0.0:4000"), a} {
		l.open(described)
		require.Equal(t, phone, l.target)
		for i := range uint16(strangerRun) {
			l.admit(other, 2, i, now) // it is quicker
		}
		require.True(t, l.admit(phone, 1, 100, now))
	}
	l.open(netip.MustParseAddrPort("10.0.0.1:4002"))
	require.False(t, l.admit(phone, 1, 101, now), "what is described anew may be somebody else")
}

// As many strangers as can be on trial do not keep each other out; how many were there before makes no difference.
func TestSourceLockTrials(t *testing.T) {
	phone := netip.MustParseAddrPort("203.0.113.9:5004")
	var l sourceLock
	l.open(netip.MustParseAddrPort("10.0.0.1:4000"))
	for port := range uint16(1000) {
		require.False(t, l.admit(netip.AddrPortFrom(phone.Addr(), 6000+port), 3, 1, time.Now()))
	}
	for i := range uint16(strangerRun) {
		require.Equal(t, i == strangerRun-1, l.admit(phone, 1, i, time.Now()))
		for port := range uint16(maxTrials - 1) {
			require.False(t, l.admit(netip.AddrPortFrom(phone.Addr(), 8000+port), 2, i, time.Now()))
		}
	}
}

// lockModel says the table again, from what has come so far and nothing else.
type lockModel struct {
	trust map[netip.AddrPort]int
	came  []lockPacket // since the lock was opened
}

type lockPacket struct {
	from     netip.AddrPort
	ssrc     uint32
	number   uint16
	at       time.Duration
	admitted bool
}

func (m *lockModel) admits(p lockPacket) bool {
	var last, newest *lockPacket // let in; the last is of the locked source, and newest its greatest number
	for i := range m.came {
		q := &m.came[i]
		if !q.admitted {
			continue
		}
		if newest == nil || q.from != newest.from || q.ssrc != newest.ssrc || int16(q.number-newest.number) > 0 {
			newest = q
		}
		last = q
	}
	if last == nil {
		return m.trust[p.from] > 0 || m.run(p, func(lockPacket) bool { return true })
	}
	if p.from == last.from || m.trust[p.from] > m.trust[last.from] {
		return true
	}
	return m.run(p, func(q lockPacket) bool {
		silent, step := q.at-last.at, int(int16(q.number-newest.number))
		alike := m.trust[q.from] > 0 && m.trust[q.from] == m.trust[last.from]
		follows := q.ssrc == newest.ssrc && step > 0 && step <= 100+int(silent.Milliseconds()/10)
		return silent >= 2*time.Second && (alike || follows)
	})
}

// run reports whether p is the fifth in sequence of its source, among those that count.
func (m *lockModel) run(p lockPacket, counts func(lockPacket) bool) bool {
	if !counts(p) {
		return false
	}
	n := 1
	for _, q := range slices.Backward(m.came) {
		if q.from != p.from || !counts(q) {
			continue
		}
		if n == 5 || q.ssrc != p.ssrc || q.number != p.number-uint16(n) {
			break
		}
		n++
	}
	return n == 5
}

// Against the model: whoever sends what and when.
func TestSourceLockProperties(t *testing.T) {
	described, signalled := netip.MustParseAddrPort("192.0.2.1:4000"), netip.MustParseAddrPort("198.51.100.7:61000")
	signalled2 := netip.MustParseAddrPort("198.51.100.7:61002")
	strangers := []netip.AddrPort{netip.MustParseAddrPort("203.0.113.9:5004"), netip.MustParseAddrPort("203.0.113.66:5004")}
	all := append([]netip.AddrPort{described, signalled, signalled2}, strangers...)
	rapid.Check(t, func(t *rapid.T) {
		trust := map[netip.AddrPort]int{described: 3, signalled: 2, signalled2: 2}
		l, m := sourceLock{signalling: signalled.Addr()}, lockModel{trust: trust}
		l.open(described)
		begun, now := time.Now(), time.Duration(0)
		numbers := map[uint32]uint16{1: 65530, 2: 7}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			if rapid.IntRange(0, 15).Draw(t, "opens") == 0 {
				for _, s := range strangers {
					if l.locked == s { // known from now on, instead of whoever was before
						delete(trust, strangers[0])
						delete(trust, strangers[1])
						trust[s] = 1
					}
				}
				if l.locked.IsValid() && trust[l.locked] != 1 {
					delete(trust, strangers[0])
					delete(trust, strangers[1])
				}
				l.open(described)
				m.came = nil
			}
			now += rapid.SampledFrom([]time.Duration{0, 20 * time.Millisecond, time.Second, 2 * time.Second, time.Minute}).Draw(t, "pause")
			from, ssrc := rapid.SampledFrom(all).Draw(t, "from"), rapid.Uint32Range(1, 2).Draw(t, "ssrc")
			numbers[ssrc] += rapid.SampledFrom([]uint16{0, 0, 0, 1, 250, 40000}).Draw(t, "skip")
			for range rapid.IntRange(1, 7).Draw(t, "packets") {
				numbers[ssrc]++
				p := lockPacket{from: from, ssrc: ssrc, number: numbers[ssrc], at: now}
				p.admitted = m.admits(p)
				m.came = append(m.came, p)
				require.Equal(t, p.admitted, l.admit(from, ssrc, p.number, begun.Add(now)), "%+v", m.came)
				if p.admitted {
					require.Equal(t, from, l.target)
				}
			}
		}
	})
}
