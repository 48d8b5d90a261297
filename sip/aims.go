package sip

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// aim is where a trunk is reached by connections.
type aim struct {
	trunk   string
	network string
	host    string // as it is configured: an address, or a name
	port    uint16
}

// aims are where trunks were found when their names were looked up last: whoever is at such an address shows the
// certificate of the trunk's host, and calls over a connection that we made there are the trunk's. There is one for each
// trunk's address and one for its registrar's. It may be used from any goroutine; its lock is a leaf.
type aims struct {
	mu sync.Mutex
	at map[aim][]netip.Addr
}

// set notes the addresses of a trunk's host. Those of UDP are nobody's to connect to.
func (a *aims) set(to aim, addrs []netip.Addr) {
	if !reliable(strings.ToUpper(to.network)) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.at == nil {
		a.at = make(map[aim][]netip.Addr)
	}
	a.at[to] = slices.Clone(addrs)
}

// all are the aims at a peer, by the names of their trunks.
func (a *aims) all(key flowKey) []aim {
	a.mu.Lock()
	defer a.mu.Unlock()
	var found []aim
	for to, addrs := range a.at {
		if strings.ToUpper(to.network) == key.transport && to.port == key.source.Port() && slices.Contains(addrs, key.source.Addr()) {
			found = append(found, to)
		}
	}
	slices.SortFunc(found, func(a, b aim) int { return strings.Compare(a.trunk+"\x00"+a.host, b.trunk+"\x00"+b.host) })
	return found
}

// find is the first of all.
func (a *aims) find(key flowKey) (aim, bool) {
	if found := a.all(key); len(found) > 0 {
		return found[0], true
	}
	return aim{}, false
}

// keep forgets what is not in a plan.
func (a *aims) keep(p *plan) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for to := range a.at {
		if one := p.byName(to.trunk); one == nil || !one.isAt(to) {
			delete(a.at, to)
		}
	}
}

// isAt tells whether a trunk has that address.
func (t *trunk) isAt(to aim) bool {
	is := func(network, address string) bool {
		host, port := hostAndPort(address)
		return network == to.network && host == to.host && port == to.port
	}
	return t.out != nil && is(t.out.Network, t.out.Address) || t.reg != nil && is(t.reg.o.Network, t.reg.o.Address)
}

// toTrunk tells whether a connection was made by us to a trunk that there still is, be it that it was made for another at the
// same address. Whoever is at its other end is no stranger, wherever that trunk was called last.
func (u *UA) toTrunk(c *trackedConn) bool {
	if !c.made || c.to.trunk == "" {
		return false
	}
	if t := u.plan().byName(c.to.trunk); t != nil && t.isAt(c.to) {
		return true
	}
	_, shared := u.aims.find(c.key())
	return shared
}

// known tells whether who is at the other end has business with us.
func (t *trackedConn) known() bool { return t.ofTrunk() || t.conns.known(t.peer.Addr()) }

func (t *trackedConn) ofTrunk() bool { return t.conns.toTrunk != nil && t.conns.toTrunk(t) }

// over is the trunk that a request is from since it came over a connection that we made to it; nil if it did not. Of several
// trunks there it is the one that has the number dialled.
func (u *UA) over(p *plan, src source, number string) *trunk {
	c := u.conns.of(src.transport, src.addr)
	if c == nil || !c.made || c.to.trunk == "" {
		return nil
	}
	for _, to := range u.aims.all(c.key()) {
		if t := p.byName(to.trunk); t != nil {
			if _, has := t.route(number); has {
				return t
			}
		}
	}
	return p.byName(c.to.trunk)
}
