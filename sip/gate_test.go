package sip

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whoever sends, and whenever: no host gets through more than its burst and its rate, nor do all together.
func TestGateBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := limits{each: 10, eachBurst: 5, all: 40, allBurst: 20}
		g := newGate(l)
		passed, total := make(map[netip.Addr]int), 0
		var now time.Duration
		for range rapid.IntRange(1, 300).Draw(t, "datagrams") {
			now += time.Duration(rapid.IntRange(0, 50).Draw(t, "gap")) * time.Millisecond
			host := netip.AddrFrom4([4]byte{192, 0, 2, byte(rapid.IntRange(0, 9).Draw(t, "host"))})
			if g.pass(host, g.began.Add(now)) == "" {
				passed[host]++
				total++
			}
			within := func(n, rate, burst int) bool { return n <= burst+int(now.Seconds()*float64(rate))+1 }
			if !within(passed[host], l.each, l.eachBurst) || !within(total, l.all, l.allBurst) {
				t.Fatalf("%d of one host and %d in all in %s", passed[host], total, now)
			}
		}
	})
}

func TestGate(t *testing.T) {
	t.Parallel()
	g := newGate(limits{each: 10, eachBurst: 2, all: 1000, allBurst: 3})
	pass := func(host string, after time.Duration) string {
		return g.pass(netip.MustParseAddr(host), g.began.Add(after))
	}
	spent := func(host string) string { return g.spent(netip.MustParseAddr(host), g.began) }
	for range 10 {
		require.Empty(t, spent("192.0.2.1"), "it takes nothing")
	}
	require.Empty(t, pass("192.0.2.1", 0))
	require.Empty(t, pass("::ffff:192.0.2.1", 0))
	require.Equal(t, dropHost, spent("192.0.2.1"))
	require.Equal(t, dropHost, pass("192.0.2.1", 0), "an IPv4 address is one however it is written")
	require.Empty(t, spent("2001:db8::1"))
	require.Empty(t, pass("2001:db8::1", 0))
	require.Equal(t, dropStrangers, spent("198.51.100.1"))
	require.Equal(t, dropStrangers, pass("198.51.100.1", 0))
	require.Empty(t, pass("192.0.2.1", 100*time.Millisecond))
	require.Equal(t, dropHost, pass("192.0.2.1", 100*time.Millisecond))
	require.Empty(t, pass("2001:db8::2", 100*time.Millisecond))
	require.Empty(t, pass("2001:db8::3", 100*time.Millisecond))
	require.Equal(t, dropHost, pass("2001:db8::4", 100*time.Millisecond), "a network of IPv6 is one")
	require.Equal(t, netip.Addr{}, hostOf(netip.Addr{}))
}

// One site is given a network of IPv6 of 48 bits, 65,536 hosts: it has a share of what all strangers may have, and no more.
func TestGateNetwork(t *testing.T) {
	t.Parallel()
	g := newGateOf(rate{each: 10, eachBurst: 20, all: 1000, allBurst: 2000})
	at := func(site, host int) netip.Addr {
		return netip.MustParseAddr(fmt.Sprintf("2001:db8:%x:%x::1", site, host))
	}
	pass := func(site, host int) string { return g.pass(at(site, host), g.began) }
	other := 2
	for g.sharesLocked(at(other, 1))[1].of == g.sharesLocked(at(1, 1))[1].of {
		other++ // they share a bucket
	}
	for i := range 200 {
		require.Empty(t, pass(1, i))
	}
	require.Equal(t, dropHost, pass(1, 201))
	require.Equal(t, dropHost, g.spent(at(1, 0xffff), g.began))
	require.Empty(t, pass(other, 1), "another site's")
	require.Empty(t, g.pass(netip.MustParseAddr("192.0.2.1"), g.began))
}

// Whoever waits is told once how long, and it is his then: those who wait pass at the rate, in the order they asked.
func TestGateTurns(t *testing.T) {
	t.Parallel()
	g := newGateOf(rate{each: 1000, eachBurst: 1000, all: 10, allBurst: 5})
	for i := range 100 {
		wait, taken := g.turn(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), g.began)
		require.Equal(t, i < 5+50, taken, "5 at once, and those of the next 5 seconds")
		require.Equal(t, min(max(0, time.Duration(i-4)*100*time.Millisecond), turnMost), wait)
	}
	require.Equal(t, dropStrangers, g.pass(netip.MustParseAddr("192.0.2.200"), g.began.Add(turnMost-time.Millisecond)))
	require.Empty(t, g.pass(netip.MustParseAddr("192.0.2.200"), g.began.Add(turnMost+100*time.Millisecond)))
}
