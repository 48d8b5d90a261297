package sip

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var testRules = banRules{offences: 3, first: time.Minute, most: 24 * time.Hour}

// commit has a host offend until it is banned, and returns the ban and how many offences it took.
func commit(t require.TestingT, b *banBook, host netip.Addr) (ban Ban, n int) {
	for n = 1; n <= 1000; n++ {
		if ban, banned := b.offend(host, banLogin, time.Now()); banned {
			return ban, n
		}
	}
	require.Fail(t, "never banned")
	return ban, n
}

// TestBansGrowAndDecay: each ban is twice as long as the one before, to a day; quiet times undo it as slowly as it grew.
func TestBansGrowAndDecay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, host := newBanBook(testRules), netip.MustParseAddr("192.0.2.7")
		want := time.Minute
		for nth := 1; nth <= 14; nth++ {
			ban, n := commit(t, b, host)
			require.Equal(t, testRules.offences, n)
			require.Equal(t, min(want, 24*time.Hour), ban.Until.Sub(ban.Since))
			require.Equal(t, nth, ban.Times)
			require.Equal(t, "192.0.2.7/32", ban.Source.String())
			require.Equal(t, []Ban{ban}, b.list(time.Now()))
			_, again := b.offend(host, banLogin, time.Now())
			require.False(t, again, "while it is banned")
			time.Sleep(time.Until(ban.Until) - time.Nanosecond)
			require.True(t, b.banned(host, time.Now()))
			time.Sleep(time.Nanosecond)
			require.False(t, b.banned(host, time.Now()))
			require.Empty(t, b.list(time.Now()))
			want *= 2
		}
		time.Sleep(24 * time.Hour) // as long as the last was: one is undone
		ban, _ := commit(t, b, host)
		require.Equal(t, 14, ban.Times)
		time.Sleep(time.Until(ban.Until) + 5*24*time.Hour + 24*time.Hour)
		ban, _ = commit(t, b, host)
		require.Less(t, ban.Times, 12)
		time.Sleep(time.Until(ban.Until) + 30*24*time.Hour)
		ban, _ = commit(t, b, host)
		require.Equal(t, 1, ban.Times, "all is forgiven")
		require.Equal(t, time.Minute, ban.Until.Sub(ban.Since))
	})
}

// TestSeldomOffences: who types a wrong password now and then is never banned.
func TestSeldomOffences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, host := newBanBook(testRules), netip.MustParseAddr("192.0.2.7")
		for range 1000 {
			_, banned := b.offend(host, banLogin, time.Now())
			require.False(t, banned)
			time.Sleep(offencesIn / time.Duration(testRules.offences))
		}
	})
}

// TestBanOfNetwork: an IPv6 network is one source, and an IPv4 address is one however it is written.
func TestBanOfNetwork(t *testing.T) {
	b, now := newBanBook(testRules), time.Now()
	ban, banned := b.ban(netip.MustParseAddr("2001:db8::1"), banScanner, now)
	require.True(t, banned)
	require.Equal(t, "2001:db8::/64", ban.Source.String())
	require.True(t, b.banned(netip.MustParseAddr("2001:db8::ffff:2"), now))
	require.False(t, b.banned(netip.MustParseAddr("2001:db8:0:1::1"), now))
	_, banned = b.ban(netip.MustParseAddr("::ffff:192.0.2.7"), banScanner, now)
	require.True(t, banned)
	require.True(t, b.banned(netip.MustParseAddr("192.0.2.7"), now))
	require.True(t, b.lift(netip.MustParseAddr("2001:db8::9"), now))
	require.False(t, b.lift(netip.MustParseAddr("2001:db8::9"), now), "it was lifted")
	require.False(t, b.banned(netip.MustParseAddr("2001:db8::1"), now))
	_, banned = b.ban(netip.Addr{}, banScanner, now)
	require.False(t, banned, "no address at all")
}

// TestBanBookIsBounded: a million sources that offend, and a million that are banned, take no more memory than some; what
// is lost of it is what is oldest.
func TestBanBookIsBounded(t *testing.T) {
	b, now := newBanBook(testRules), time.Now()
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	at := func(i int) netip.Addr {
		var a [16]byte
		a[0], a[1] = 0x20, 0x01
		binary.BigEndian.PutUint32(a[4:], uint32(i))
		return netip.AddrFrom16(a)
	}
	const million = 1_000_000
	for i := range million {
		b.offend(at(i), banLogin, now)
	}
	require.Empty(t, b.list(now), "one offence each")
	for i := range million {
		b.ban(at(i), banLogin, now)
	}
	require.LessOrEqual(t, len(b.hosts), 2*suspectsMost)
	require.Len(t, b.list(now), suspectsMost)
	require.True(t, b.banned(at(million-1), now))
	grown := int64(heap()) - int64(before)
	t.Logf("%d octets after %d sources", grown, million)
	require.Less(t, grown, int64(8<<20))
	runtime.KeepAlive(b)
}

// TestBriefBansFreeNobody: who has many addresses banned, each for the first time, does not free by that who has been banned
// often, nor the last of them.
func TestBriefBansFreeNobody(t *testing.T) {
	b, now := newBanBook(testRules), time.Now()
	old := netip.MustParseAddr("192.0.2.7")
	for range 3 {
		ban, banned := b.ban(old, banScanner, now)
		require.True(t, banned)
		now = ban.Until
	}
	ban, _ := b.ban(old, banScanner, now)
	require.Equal(t, 8*testRules.first, ban.Until.Sub(now))
	var last netip.Addr
	for i := range 3 * suspectsMost {
		var a [16]byte
		a[0], a[1] = 0x20, 0x01
		binary.BigEndian.PutUint16(a[6:], uint16(i))
		last = netip.AddrFrom16(a)
		b.ban(last, banScanner, now.Add(time.Duration(i)))
	}
	now = now.Add(testRules.first - time.Millisecond)
	require.True(t, b.banned(old, now))
	require.True(t, b.banned(last, now))
	require.Len(t, b.list(now), suspectsMost)
	require.Len(t, b.hosts, suspectsMost)
}

// TestBanBookIsConsistent: whatever comes in whatever order, the lists and the map are of the same suspects, a ban is never
// longer than the most, and who is banned is in the list.
func TestBanBookIsConsistent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Now()
		b := newBanBook(banRules{
			offences: rapid.IntRange(1, 5).Draw(t, "offences"), first: time.Second,
			most: time.Duration(rapid.IntRange(1, 1000).Draw(t, "most")) * time.Second,
		})
		host := func() netip.Addr {
			return netip.AddrFrom4([4]byte{192, 0, 2, byte(rapid.IntRange(0, 3).Draw(t, "host"))})
		}
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			h := host()
			was := b.banned(h, now)
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				ban, banned := b.offend(h, banLogin, now)
				require.False(t, banned && was)
				require.LessOrEqual(t, ban.Until.Sub(ban.Since), b.rules.most)
			case 1:
				_, banned := b.ban(h, banScanner, now)
				require.NotEqual(t, was, banned)
			case 2:
				require.Equal(t, was, b.lift(h, now))
			case 3:
				now = now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "seconds")) * time.Second)
			}
			require.Equal(t, len(b.hosts), b.watched.Len()+len(b.punished))
			n := 0
			for a := range b.hosts {
				if b.banned(a, now) {
					n++
				}
			}
			require.Len(t, b.list(now), n)
		}
	})
}

// TestGuessesAreSlowed: an account that is tried from everywhere stands so many wrong passwords in a time; its phone at
// home is let in all the while, and so is whoever is right somewhere else in time. Ids that nobody has are slowed alike.
func TestGuessesAreSlowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := tryRules{account: 10, all: 200}
		g := newGuesses(rules)
		home := netip.MustParseAddr("192.0.2.7")
		elsewhere := func() netip.Addr {
			var a [4]byte
			binary.BigEndian.PutUint32(a[:], rand.Uint32())
			return netip.AddrFrom4(a)
		}
		undo, ok := g.take("8001", true, home, true, time.Now())
		require.True(t, ok)
		undo()
		g.homes.settles("8001", secret{}, home, homesMost, time.Now())
		for _, known := range []bool{true, false} {
			judged := 0
			for range 1000 {
				if _, ok := g.take("8001", known, elsewhere(), true, time.Now()); ok {
					judged++
				}
			}
			require.Equal(t, rules.account, judged)
		}
		for range 1000 { // right each time
			undo, ok := g.take("8001", true, home, true, time.Now())
			require.True(t, ok)
			undo()
		}
		judged := 0
		for range 1000 { // wrong, from home
			if _, ok := g.take("8001", true, home, true, time.Now()); ok {
				judged++
			}
		}
		require.Equal(t, homeMore*rules.account, judged)
		time.Sleep(offencesIn / time.Duration(rules.account))
		_, ok = g.take("8001", true, elsewhere(), true, time.Now())
		require.True(t, ok, "one more in a while")

		// All accounts, all strangers.
		judged = 0
		for i := range 1000 {
			if _, ok := g.take(fmt.Sprint("id", i), false, elsewhere(), true, time.Now()); ok {
				judged++
			}
		}
		require.LessOrEqual(t, judged, rules.all)
		_, ok = g.take("8002", true, elsewhere(), false, time.Now())
		require.True(t, ok, "a host that is known")
		g.keep(func(id string) bool { return id == "8002" })
		require.Len(t, g.accounts, 1)
	})
}
