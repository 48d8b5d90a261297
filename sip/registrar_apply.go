package sip

import (
	"slices"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"
)

// handle answers a REGISTER, and counts what became of it. It sends nothing.
func (r *registrar) handle(req *sipmsg.Request, src source) *sipmsg.Response {
	res, outcome := r.register(req, src)
	r.o.count(outcome)
	return res
}

func (r *registrar) register(req *sipmsg.Request, src source) (res *sipmsg.Response, outcome string) {
	if req.To() == nil || req.From() == nil || req.CallID() == nil || req.CSeq() == nil {
		return refusal(req, badRequest("a mandatory header is missing")), registerMalformed
	}
	if s := req.To().Address.Scheme; s != schemeSIP && s != schemeSIPS { // RFC 3261 section 10.2, RFC 4475 section 3.3.4
		return refusal(req, badRequest("To is no address of record")), registerMalformed
	}
	if !secured(src.transport) && namesSIPS(req) {
		return refusal(req, badRequest("a Contact of sips needs TLS")), registerMalformed
	}
	d := r.directory.Load()
	agent, outcome, refused := r.identify(req, req.To().Address.User)
	if refused != nil {
		return refused, outcome
	}
	wish, err := r.readWish(req)
	if err != nil {
		return refusal(req, err), err.outcome
	}
	if wish.bind != nil && r.o.movesOn() {
		return refusal(req, &refusedError{
			code: sipmsg.StatusServiceUnavailable, reason: reason(sipmsg.StatusServiceUnavailable), outcome: registerMovesOn,
		}), registerMovesOn
	}
	if wish.bind != nil && !asksOutbound(req) {
		wish.bind.reg = 0
	}
	outcome, err = r.apply(d, agent, wish, req, src)
	if err != nil {
		return refusal(req, err), err.outcome
	}
	if outcome == registerStale {
		return r.challenge(req, agent, true), outcome
	}
	return r.registered(req, agent, &wish, src), outcome
}

// namesSIPS tells whether a REGISTER would have us call an address of sips.
func namesSIPS(req *sipmsg.Request) bool {
	return slices.ContainsFunc(req.GetHeaders(nameContact), func(h sipmsg.Header) bool {
		c, ok := h.(*sipmsg.ContactHeader)
		return ok && c.Address.Scheme == schemeSIPS
	})
}

// apply does what a REGISTER wishes, wholly or not at all. Where the agents were reloaded since it was judged by
// the directory d, it is registerStale: the phone has to show again who it is.
func (r *registrar) apply(d *directory, agent string, w wish, req *sipmsg.Request, src source) (outcome string, refused *refusedError) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.directory.Load() != d {
		return registerStale, nil
	}
	old, bound := r.bindings.get(agent, now)
	callID, cseq := req.CallID().Value(), req.CSeq().SeqNo
	removed := r.partingLocked(agent, &w, now)
	if w.bind == nil && len(removed) == 0 {
		return registerQueried, nil
	}
	changed := removed
	if w.bind != nil {
		changed = r.bindings.before(agent, w.instance, w.bind.reg)
	}
	for _, b := range changed {
		if b.expires.After(now) && b.callID == callID && cseq <= b.cseq {
			return "", &refusedError{
				code: sipmsg.StatusInternalServerError, reason: "CSeq Out Of Order", outcome: registerOutOfOrder,
			}
		}
	}
	if bound {
		by := session{callID: callID, instance: w.instance, source: src.addr}
		switch {
		case w.bind != nil:
			by.contact = w.bind.display
		case !w.all: // the phone knows the contact: it says it is its own
			by.contact = removed[0].display
		}
		if err := r.contestLocked(old, &by, src.shown()); err != nil {
			return "", err
		}
	}
	for _, b := range removed {
		r.bindings.remove(b)
	}
	if w.bind == nil {
		r.unregisteredLocked(agent, removed)
		return registerRemoved, nil
	}
	b := w.bind
	b.agent, b.instance, b.callID, b.cseq = agent, w.instance, callID, cseq
	b.expires, b.nextPing = now.Add(w.lasts), now.Add(r.o.pingEvery)
	b.flow.transport, b.flow.source, b.flow.takes, b.flow.local = src.transport, src.addr, src.takes, src.local
	b.flow.proxied = proxied(req)
	b.since = now
	if bound {
		b.succeed(old)
	}
	if bound && !old.lost {
		b.since = old.since
	} else {
		r.holdLocked(agent) // it may have been at another node
	}
	r.bindings.put(b)
	r.changedLocked(agent)
	return r.entered(b, old), nil
}

// partingLocked are the bindings of an agent that a wish removes.
func (r *registrar) partingLocked(agent string, w *wish, now time.Time) []*binding {
	var out []*binding
	for _, b := range r.bindings.byAgent[agent] {
		if b.expires.After(now) && w.removes(b) {
			out = append(out, b)
		}
	}
	return out
}

// unregisteredLocked tells of bindings that were removed as their phone wished.
func (r *registrar) unregisteredLocked(agent string, removed []*binding) {
	line := "agent's phone unregistered"
	if len(r.bindings.byAgent[agent]) > 0 {
		line = "a flow of the agent's phone unregistered"
	}
	r.o.logger.Info(line, zap.String("agent", agent), zap.Uint32("flow", removed[0].reg))
	r.changedLocked(agent)
}

// entered tells what a registration changed, and logs it; a mere refresh is not worth a line.
func (r *registrar) entered(b, old *binding) (outcome string) {
	log := r.o.logger.With(zap.String("agent", b.agent), zap.String("transport", b.flow.transport),
		zap.Stringer("source", b.flow.shown()))
	if old == nil {
		log.Info("agent's phone registered")
		return registerNew
	}
	switch mine, before := b.session(), old.session(); {
	case !mine.samePhone(&before):
		log.Warn("another phone took the agent's place", zap.Stringer("old", old.flow.shown()))
		return registerTakenOver
	case old.flow.serial == b.flow.serial:
	case b.reg != 0 && old.reg != b.reg && r.bindings.flow(b.agent, old.flow.serial) != nil:
		log.Info("agent's phone has another flow", zap.Uint32("flow", b.reg), zap.Stringer("beside", old.flow.shown()))
	default:
		log.Info("agent's phone moved", zap.Stringer("old", old.flow.shown()))
	}
	return registerRefreshed
}
