package sip

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// limits are the bounds on what strangers (see UA.known) may have of us. Tests change them.
type limits struct {
	// each and eachBurst bound the datagrams of one stranger, per second and at once: an office of some dozen
	// phones behind one address registers within them. all and allBurst bound those of all strangers together.
	// What comes over TCP is held to the same, apart from them; there it waits, and nothing is dropped.
	each, eachBurst, all, allBurst int
	// invites and connects bound in the same way the INVITEs of strangers, and the TCP connections that they open.
	invites, connects rate
	// known bounds what comes by UDP in the names of hosts that are no strangers; see overruns.
	known rate
	// sources is how many sources one turn of reading a UDP socket may know.
	sources int
	// conns bounds the TCP connections that are open at once. The last reserved of them are for hosts that
	// are known, and one stranger may have perHost.
	conns, reserved, perHost int
	// first is how long a new connection may take for its first message, idle how long one that nobody
	// needs may be without a message.
	first, idle time.Duration
	// grace is how long a source still stands for what was read from it last, once it is not read from any more:
	// sipgo's goroutines look it up when they begin to serve a request.
	grace time.Duration
}

func defaultLimits() limits {
	return limits{
		each: 50, eachBurst: 100, all: 1000, allBurst: 2000, sources: 8192,
		invites: rate{5, 10, 100, 200}, connects: rate{10, 64, 200, 1024}, known: knownRate(),
		conns: 4096, reserved: 1024, perHost: 64, first: 10 * time.Second, idle: 2 * time.Minute, grace: time.Second,
	}
}

// gateSlots is how many buckets strangers share. Two that fall into one share its rate, which they cannot
// arrange, since the hash is seeded; so the gate's memory is fixed, whatever addresses are claimed.
const gateSlots = 4096

// rate is how much each stranger, and all of them, may do in a second, and at once.
type rate struct{ each, eachBurst, all, allBurst int }

// ratePer is a rate where at once twice is allowed of what is in a second.
func ratePer(each, all int) rate { return rate{each, 2 * each, all, 2 * all} }

// gate bounds what strangers send; by UDP any source address can be claimed. It may be used from any goroutine.
type gate struct {
	rate  atomic.Pointer[rate]
	seed  maphash.Seed
	began time.Time

	mu    sync.Mutex
	slots [gateSlots]bucket
	all   bucket
}

func newGate(l limits) *gate { return newGateOf(rate{l.each, l.eachBurst, l.all, l.allBurst}) }

func newGateOf(r rate) *gate {
	g := &gate{seed: maphash.MakeSeed(), began: time.Now()}
	g.rate.Store(&r)
	return g
}

// pass takes one datagram of a stranger in, or returns why it is to be dropped.
func (g *gate) pass(host netip.Addr, at time.Time) (why string) {
	now, r := at.Sub(g.began), g.rate.Load()
	slot := maphash.Comparable(g.seed, hostOf(host)) % gateSlots
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.slots[slot].take(now, r.each, r.eachBurst) {
		return dropHost
	}
	if !g.all.take(now, r.all, r.allBurst) {
		return dropStrangers
	}
	return ""
}

// spent tells why pass would drop a datagram of a stranger, and takes nothing.
func (g *gate) spent(host netip.Addr, at time.Time) (why string) {
	now, r := at.Sub(g.began), g.rate.Load()
	slot := maphash.Comparable(g.seed, hostOf(host)) % gateSlots
	g.mu.Lock()
	defer g.mu.Unlock()
	// Each bucket is a copy here.
	if one := g.slots[slot]; !one.take(now, r.each, r.eachBurst) {
		return dropHost
	}
	if all := g.all; !all.take(now, r.all, r.allBurst) {
		return dropStrangers
	}
	return ""
}

// hostBits is the length of a network's part of an IPv6 address.
const hostBits = 64

// hostOf is what stands for one host where they are counted: an IPv4 address, or a network of IPv6, which
// whoever has one address has whole (RFC 4291 section 2.5.4).
func hostOf(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a
	}
	p, err := a.Prefix(hostBits)
	if err != nil {
		return netip.Addr{} // no address at all
	}
	return p.Addr()
}

// bucket is a token bucket as one number: the time at which it will be full again (the generic cell rate
// algorithm, ITU-T I.371). Its zero value is full.
type bucket time.Duration

// take takes one token from a bucket that gets rate of them per second and holds burst.
func (b *bucket) take(now time.Duration, rate, burst int) bool {
	return b.takeEvery(now, time.Second/time.Duration(rate), burst)
}

// takeEvery is take for a bucket that gets a token each so long.
func (b *bucket) takeEvery(now, token time.Duration, burst int) bool {
	full := max(time.Duration(*b), now) + token
	if full-now > time.Duration(burst)*token {
		return false
	}
	*b = bucket(full)
	return true
}
