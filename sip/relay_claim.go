package sip

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"strings"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"

	"hotline/call"
)

// offered takes a request outside any dialog from another node: an INVITE with a claim, its CANCEL, or the ACK of its
// refusal.
func (rs *relays) offered(p *packet, method string, from way) bool {
	tagged := tagIn(p.get("to")) != ""
	switch method {
	case string(sipmsg.INVITE):
		if tagged || p.index(strings.ToLower(headerClaim)) < 0 {
			return false
		}
		rs.claimed(p, from)
		return true
	case string(sipmsg.CANCEL), string(sipmsg.ACK):
		r := rs.with(p.get(nameCallID))
		if r == nil || !r.passed(p) {
			return false
		}
		r.request(p, method, toPhone, from)
		return true
	}
	return false
}

// claimed takes an INVITE with a claim.
func (rs *relays) claimed(p *packet, from way) {
	u := rs.u
	seq, _ := p.cseq()
	h := claimHeader{
		dialog: p.get(nameCallID), tag: tagIn(p.get(nameFrom)), seq: seq, sentBy: sentBy(p.get(nameVia)),
	}
	err := h.read(p.get(strings.ToLower(headerClaim)), u.site.o.Secret)
	owner := parsePeer(h.sentBy)
	if err == nil && !owner.IsValid() {
		err = fmt.Errorf("sip: a node that is at %q, which is no address with a port", h.sentBy)
	}
	if err != nil {
		u.metrics.gated(gateForged)
		u.limited(zap.ErrorLevel, "INVITE of another node refused", zap.Stringer("source", from.peer), zap.Error(err))
		rs.refuse(p, from, sipmsg.StatusForbidden, packetHeader{name: headerRefused, value: "claim"})
		return
	}
	u.site.peers.met(from.peer.Addr())
	u.site.peers.met(owner.Addr())
	r, f, highest, v := rs.admit(p, &h, owner)
	if v == "" { // a repetition
		r.request(p, string(sipmsg.INVITE), toPhone, from)
		return
	}
	u.metrics.gated(string(v))
	if v == call.GateOpen {
		r.offer(p, f, from)
		return
	}
	u.log.Info("INVITE of another node not admitted", zap.String("agent", h.agent), zap.String("owner", string(h.owner)),
		zap.Stringer("token", h.token), zap.String("verdict", string(v)))
	code, more := statusFlowFailed, packetHeader{name: headerRefused, value: string(v)}
	if v == call.GateStale || v == call.GateBusy || v == call.GateHeld {
		code, more = sipmsg.StatusBusyHere, packetHeader{name: headerHighest, value: highest.String()}
	}
	rs.refuse(p, from, code, more)
}

// admit asks the gate, and enters the leg. The verdict is "" for an INVITE that was admitted before.
func (rs *relays) admit(p *packet, h *claimHeader, owner netip.AddrPort) (*relay, flow, call.Token, call.GateVerdict) {
	u := rs.u
	until := time.Now().Add(h.within)
	if lease := u.site.o.Lease(); lease.Before(until) {
		until = lease
	}
	self := u.site.o.Self()
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.byCall[h.dialog]
	if r != nil && (r.agent != h.agent || r.owner != owner) {
		return nil, flow{}, call.Token{}, call.GateLate // no two legs have a Call-ID in common
	}
	if r != nil && r.passed(p) {
		return r, flow{}, call.Token{}, ""
	}
	if u.ctx.Err() != nil {
		return nil, flow{}, call.Token{}, call.GateGone // whoever is let in now cannot be served to the end
	}
	if h.edge != self {
		return nil, flow{}, call.Token{}, call.GateLate // it is for a run that was declared dead
	}
	leg := call.GateLeg{Dialog: h.dialog, Call: h.call, Owner: h.owner, Token: h.token}
	f, highest, v := u.registrar.admit(h.agent, leg, h.seq, until)
	if v != call.GateOpen {
		return nil, f, highest, v
	}
	if r == nil {
		r = &relay{
			rs: rs, key: rand.Text(), agent: h.agent, dialog: h.dialog, owner: owner,
			from: p.get(nameFrom), to: p.get("to"), txs: make(map[string]*relayTx),
		}
		rs.byKey[r.key], rs.byCall[r.dialog] = r, r
		rs.live.Add(1)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.until, r.over, r.ending, r.byed = until, false, false, false
	return r, f, highest, v
}

// refuse answers a request of another node by ourselves, as often as it comes (RFC 3261 section 8.2.7).
func (rs *relays) refuse(p *packet, to way, code int, more ...packetHeader) {
	method, _ := p.method()
	if method == string(sipmsg.ACK) {
		return
	}
	if err := rs.u.put(to, p.answered(code, rs.tagFor(p), more...).bytes()); err != nil {
		rs.u.log.Debug("refusal not sent", zap.Error(err))
	}
}

// tagFor derives the To tag of our responses to a request from what identifies it.
func (rs *relays) tagFor(p *packet) string {
	return rs.digest(p.get(nameCallID), p.get(nameFrom), p.get(nameVia))
}
