package sip

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"strings"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"

	"hotline/call"
)

// adopted takes a request of another node's in the dialog of a leg at a phone that is registered here, but went through a
// node that is dead.
func (rs *relays) adopted(p *packet, method string, from way) {
	u := rs.u
	seq, _ := p.cseq()
	h := legHeader{
		method: method, dialog: p.get(nameCallID), from: tagIn(p.get(nameFrom)), to: tagIn(p.get("to")), seq: seq,
		sentBy: sentBy(p.get(nameVia)),
	}
	err := h.read(p.get(strings.ToLower(headerLeg)), u.site.o.Secret)
	owner := parsePeer(h.sentBy)
	if err == nil && !owner.IsValid() {
		err = fmt.Errorf("sip: a node that is at %q, which is no address with a port", h.sentBy)
	}
	if err != nil {
		u.metrics.gated(gateForged)
		u.limited(zap.ErrorLevel, "request of another node refused", zap.Stringer("source", from.peer), zap.Error(err))
		rs.refuse(p, from, sipmsg.StatusForbidden, packetHeader{name: headerRefused, value: "leg"})
		return
	}
	u.site.peers.met(from.peer.Addr())
	u.site.peers.met(owner.Addr())
	if r := rs.adopt(p, &h, owner); r != nil {
		r.request(p, method, toPhone, from)
		return
	}
	rs.refuse(p, from, statusFlowFailed, packetHeader{name: headerRefused, value: string(call.GateGone)})
}

// adopt finds the leg of such a request, or enters it as one that talks; nil when its phone is not here.
func (rs *relays) adopt(p *packet, h *legHeader, owner netip.AddrPort) *relay {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r := rs.byCall[h.dialog]; r != nil {
		if r.agent != h.agent || r.owner != owner {
			return nil // no two legs have a Call-ID in common
		}
		return r
	}
	if h.from == "" || h.to == "" || !rs.u.registrar.adopt(h.agent, call.GateLeg{
		Dialog: h.dialog, Call: h.Call, Owner: h.Owner, Token: h.Token,
	}) {
		return nil
	}
	to := p.get("to")
	r := &relay{
		rs: rs, key: rand.Text(), agent: h.agent, dialog: h.dialog, owner: owner, adopted: true,
		from: p.get(nameFrom), to: to[:strings.LastIndexByte(to, '>')+1], txs: make(map[string]*relayTx),
		answered: true, tag: h.to, routes: p.all(nameRoute),
	}
	r.at = [2]string{toPhone: p.target(), toOwner: "sip:" + serverName + "@" + owner.String()}
	rs.byKey[r.key], rs.byCall[r.dialog] = r, r
	rs.live.Add(1)
	rs.u.log.Info("leg adopted, whose node is dead", zap.String("agent", h.agent), zap.String("owner", string(h.Owner)),
		zap.Stringer("token", h.Token))
	return r
}

// heir finds the leg that was adopted of a phone's request whose route leads through the node that is dead: the phone sends to
// where it is registered, and names that dialog, by both tags.
func (rs *relays) heir(p *packet, from way) *relay {
	r := rs.with(p.get(nameCallID))
	if r == nil || !r.adopted || tagIn(p.get(nameFrom)) != r.tag || tagIn(p.get("to")) != tagIn(r.from) {
		return nil
	}
	f, here := rs.u.registrar.lookup(r.agent)
	if !here || f.source != from.peer || f.transport != from.transport {
		return nil
	}
	return r
}
