package sip

import (
	"strconv"
	"strings"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"
)

// txsMost bounds the transactions remembered of one leg, and those under way at once.
const txsMost = 64

// within is in how long a transaction is over.
func (rs *relays) within() time.Duration { return ackWithin * rs.u.o.T1 }

// offer sends an INVITE that was admitted to the phone, for the first time: by f, or, where that fails at once, by another flow
// of the phone.
func (r *relay) offer(p *packet, f flow, from way) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for tried := []uint64{f.serial}; !r.offerBy(p.clone(), f, from); tried = append(tried, f.serial) {
		other, ok := r.rs.u.flowTo(r.agent, tried...)
		if !ok || !time.Now().Before(r.until) {
			seen(p, from)
			p.push("Via", r.invite.via)
			r.reply(r.invite, p, statusFlowFailed, packetHeader{name: headerRefused, value: "flow"})
			r.finish()
			return
		}
		f = other
	}
}

// offerBy is offer by one flow; false: the INVITE did not leave. It changes p.
func (r *relay) offerBy(p *packet, f flow, from way) bool {
	r.phone = wayOf(f)
	target, ok := r.aimed(p, f)
	if !ok {
		r.rs.u.log.Info("redirection not followed", zap.String("agent", r.agent), zap.String("to", masked(userIn(p.target()))))
	}
	lasts := r.rs.u.site.o.Expires
	if n, err := strconv.ParseUint(p.get("expires"), 10, 16); err == nil {
		lasts = time.Duration(n) * time.Second
	}
	p.retarget(target.String())
	x := r.begin(p, string(sipmsg.INVITE), toPhone, from)
	if x == nil {
		r.finish()
		return true
	}
	r.invite, r.asked = x, x
	r.limitTo(lasts+r.rs.within(), r.expired)
	if ok {
		return r.send(x)
	}
	r.reply(x, p, sipmsg.StatusForbidden)
	r.finish()
	return true
}

// aimed is where an INVITE to the phone at f goes: to its contact, or to another line of it, to which it redirected; ok is
// false where it redirected elsewhere, which nobody follows.
func (r *relay) aimed(p *packet, f flow) (target sipmsg.Uri, ok bool) {
	var asked sipmsg.Uri
	if err := sipmsg.ParseUri(p.target(), &asked); err != nil {
		return f.contact, false
	}
	if f.isLine(asked) {
		return asked, asked.String() != f.contact.String() // there it has just been
	}
	return f.contact, asked.User == r.agent // as the owner has it at first
}

// routed takes a request that our Route led here.
func (rs *relays) routed(p *packet, key, method string, from way, nodes bool) {
	r := rs.of(key)
	if r == nil && !nodes {
		r = rs.heir(p, from)
	}
	to := toOwner
	if nodes {
		to = toPhone
	}
	switch {
	case r == nil && nodes: // this node has begun anew: the phone was not asked
		rs.refuse(p, from, sipmsg.StatusCallTransactionDoesNotExists, packetHeader{name: headerRefused, value: "leg"})
	case r == nil, p.get(nameCallID) != r.dialog:
		rs.refuse(p, from, sipmsg.StatusCallTransactionDoesNotExists)
	default:
		r.request(p, method, to, from)
	}
}

// request passes a request on, or does again what it did when it came first.
func (r *relay) request(p *packet, method string, to int, from way) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.follow(to, from)
	if method == string(sipmsg.ACK) {
		r.acked(p, to)
		return
	}
	x := r.txs[r.branchOf(p)+" "+method]
	switch {
	case x == nil && r.over && method != string(sipmsg.BYE) && method != string(sipmsg.CANCEL):
		r.rs.refuse(p, from, sipmsg.StatusCallTransactionDoesNotExists)
		return
	case x == nil:
		if x = r.begin(p, method, to, from); x == nil {
			return
		}
		r.began(x, p)
	case x.last != nil && (x.answer != nil || reliable(r.towards(to).transport) || x.final && method == string(sipmsg.INVITE)):
		// Who answered is not asked again, since nothing is lost on the way there, since we did it, or since an INVITE that
		// had its answer is not to ring a phone that has forgotten it.
		r.pass(x.back, x.last)
		return
	case x.sent && reliable(r.towards(to).transport):
		return
	}
	r.send(x)
}

// follow notes where the phone is now.
func (r *relay) follow(to int, from way) {
	if f, here := r.rs.u.registrar.lookupBy(r.agent, keyOf(r.phone.transport, r.phone.peer)); here {
		r.phone = wayOf(f)
	} else if to == toOwner {
		r.phone = from
	}
}

func (r *relay) towards(to int) way {
	if to == toPhone {
		return r.phone
	}
	return way{transport: transportUDP, peer: r.owner, ours: r.rs.u.site.door.bound}
}

// begin enters a new transaction, its request ready to go on; nil when it may not.
func (r *relay) begin(p *packet, method string, to int, from way) *relayTx {
	r.prune()
	if len(r.txs) >= 2*txsMost {
		return nil
	}
	branch := r.branchOf(p)
	seq, _ := p.cseq()
	x := &relayTx{method: method, seq: seq, to: to, branch: branch, back: from, began: time.Now()}
	if !p.hop() {
		r.rs.refuse(p, from, sipmsg.StatusTooManyHops)
		return nil
	}
	if asked := r.txs[branch+" "+string(sipmsg.INVITE)]; asked != nil && method == string(sipmsg.CANCEL) {
		p.retarget(asked.target)
	}
	p.strip()
	seen(p, from)
	if method == string(sipmsg.INVITE) && tagIn(p.get("to")) == "" {
		p.push("Record-Route", r.record(toOwner))
		p.push("Record-Route", r.record(toPhone))
	}
	x.via = r.via(branch, to)
	p.push("Via", x.via)
	x.target, x.out = p.target(), p.bytes()
	r.txs[branch+" "+method] = x
	if method != string(sipmsg.CANCEL) {
		r.seq[to] = max(r.seq[to], seq)
	}
	r.refreshed(p, to, method)
	return x
}

// refreshed notes where the sender of a message wants to be reached (RFC 3261 section 12.2).
func (r *relay) refreshed(p *packet, to int, method string) {
	if method != string(sipmsg.INVITE) && method != string(sipmsg.UPDATE) {
		return
	}
	if uri := uriIn(p.get(nameContact)); uri != "" {
		r.at[1-to] = uri
	}
}

// record is our Record-Route as one side is to see it.
func (r *relay) record(side int) string {
	w := r.towards(side)
	uri := "<sip:" + relayMark + r.key + "@" + r.rs.u.selfAt(w.hop()).String()
	if name := transportParam(w.transport); name != "" {
		uri += ";transport=" + name
	}
	return uri + ";lr>"
}

func (r *relay) via(branch string, to int) string {
	w := r.towards(to)
	return version + "/" + w.transport + " " + r.rs.u.selfAt(w.hop()).String() + ";branch=" + branch + ";rport"
}

// seen tells the sender how we see it, if it asks, or if its sent-by is a name or something else (RFC 3261 section 18.2.1, RFC
// 3581 section 4).
func seen(p *packet, from way) {
	i := p.index(nameVia)
	if i < 0 {
		return
	}
	host, _ := hostAndPort(sentBy(p.headers[i].value))
	told := sentFrom(host, from.peer.Addr())
	by, params, _ := strings.Cut(p.headers[i].value, ";")
	out := []string{by}
	for param := range strings.SplitSeq(params, ";") {
		switch name, _, _ := strings.Cut(param, "="); {
		case strings.EqualFold(trim(name), "received"), params == "":
			continue
		case strings.EqualFold(trim(param), "rport"):
			param, told = "rport="+strconv.Itoa(int(from.peer.Port())), false
		}
		out = append(out, param)
	}
	if !told {
		out = append(out, "received="+from.peer.Addr().String())
	}
	p.headers[i].value = strings.Join(out, ";")
}

// began does what the first passing of a request means.
func (r *relay) began(x *relayTx, p *packet) {
	if x.method != string(sipmsg.BYE) || !r.answered {
		return
	}
	if x.to == toPhone {
		if !r.over {
			r.limitTo(r.rs.within(), r.finish) // the phone has had its time to answer
		}
		return
	}
	// The phone has left (RFC 3261 section 15.1.1). Its owner may be dead: then the phone is answered here.
	x.answer = p.answered(sipmsg.StatusOK, "").bytesWithoutVia()
	r.finish()
}

// bytesWithoutVia are bytes of a response to a request that has our Via on top by now.
func (p *packet) bytesWithoutVia() []byte {
	p.pop(nameVia)
	return p.bytes()
}

// send lets a request go on: the INVITE of an offer before its deadline only. It reports whether it left.
func (r *relay) send(x *relayTx) bool {
	w := r.towards(x.to)
	if x == r.invite && !time.Now().Before(r.until) {
		return x.sent // what was rung is rung; what was not is late
	}
	if err := r.rs.u.put(w, x.out); err != nil {
		r.rs.u.log.Debug("message not passed on", zap.String("method", x.method), zap.Error(err))
		if x.answer != nil && x.stop == nil && !x.final && !x.sent { // there may be a way to the owner again
			r.repeat(x, func() []byte { return x.out }, w)
		}
		return x.sent
	}
	if !x.sent && x.stop == nil && !x.final && x.to == toOwner && (reliable(x.back.transport) || x.answer != nil || x.own != nil) {
		r.repeat(x, func() []byte { return x.out }, w)
	} else if !x.sent && x.own != nil && !reliable(w.transport) {
		r.repeat(x, func() []byte { return x.out }, w)
	}
	x.sent = true
	return true
}

// repeat sends something again until x.stop (RFC 3261 sections 17.1.2.2, 17.2.1), in the background. An owner whose phone has hung
// up is told for longer than a transaction lasts, as phones are told of owners (rerouteWithin): it may be out of this node's
// reach for a while, and nobody else tells it that the agent is free.
func (r *relay) repeat(x *relayTx, what func() []byte, w way) {
	u := r.rs.u
	stop := make(chan struct{})
	x.stop = stop
	data, within := what(), r.rs.within()
	if x.answer != nil {
		within = rerouteWithin * u.o.T1
	}
	u.background("relay", func() {
		limit := time.NewTimer(within)
		defer limit.Stop()
		interval := u.o.T1
		again := time.NewTimer(interval)
		defer again.Stop()
		begun := time.Now()
		for {
			select {
			case <-stop:
				return
			case <-limit.C:
				r.mu.Lock()
				defer r.mu.Unlock()
				if x.stop == stop { // else it was heard meanwhile
					x.stop = nil
				}
				return
			case <-u.patience.Done():
				return
			case <-again.C:
				r.pass(w, data)
				if time.Since(begun) > freeWithin*u.o.T1 {
					r.answerFor(x)
				}
				interval = min(2*interval, resendMost*u.o.T1)
				again.Reset(interval)
			}
		}
	})
}

// answerFor answers the phone in place of an owner who does not.
func (r *relay) answerFor(x *relayTx) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if x.answer != nil && x.last == nil {
		x.last = x.answer
		r.pass(x.back, x.last)
	}
}

func (r *relay) pass(w way, data []byte) {
	if err := r.rs.u.put(w, data); err != nil {
		r.rs.u.log.Debug("message not passed on", zap.Stringer("to", w.peer), zap.Error(err))
	}
}

// reply answers a request that went no further.
func (r *relay) reply(x *relayTx, p *packet, code int, more ...packetHeader) {
	p.pop(nameVia)
	x.last = p.answered(code, r.rs.tagFor(p), more...).bytes()
	x.final = true
	r.pass(x.back, x.last)
}

// acked passes an ACK on: of a 2xx, or, by the same branch as its INVITE, of a refusal.
func (r *relay) acked(p *packet, to int) {
	branch := r.branchOf(p)
	if x := r.txs[branch+" "+string(sipmsg.INVITE)]; x != nil {
		x.stopped()
		if !x.sent { // it was refused here
			return
		}
	} else if p.index(nameRoute) < 0 && tagIn(p.get("to")) == "" {
		return
	}
	if !p.hop() {
		return
	}
	p.strip()
	if x := r.txs[branch+" "+string(sipmsg.INVITE)]; x != nil && x == r.asked {
		p.retarget(x.target)
	}
	p.push("Via", r.via(branch, to))
	r.pass(r.towards(to), p.bytes())
}

// prune forgets transactions that are over.
func (r *relay) prune() {
	if len(r.txs) < txsMost {
		return
	}
	for key, x := range r.txs {
		if x != r.asked && time.Since(x.began) > r.rs.within() {
			x.stopped()
			delete(r.txs, key)
		}
	}
}
