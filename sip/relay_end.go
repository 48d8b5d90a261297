package sip

import (
	"crypto/rand"
	"strconv"
	"strings"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"
)

// response passes a response back, or takes that to a request of the edge's own.
func (r *relay) response(p *packet, branch, method string, status int, from way, nodes bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x := r.txs[branch+" "+method]
	if x == nil || nodes != (x.to == toOwner) {
		r.rs.u.metrics.drop(dropStray)
		return
	}
	p.pop(nameVia)
	p.strip()
	again := x.hear(status)
	if x.own != nil {
		if x.final && !again {
			x.own(status)
		}
		return
	}
	mine := x == r.asked && r.judged(x, p, status)
	if method == string(sipmsg.BYE) && x.to == toPhone && hangsUp(status) {
		r.finish()
	}
	if status/100 == 2 { //nolint:mnd // 2xx
		r.refreshed(p, 1-x.to, method)
	}
	if mine || p.index(nameVia) < 0 || x.answer != nil && x.last != nil {
		return // the edge has answered itself
	}
	if x.to == toPhone && method == string(sipmsg.INVITE) {
		p.add(headerSource, from.peer.Addr().String())
	}
	x.last = p.bytes()
	r.pass(x.back, x.last)
	if !again && x.refusal(status) && reliable(from.transport) {
		r.repeat(x, func() []byte { return x.last }, x.back)
	}
}

// hear notes a response, which ends the repeating of the request. It reports whether the final one came before.
func (x *relayTx) hear(status int) (again bool) {
	x.heard = true
	if status >= sipmsg.StatusOK || x.method == string(sipmsg.INVITE) {
		x.stopped()
	}
	again = x.final
	x.final = x.final || status >= sipmsg.StatusOK
	return again
}

// refusal tells whether a response is one that is repeated until its ACK.
func (x *relayTx) refusal(status int) bool {
	return x.method == string(sipmsg.INVITE) && status >= statusMultipleChoices
}

// hangsUp tells whether a response to a BYE ends the dialog: a challenge does not, and neither does a request to come
// again (RFC 3261 section 15.1.1).
func hangsUp(status int) bool {
	switch status {
	case sipmsg.StatusUnauthorized, sipmsg.StatusProxyAuthRequired, sipmsg.StatusInternalServerError:
		return false
	}
	return status >= sipmsg.StatusOK
}

// judged takes a response to the INVITE of the offer. It reports whether it is the edge's alone to deal with.
func (r *relay) judged(x *relayTx, p *packet, status int) (mine bool) {
	reg := r.rs.u.registrar
	switch {
	case status < sipmsg.StatusOK:
		if status > sipmsg.StatusTrying {
			reg.rungLeg(r.agent, r.dialog)
		}
		if r.ending && r.invite == x {
			r.cancel(x)
		}
	case status < statusMultipleChoices:
		if !r.answered {
			r.learn(p)
			reg.answeredLeg(r.agent, r.dialog)
			if r.limit != nil && !r.ending {
				r.limit.Stop()
				r.limit = nil
			}
		}
		r.invite = nil
		if r.ending && tagIn(p.get("to")) == r.tag { // it crossed our CANCEL
			r.crossed(x)
			return true
		}
	default:
		if r.ending {
			r.ack(x.seq, x.branch, x.target, nil, p.get("to"))
		}
		if r.invite == x {
			r.invite = nil
			r.finish()
		}
	}
	return false
}

// crossed takes an answer in the owner's place, and hangs up. Of a repetition, whose ACK was lost, there is an ACK alone.
func (r *relay) crossed(x *relayTx) {
	r.ack(x.seq, rand.Text(), r.at[toPhone], r.routes, tagged(r.to, r.tag))
	if !r.byed {
		r.bye(toPhone)
	}
}

// learn takes the dialog from the first 2xx.
func (r *relay) learn(p *packet) {
	r.answered, r.tag, r.routes = true, tagIn(p.get("to")), nil
	r.at[toPhone] = uriIn(p.get(nameContact))
	for _, route := range p.all(nameRecord) {
		if strings.HasPrefix(userIn(uriIn(route)), relayMark+r.key) {
			break
		}
		r.routes = append([]string{route}, r.routes...)
	}
}

// finish ends the leg for the gate. Whoever calls it has r.mu.
func (r *relay) finish() {
	if r.over {
		return
	}
	r.over, r.invite = true, nil
	r.rs.u.registrar.overLeg(r.agent, r.dialog)
	r.forgetLater()
}

// forgetLater has the leg be forgotten when nothing of it is repeated any more. Whoever calls it has r.mu.
func (r *relay) forgetLater() {
	r.limitTo(r.rs.within(), func() { r.rs.u.background("relay", func() { r.rs.forget(r) }) })
}

// limitTo has f called, with r.mu, in a while, unless it is called again before.
func (r *relay) limitTo(d time.Duration, f func()) {
	if r.limit != nil {
		r.limit.Stop()
	}
	var t *time.Timer
	t = time.AfterFunc(d, func() {
		u := r.rs.u
		if !u.tasks.enter() {
			return
		}
		defer u.tasks.leave()
		defer u.contain("relay", nil)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.limit == t {
			f()
		}
	})
	r.limit = t
}

// expired ends an offer that nobody answered, or took back, in time (RFC 3261 section 16.8).
func (r *relay) expired() {
	r.rs.u.log.Info("offer ended by the edge: neither answered nor taken back", zap.String("agent", r.agent))
	r.stop()
}

// end ends the leg of a Call-ID, if it passes through here.
func (rs *relays) end(dialog string) bool {
	r := rs.with(dialog)
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stop()
	return true
}

// Relayed is how many legs pass through here between other nodes and phones that are registered here. A node is not to
// end before it is 0: whoever talks through it could not hang up any more. Zero without Options.Site.
func (u *UA) Relayed() int {
	if u.site == nil {
		return 0
	}
	return len(u.site.relays.under())
}

// under are the legs that are under way.
func (rs *relays) under() (under []*relay) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, r := range rs.byKey {
		r.mu.Lock()
		if !r.over {
			under = append(under, r)
		}
		r.mu.Unlock()
	}
	return under
}

// endAll ends all legs on both sides, and waits for that, for a time at most.
func (rs *relays) endAll(most time.Duration) {
	const tick = 5 * time.Millisecond
	for begun, more := time.Now(), true; more && time.Since(begun) < most; more = pause(tick, rs.u.patience.Done()) {
		under := rs.under() // anew: an INVITE may just have been let in
		if len(under) == 0 {
			return
		}
		for _, r := range under {
			r.mu.Lock()
			r.stop()
			r.mu.Unlock()
		}
	}
}

// stop is end for one.
func (r *relay) stop() {
	if r.over || r.ending {
		return
	}
	r.ending = true
	r.limitTo(r.rs.within(), r.finish)
	switch {
	case r.answered:
		r.bye(toPhone)
		r.bye(toOwner)
	case r.invite == nil || !r.invite.sent:
		r.finish()
	case r.invite.heard:
		r.cancel(r.invite)
	default: // a CANCEL may only follow a response (RFC 3261 section 9.1)
	}
}

// cancel takes the offer back from the phone.
func (r *relay) cancel(x *relayTx) {
	key := x.branch + " " + string(sipmsg.CANCEL)
	if r.txs[key] != nil {
		return
	}
	p := r.own(sipmsg.CANCEL, x.target, x.seq, x.via, r.from, r.to)
	c := &relayTx{
		method: string(sipmsg.CANCEL), seq: x.seq, to: toPhone, branch: x.branch, out: p.bytes(), began: time.Now(), own: func(int) {},
	}
	r.txs[key] = c
	r.send(c)
}

// bye ends the dialog towards one side, as if by the other.
func (r *relay) bye(to int) {
	from, dest := r.from, tagged(r.to, r.tag)
	var routes []string
	if to == toOwner {
		from, dest = dest, from
	} else {
		routes, r.byed = r.routes, true
	}
	r.seq[to]++
	branch := sipmsg.RFC3261BranchMagicCookie + "-" + relayMark + r.key + "-" + rand.Text()
	p := r.own(sipmsg.BYE, r.at[to], r.seq[to], r.via(branch, to), from, dest)
	for _, route := range routes {
		p.add("Route", route)
	}
	x := &relayTx{method: string(sipmsg.BYE), seq: r.seq[to], to: to, branch: branch, out: p.bytes(), began: time.Now()}
	x.own = func(int) {
		if to == toPhone {
			r.finish()
		}
	}
	r.txs[branch+" "+x.method] = x
	r.send(x)
}

// ack acknowledges, in the owner's place, what the phone answered the INVITE with.
func (r *relay) ack(seq uint32, branch, target string, routes []string, to string) {
	if !strings.HasPrefix(branch, sipmsg.RFC3261BranchMagicCookie) {
		branch = sipmsg.RFC3261BranchMagicCookie + "-" + relayMark + r.key + "-" + branch
	}
	p := r.own(sipmsg.ACK, target, seq, r.via(branch, toPhone), r.from, to)
	for _, route := range routes {
		p.add("Route", route)
	}
	r.pass(r.phone, p.bytes())
}

// own makes a request of the edge's.
func (r *relay) own(method sipmsg.RequestMethod, target string, seq uint32, via, from, to string) *packet {
	p := &packet{start: string(method) + " " + target + " " + version}
	p.add("Via", via)
	p.add("Max-Forwards", strconv.Itoa(maxForwards))
	p.add("From", from)
	p.add("To", to)
	p.add("Call-ID", r.dialog)
	p.add("CSeq", strconv.FormatUint(uint64(seq), 10)+" "+string(method))
	p.add("User-Agent", serverName)
	p.add("Content-Length", "0")
	return p
}
