package sip

// Several listeners of one transport. What we say of ourselves to a peer, in Via, Contact, Record-Route, From and SDP, is said
// by one listener, the way's own (listenerOf), and what it advertises is no other's: a phone inside is told the address
// inside, a trunk outside the one outside. Whoever came to us is answered, called and asked by the listener he came to,
// which a dialog and a registration keep as the way's own end (dialog.Ours, flow.local); of a connection that end is the
// connection's own, so that its listener may be one that is bound to every address. sipgo knows a peer of UDP by his
// address alone, and answered by the socket that he was first heard at after somebody else: where several are read, each
// has him under a name of its own (sourceAt). Where we begin, to trunks and to names that an agent's phone dials, the way is
// wayTo's: the host knows by which address it reaches the far end, and the listener there is the one whose datagrams the
// far end, its firewall and its answers take. [::] is IPv6 alone, so that a listener is of one family, and 0.0.0.0 may stand
// beside it.

import (
	"net"
	"net/netip"
	"strings"
)

// listenerOf is the listener that a way is of: the one bound to the way's own end, else one of its port that is bound to every
// address of its family; nil if there is none any more, as after a restart with other settings.
func (u *UA) listenerOf(h hop) *listener {
	var every *listener
	for _, l := range u.listeners {
		if l.transport != h.transport || l.bound.Port() != h.ours.Port() {
			continue
		}
		if l.bound == h.ours {
			return l
		}
		if at := l.bound.Addr(); every == nil && at.IsUnspecified() && at.Is4() == h.ours.Addr().Is4() && !u.isDoor(l) {
			every = l // the door is nobody's but the nodes', who come to its very address
		}
	}
	return every
}

// isDoor tells whether a listener is the one for other nodes.
func (u *UA) isDoor(l *listener) bool { return u.site != nil && l == u.site.door }

// selfAt is our own address as the far end is to see it: what the listener advertises, else what it is
// bound to, else what this host routes to the far end from.
func (u *UA) selfAt(h hop) netip.AddrPort {
	if l := u.listenerOf(h); l != nil && l.advertise.Addr().IsValid() {
		port := l.advertise.Port()
		if port == 0 {
			port = l.bound.Port()
		}
		return netip.AddrPortFrom(l.advertise.Addr(), port)
	}
	self := h.ours
	if self.Addr().IsUnspecified() {
		self = netip.AddrPortFrom(routedFrom(h.dest, self.Addr()), self.Port())
	}
	return self
}

// namedAt is selfAt as it stands in Via and Contact: by the name of the listener, if it has one.
func (u *UA) namedAt(h hop) (host string, port int) {
	if l := u.listenerOf(h); l != nil && l.name != "" {
		if l.namePort == 0 {
			return l.name, int(l.bound.Port())
		}
		return l.name, int(l.namePort)
	}
	self := u.selfAt(h)
	return self.Addr().String(), int(self.Port())
}

// routedFrom asks the host which address it would send from. Nothing is sent: connecting a UDP socket
// only looks up the route. def is returned when there is none.
func routedFrom(dest string, def netip.Addr) netip.Addr {
	peer, err := netip.ParseAddrPort(dest)
	if err != nil {
		return def // a name; no look-up is worth it here
	}
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(peer))
	if err != nil {
		return def
	}
	local, err := netip.ParseAddrPort(c.LocalAddr().String())
	if cerr := c.Close(); err != nil || cerr != nil {
		return def
	}
	return local.Addr().Unmap()
}

// wayTo is the way to an address: which of our sockets goes there. It is one that the host would send from itself, being bound
// to that address or to every one; among such, one that says of itself an address that the far end can reach; then the
// one of an address of its own; else the first. A listener on loopback does not reach the world.
func (u *UA) wayTo(network string, to netip.AddrPort) (hop, bool) {
	switch ways := u.waysTo(network, to); len(ways) {
	case 0:
		return hop{}, false
	case 1:
		return ways[0], true
	default:
		return u.bestOf(ways, routedFrom(ways[0].dest, netip.Addr{})), true
	}
}

// waysTo are the ways to an address, in the order of the listeners.
func (u *UA) waysTo(network string, to netip.AddrPort) (ways []hop) {
	to = unmap(to)
	for _, l := range u.listeners {
		if ours := l.bound.Addr(); l.transport == strings.ToUpper(network) && ours.Is4() == to.Addr().Is4() &&
			(!ours.IsLoopback() || to.Addr().IsLoopback()) && !u.isDoor(l) {
			ways = append(ways, hop{transport: l.transport, dest: to.String(), ours: l.bound})
		}
	}
	return ways
}

// bestOf is the way that serves best, where the host would send from an address.
func (u *UA) bestOf(ways []hop, from netip.Addr) hop {
	best, most := 0, -1
	for i, h := range ways {
		if rank := u.rank(h, from); rank > most {
			best, most = i, rank
		}
	}
	return ways[best]
}

// rank is how well a way serves, where the host would send from an address.
func (u *UA) rank(h hop, from netip.Addr) int {
	const (
		own = 1 << iota
		reached
		sendsSo
	)
	rank, at := 0, h.ours.Addr()
	if at == from {
		rank |= own | sendsSo
	}
	if at.IsUnspecified() {
		rank |= sendsSo
	}
	if inside(u.selfAt(h).Addr()) == inside(parsePeer(h.dest).Addr()) {
		rank |= reached
	}
	return rank
}

// sharedSpace is what carriers have between themselves and their customers (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// inside tells whether an address is one that is reached within a network alone (RFC 1918, RFC 4193, RFC 6598, and those of a
// link or of the host).
func inside(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || sharedSpace.Contains(a)
}
