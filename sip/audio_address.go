package sip

// Where a leg's far end is to send audio. The engine writes one address into SDP by itself (media.Options.Advertise), which is
// right for all as long as all reach us at one. Where listeners are known by several, each leg's is its listener's: what
// that advertises, or else is bound to; so a phone inside sends to the address inside, and a carrier to the one outside. It is
// chosen once, when the leg's stream is opened, and holds for the leg's life: in answers, re-INVITEs, holds and transfers.
// No address is told that nothing is bound at: where RTP is bound to one address, a listener bound to another speaks for SIP
// alone. Nor that of loopback, behind which there is a proxy of this host and the phone far away, nor that of a listener of
// WebSockets, for the same reason. Where RTP is bound at [::] a leg is of the family that the far end's description has,
// or, when the offer is ours, that its SIP has. A listener that is known by a name says no address, and what it is bound to is not
// meant; nor is it of one beside which another transport of the same address and port says its address: for both the engine does.

import (
	"net/netip"
	"slices"

	"hotline/media"
)

// AudioOptions are where Options.Engine is bound: media.Options.Address and Advertise.
type AudioOptions struct {
	Address, Advertise netip.Addr
}

// tells is what the engine writes into SDP by itself.
func (o AudioOptions) tells() netip.Addr {
	if o.Advertise.IsValid() {
		return o.Advertise.Unmap()
	}
	return o.Address.Unmap()
}

// audioAt is where the far end of a leg is to send audio, which comes about by h and with the far end's offer, or ours if that
// is empty. The zero value: where the engine says.
func (u *UA) audioAt(h hop, offer []byte) netip.Addr {
	o := u.o.Audio
	if !o.Address.IsValid() || isWebSocket(h.transport) {
		return netip.Addr{}
	}
	four := u.familyOf(h, offer)
	usual := o.tells().Is4() == four
	if usual && !u.apart(four) {
		return netip.Addr{}
	}
	if l := u.listenerOf(h); l != nil && !u.isDoor(l) {
		if at := u.audioOf(l, four); at.IsValid() {
			return at
		}
	}
	if usual {
		return netip.Addr{}
	}
	for _, l := range u.listeners {
		if at := u.audioOf(l, four); at.IsValid() {
			return at
		}
	}
	return netip.Addr{}
}

// audioTo is audioAt for a phone at an address that is registered at another node, so that no listener of ours is its own: that is
// meant by which we would reach it. The zero value: where it is is not known, or where the engine says.
func (u *UA) audioTo(phone netip.Addr) netip.Addr {
	if !phone.IsValid() {
		return netip.Addr{}
	}
	const port = 5060 // of no consequence: no more is asked than the way there
	to := netip.AddrPortFrom(phone, port)
	var ways []hop
	for _, network := range []string{networkUDP, networkTCP, networkTLS} {
		ways = append(ways, u.waysTo(network, to)...)
	}
	if len(ways) > 0 { // by whatever transport: office and world may each have one of their own
		return u.audioAt(u.bestOf(ways, routedFrom(to.String(), netip.Addr{})), nil)
	}
	return u.audioAt(hop{transport: transportUDP, dest: to.String()}, nil)
}

// familyOf tells whether the audio of a leg is of IPv4.
func (u *UA) familyOf(h hop, offer []byte) bool {
	o := u.o.Audio
	if o.Address.Unmap() != netip.IPv6Unspecified() {
		return o.Address.Unmap().Is4()
	}
	if at := media.AudioAddress(offer); at.IsValid() {
		return at.Is4()
	}
	if peer := parsePeer(h.dest); peer.IsValid() {
		return peer.Addr().Is4()
	}
	return o.tells().Is4()
}

// apart tells whether listeners are known by different addresses of a family, at which there is audio.
func (u *UA) apart(four bool) bool {
	var first netip.Addr
	for _, l := range u.listeners {
		switch at := u.audioOf(l, four); {
		case !at.IsValid() || at == first:
		case first.IsValid():
			return true
		default:
			first = at
		}
	}
	return false
}

// audioOf is the address of a listener, of a family, at which there is audio; the zero value if it has none.
func (u *UA) audioOf(l *listener, four bool) netip.Addr {
	rtp, bound := u.o.Audio.Address.Unmap(), l.bound.Addr()
	if u.isDoor(l) || isWebSocket(l.transport) || !rtp.IsUnspecified() && !bound.IsUnspecified() && rtp != bound {
		return netip.Addr{}
	}
	at := bound
	if advertised := l.advertise.Addr().Unmap(); advertised.IsValid() {
		at = advertised
	} else if bound.IsUnspecified() || bound.IsLoopback() || l.name != "" || u.toldBeside(l) {
		return netip.Addr{}
	}
	if at.Is4() != four || at.Zone() != "" { // a zone means nothing to a far end
		return netip.Addr{}
	}
	return at
}

// toldBeside tells whether another transport advertises what it is known by where a listener is bound. Another port of the
// address says nothing: with one network card, the one inside has no more than that of its own.
func (u *UA) toldBeside(l *listener) bool {
	return slices.ContainsFunc(u.listeners, func(o *listener) bool {
		return o.bound == l.bound && !u.isDoor(o) && !isWebSocket(o.transport) && (o.name != "" || o.advertise.Addr().IsValid())
	})
}
