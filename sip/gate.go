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
	// invites and connects bound in the same way the INVITEs of strangers, and the TCP connections that they open; handshakes
	// those of TLS that they have said hello to, which wait. Each takes a processor for half a millisecond, and few are to have
	// one at once: what else is ready to run, audio too, waits behind all of them.
	invites, connects, handshakes rate
	// known bounds what comes by UDP in the names of hosts that are no strangers; see overruns.
	known rate
	// sources is how many sources one turn of reading a UDP socket may know.
	sources int
	// conns bounds the TCP connections that are open at once. The last reserved of them are for hosts that
	// are known, and one stranger may have perHost.
	conns, reserved, perHost int
	// first is how long a new connection may take for its first message, idle how long one that nobody
	// needs may be without a message. strange is how long a stranger's lasts at most, whatever is said over it.
	first, idle, strange time.Duration
	// grace is how long a source still stands for what was read from it last, once it is not read from any more:
	// sipgo's goroutines look it up when they begin to serve a request.
	grace time.Duration
}

func defaultLimits() limits {
	return limits{
		each: 50, eachBurst: 100, all: 1000, allBurst: 2000, sources: 8192,
		invites: rate{5, 10, 100, 200}, connects: rate{10, 64, 200, 1024}, known: knownRate(),
		handshakes: rate{50, 100, 400, 16},
		conns:      4096, reserved: 1024, perHost: 64, first: 10 * time.Second, idle: 2 * time.Minute,
		strange: time.Minute, grace: time.Second,
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

	mu       sync.Mutex
	slots    [gateSlots]bucket
	networks [networkSlots]bucket // of IPv6, as guesses has them
	all      bucket
}

func newGate(l limits) *gate { return newGateOf(rate{l.each, l.eachBurst, l.all, l.allBurst}) }

func newGateOf(r rate) *gate {
	g := &gate{seed: maphash.MakeSeed(), began: time.Now()}
	g.rate.Store(&r)
	return g
}

// pass takes one datagram of a stranger in, or returns why it is to be dropped.
func (g *gate) pass(host netip.Addr, at time.Time) (why string) {
	now := at.Sub(g.began)
	g.mu.Lock()
	defer g.mu.Unlock()
	shares := g.sharesLocked(host)
	for _, s := range shares.all() {
		if !s.of.takeEvery(now, s.token, s.burst) {
			return s.why
		}
	}
	return ""
}

// spent tells why pass would drop a datagram of a stranger, and takes nothing.
func (g *gate) spent(host netip.Addr, at time.Time) (why string) {
	now := at.Sub(g.began)
	g.mu.Lock()
	defer g.mu.Unlock()
	shares := g.sharesLocked(host)
	for _, s := range shares.all() {
		if s.of.after(now, s.token, s.burst) > 0 {
			return s.why
		}
	}
	return ""
}

// turnMost is how long whoever waits for his turn waits before he asks anew.
const turnMost = 5 * time.Second

// turn is how long a stranger whose message can wait is to wait for what it takes, which is his then: nobody need ask again
// and again. not taken: so many are before him that he is to ask anew after that.
func (g *gate) turn(host netip.Addr, at time.Time) (wait time.Duration, taken bool) {
	now := at.Sub(g.began)
	g.mu.Lock()
	defer g.mu.Unlock()
	shares := g.sharesLocked(host)
	for _, s := range shares.all() {
		wait = max(wait, s.of.after(now, s.token, s.burst))
	}
	if wait > turnMost {
		return turnMost, false
	}
	for _, s := range shares.all() {
		*s.of = bucket(max(time.Duration(*s.of), now) + s.token)
	}
	return wait, true
}

// part is what a stranger takes from: a bucket that gets a token each so long and holds burst.
type part struct {
	of    *bucket
	token time.Duration
	burst int
	why   string // nothing is left of it
}

// shares are what a host takes from. The unused last of an IPv4 host has no bucket.
type shares [3]part

func (s *shares) all() []part {
	if s[len(s)-1].of == nil {
		return s[:len(s)-1]
	}
	return s[:]
}

// sharesLocked are those of a host: its own, that of its network of IPv6 (else who is given one were 65,536 hosts), that of all.
func (g *gate) sharesLocked(host netip.Addr) (s shares) {
	r, host := g.rate.Load(), hostOf(host)
	s[0] = part{&g.slots[maphash.Comparable(g.seed, host)%gateSlots], time.Second / time.Duration(r.each), r.eachBurst, dropHost}
	all := part{&g.all, time.Second / time.Duration(r.all), r.allBurst, dropStrangers}
	network, ok := ipv6SiteOf(host)
	if !ok {
		s[1] = all
		return s
	}
	s[1] = part{
		&g.networks[maphash.Comparable(g.seed, network)%networkSlots],
		time.Second / time.Duration(max(r.each, r.all/networkShare)), max(r.eachBurst, r.allBurst/networkShare), dropHost,
	}
	s[2] = all
	return s
}

// ipv6SiteOf is the network of an IPv6 host that one site may have whole (RFC 6177 section 2); false: it has none.
func ipv6SiteOf(host netip.Addr) (network netip.Prefix, ok bool) {
	host = host.Unmap().WithZone("")
	if !host.Is6() {
		return network, false
	}
	network, err := host.Prefix(networkBits)
	return network, err == nil
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

// takeEvery takes one token from a bucket that gets one each so long and holds burst.
func (b *bucket) takeEvery(now, token time.Duration, burst int) bool {
	full := max(time.Duration(*b), now) + token
	if full-now > time.Duration(burst)*token {
		return false
	}
	*b = bucket(full)
	return true
}

// after is how long it is until takeEvery would take one; 0: it would now.
func (b *bucket) after(now, token time.Duration, burst int) time.Duration {
	return max(0, max(time.Duration(*b), now)+token-time.Duration(burst)*token-now)
}
