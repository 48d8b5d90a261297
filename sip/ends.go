package sip

import (
	"cmp"
	"net/netip"
	"sync"
	"time"
)

// How long it is remembered which address of this host's a peer is reached from, and of how many peers.
const (
	routeKept  = time.Minute
	mostRoutes = 1024
)

// ownEnds tells which address of ours a message has that crossed a socket bound to all of them (0.0.0.0, [::]). Its methods
// may be called from any goroutine; its lock is a leaf.
type ownEnds struct {
	listeners []*listener
	mu        sync.Mutex
	routes    map[netip.Addr]ownEnd
}

type ownEnd struct {
	from  netip.Addr
	until time.Time
}

// of is the end that a peer knows: what the listener advertises, if it is of the peer's family, else what this host routes to
// the peer from; if there is no route, the unspecified address of the peer's family. One that is known is unchanged.
func (o *ownEnds) of(transport string, ours, peer netip.AddrPort) netip.AddrPort {
	ours, to := unmap(ours), peer.Addr().Unmap()
	if o == nil || !ours.Addr().IsUnspecified() || !to.IsValid() {
		return ours
	}
	for _, l := range o.listeners {
		if advertised := l.advertise.Addr().Unmap(); l.transport == transport && l.bound == ours && advertised.Is4() == to.Is4() && advertised.IsValid() {
			return netip.AddrPortFrom(advertised, cmp.Or(l.advertise.Port(), ours.Port()))
		}
	}
	return netip.AddrPortFrom(o.routed(netip.AddrPortFrom(to, peer.Port())), ours.Port())
}

func (o *ownEnds) routed(peer netip.AddrPort) netip.Addr {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	if known, ok := o.routes[peer.Addr()]; ok && now.Before(known.until) {
		return known.from
	}
	if len(o.routes) >= mostRoutes || o.routes == nil {
		o.routes = make(map[netip.Addr]ownEnd)
	}
	none := netip.IPv4Unspecified()
	if peer.Addr().Is6() {
		none = netip.IPv6Unspecified()
	}
	from := routedFrom(peer.String(), none)
	o.routes[peer.Addr()] = ownEnd{from, now.Add(routeKept)}
	return from
}
