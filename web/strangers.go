package web

import (
	"cmp"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// What strangers may hold at once. Of each kind a part of shareOfNear is for those who are near; a site's network of IPv6 (RFC
// 6177 section 2) may have twice what one host may.
const (
	connsMost, connsEach = 1024, 64
	waitMost, waitEach   = 256, 4
	watchersEach         = 4 // the part of all that one stranger may have
	shareOfNear          = 4
	hostBits, siteBits   = 64, 48
)

// A place where a right token came from is near for provedFor; provedMost such are known.
const (
	provedFor  = 24 * time.Hour
	provedMost = 1024
)

// places bounds what is held at once: connections, the events, waits. Whoever is near is bounded by all alone, so that no
// stranger shuts out the wall in the next room. It may be used from any goroutine.
type places struct {
	all, each int
	near      func(netip.Addr) bool

	mu             sync.Mutex
	taken, strange int
	hosts          map[netip.Prefix]int // of strangers; networks of sites too
}

func newPlaces(all, each int, near func(netip.Addr) bool) *places {
	return &places{all: all, each: max(1, each), near: near, hosts: make(map[netip.Prefix]int)}
}

// take takes a place, which free gives back, once; false: there is none for whoever is there.
func (p *places) take(at netip.Addr) (free func(), ok bool) {
	near := p.near(at)
	host, site := networksOf(at)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.taken >= p.all:
		return nil, false
	case near:
	case p.strange >= max(1, p.all-p.all/shareOfNear), p.hosts[host] >= p.each, site.IsValid() && p.hosts[site] >= 2*p.each:
		return nil, false
	}
	p.countLocked(near, host, site, 1)
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.countLocked(near, host, site, -1)
	}), true
}

func (p *places) countLocked(near bool, host, site netip.Prefix, n int) {
	p.taken += n
	if near {
		return
	}
	p.strange += n
	for _, at := range []netip.Prefix{host, site} {
		if p.hosts[at] += n; p.hosts[at] <= 0 {
			delete(p.hosts, at)
		}
	}
}

// held is how many are taken.
func (p *places) held() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}

// networksOf is what counts as one host, and what one site is given; an IPv4 host has no such.
func networksOf(a netip.Addr) (host, site netip.Prefix) {
	a = a.Unmap().WithZone("")
	if !a.Is6() {
		host, _ = a.Prefix(a.BitLen()) // no address is one host more
		return host, site
	}
	host, _ = a.Prefix(hostBits)
	site, _ = a.Prefix(siteBits)
	return host, site
}

// proved are the hosts from where a right token came of late.
type proved struct {
	mu   sync.Mutex
	when map[netip.Prefix]time.Time
}

func (p *proved) note(a netip.Addr, now time.Time) {
	host, _ := networksOf(a)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.when == nil {
		p.when = make(map[netip.Prefix]time.Time)
	}
	p.when[host] = now
	if len(p.when) > provedMost {
		first := slices.MinFunc(slices.Collect(maps.Keys(p.when)), func(a, b netip.Prefix) int {
			return cmp.Compare(p.when[a].UnixNano(), p.when[b].UnixNano())
		})
		delete(p.when, first)
	}
}

func (p *proved) has(a netip.Addr, now time.Time) bool {
	host, _ := networksOf(a)
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok := p.when[host]
	return ok && now.Sub(at) < provedFor
}

// near tells whether an address is no stranger's: one of this machine, of a private network, or one where a right token came
// from of late.
func (s *Server) near(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || s.proved.has(a, s.o.Clock())
}

// clientOf is where a request came from; what a proxy says of others is not believed.
func clientOf(r *http.Request) netip.Addr {
	ap, _ := netip.ParseAddrPort(r.RemoteAddr) // none is one more stranger
	return ap.Addr().Unmap()
}
