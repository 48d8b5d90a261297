package sip

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"

	"hotline/call"
)

const (
	// largeFor is from how many octets on a request is large for UDP where nobody knows the path's MTU (RFC 3261 section
	// 18.1.1).
	largeFor = 1300
	// largeWithin is how long a connection for a large request is waited for, in T1, before it goes by UDP.
	largeWithin = 2
	// deafWithin is how long, in T1, nothing may come over a connection that a large INVITE left by before it goes by UDP: whoever
	// speaks SIP there has said 100 long since (RFC 3261 section 17.2.1).
	deafWithin = 4
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

// deafWay is not nil where an INVITE left by TCP for its size alone, and tells whether nothing has come over its connection
// since.
func (r *ringing) deafWay() func() bool {
	if r.o.deaf == nil || r.o.hop.transport != transportUDP || r.req.Transport() != transportTCP {
		return nil
	}
	t, sent := r.ua.conns.carried(transportTCP, parsePeer(r.req.Destination())), r.began
	return func() bool { return t == nil || !t.heardSince(sent) }
}

// inviteLarge is invite for whom a large INVITE may go to by TCP. One that only takes connections has it by UDP, as a call of
// its own: what answers the first later is met as what answers any that was given up.
func (u *UA) inviteLarge(ctx context.Context, o outgoing) (*leg, error) {
	var deaf atomic.Bool
	o.deaf = func() { deaf.Store(true) }
	for {
		l, err := u.invite(ctx, o)
		failed, _ := errors.AsType[*call.RingError](err)
		if failed == nil || failed.Code != 0 || failed.Why != call.CauseUnreachable || !deaf.Load() || ctx.Err() != nil || o.deaf == nil {
			return l, err
		}
		u.outward.noteNoTCP(flowKey{transportTCP, parsePeer(o.hop.dest)}, time.Now())
		o.deaf = nil // once
	}
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
