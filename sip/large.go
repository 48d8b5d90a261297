package sip

import (
	"context"
	"net/netip"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
)

const (
	// largeFor is from how many octets on a request is large for UDP where nobody knows the path's MTU (RFC 3261 section
	// 18.1.1).
	largeFor = 1300
	// largeWithin is how long a connection for a large request is waited for, in T1, before it goes by UDP.
	largeWithin = 2
	// noTCPFor is how long a peer is not tried again that takes no connections.
	noTCPFor = 10 * time.Minute
)

// enlarge has a request to a trunk leave by TCP that is large for UDP, if its carrier takes connections at the same port,
// and the request's Via say so; Contact stays what it is, since requests to us are not large by that. Otherwise it stays
// with UDP: IP then fragments it, which most paths bear, and a request that is not sent at all never reaches anybody. A
// phone that registered over UDP stays with that: RFC 3261 has it listen for TCP, but behind a NAT or a firewall its flow is
// the one way there is.
func (u *UA) enlarge(ctx context.Context, req *sipmsg.Request) {
	peer := parsePeer(req.Destination())
	if !peer.IsValid() || !u.mayStream(peer) || len(req.String()) <= largeFor {
		return
	}
	way, ok := u.wayTo(networkTCP, peer)
	via := req.Via()
	if !ok || via == nil {
		return
	}
	key := flowKey{transportTCP, peer}
	if u.outward.withoutTCP(key, time.Now()) {
		return
	}
	if u.conns.carried(transportTCP, peer) == nil {
		ctx, cancel := context.WithTimeout(ctx, largeWithin*u.o.T1)
		defer cancel()
		if err := u.outward.connect(ctx, key, aim{}, ""); err != nil {
			u.outward.noteNoTCP(key, time.Now())
			return
		}
	}
	self := u.selfAt(way)
	via.Transport, via.Host, via.Port = transportTCP, self.Addr().String(), int(self.Port())
	req.SetTransport(transportTCP)
	req.Laddr = sipmsg.Addr{}
}

// mayStream tells whether requests over UDP to a peer may go over TCP: it is a trunk, and no agent's flow or node.
func (u *UA) mayStream(peer netip.AddrPort) bool {
	if _, agents := u.registrar.agentAt(transportUDP, peer); agents || u.site != nil && u.site.peers.know(peer.Addr()) {
		return false
	}
	p := u.plan()
	_, trunk := p.match(peer.Addr())
	return trunk || p.calledAt(peer.Addr())
}

// withoutTCP tells whether a peer took no connection a while ago.
func (o *outward) withoutTCP(key flowKey, at time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return at.Before(o.noTCP[key])
}

// noteNoTCP remembers that a peer took no connection, or did not answer what came over one.
func (o *outward) noteNoTCP(key flowKey, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	makeRoom(o.noTCP, func(until time.Time) bool { return !at.Before(until) })
	o.noTCP[key] = at.Add(noTCPFor)
}
