//go:build linux

package flood

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
)

// The strangers of IPv6 are in a network of 32 bits of their own. Whoever has one address may have all of its /64 (RFC 4291
// section 2.5.4), and a site has a /48 (RFC 6177 section 2).
const (
	crowdedSite = 1 // of which one /64 has many hosts
	wideSite    = 2 // which has many /64s
	manySites   = 0x1000
	siteSlots   = 3 * siteConnections // more than the hotline lets them have
)

// at is an address of the strangers': the host of a /64 of a /48.
func (w *town) at(site, subnet, host int) netip.Addr {
	a := w.foreign.Addr().As16()
	binary.BigEndian.PutUint16(a[4:], uint16(site))
	binary.BigEndian.PutUint16(a[6:], uint16(subnet))
	binary.BigEndian.PutUint64(a[8:], uint64(host))
	return netip.AddrFrom16(a)
}

// What many of them have in common: a /64, a /48, nothing.
func (w *town) ofSubnet(n int) netip.Addr { return w.at(crowdedSite, 1, 1+n%manyHosts) }
func (w *town) ofSite(n int) netip.Addr   { return w.at(wideSite, n%manyHosts, 1) }
func (w *town) ofAny(n int) netip.Addr    { return w.at(manySites+n%manyHosts, 1, 1) }

// flood6 is flood over IPv6.
func flood6(of func(w *town, n int) netip.Addr, kinds ...text) func(ctx context.Context, w *town) (tally, error) {
	return func(ctx context.Context, w *town) (tally, error) {
		these := func(n int) netip.Addr { return of(w, n) }
		return w.pour(ctx, w.sip6, these, pace, func(n int) text { return kinds[n/manyHosts%len(kinds)] })
	}
}

func noise6(ctx context.Context, w *town) (tally, error) { return noisy(ctx, w.sip6, w.ofAny) }

// plainly6 is plainly over IPv6.
func plainly6(of func(w *town, n int) netip.Addr) way {
	return func(ctx context.Context, w *town, n int) (net.Conn, error) {
		return dialAs(ctx, of(w, n), w.sip6.String())
	}
}

// attacks6 are those over IPv6.
func attacks6() []attack {
	return []attack{
		{
			name: "REGISTERs of 4,000 hosts of an IPv6 /64", run: flood6((*town).ofSubnet, registerText, inventedText),
			drops: "host-rate", answers: rated(hostRequests, hostRequestsAtOnce),
		},
		{
			name: "REGISTERs of 4,000 /64s of an IPv6 /48", run: flood6((*town).ofSite, registerText, inventedText),
			drops: "host-rate", answers: rated(siteRequests, siteRequestsAtOnce),
		},
		{
			name: "INVITEs of 4,000 IPv6 /48s", run: flood6((*town).ofAny, inviteText),
			drops: "invite-rate", answers: rated(allInvites, allInvitesAtOnce),
		},
		{name: "noise by UDP over IPv6", run: noise6, drops: "not-sip", deaf: true},
		{
			name: "unfinished TCP of an IPv6 /64", run: unfinishedOf(siteSlots, plainly6((*town).ofSubnet), sipBeginning), meanwhile: (*town).opens,
			drops: "connection-rate", holds: true, connections: atMost(hostConnections, rated(hostConnects, hostConnectsAtOnce)),
		},
		{
			name: "unfinished TCP of an IPv6 /48", run: unfinishedOf(siteSlots, plainly6((*town).ofSite), sipBeginning), meanwhile: (*town).opens,
			drops: "connection-rate", holds: true, connections: atMost(siteConnections, rated(siteConnects, siteConnectsAtOnce)),
		},
	}
}
