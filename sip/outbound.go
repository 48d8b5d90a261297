package sip

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"strings"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"
)

// Flows of RFC 5626. A phone that says so has several at once: it registers over each, with one instance and a number that
// tells them apart. It is one phone all the same, which rings once, by the flow that came last, and by the next at once when
// that one fails: its connection is closed, the INVITE cannot be written, somebody on the way says so (430, 408), or the
// transaction is over without a response. By a flow that is merely silent the phone may ring yet, and by two at once it would
// refuse the one for the other's sake; so the ring waits there, and once it is taken back the flow is asked whether it lives,
// which the next ring does not have to find out. It is offline when none is left, and it is one phone in a site's book. A phone that does not, or whose
// REGISTER came through a proxy, has one flow, and the next takes its place: Path (RFC 3327), by which a flow would be
// found behind a proxy, is not spoken, and the response, without Require, says so.

// flowNumber reads a contact's reg-id (RFC 5626 section 11.1.1: from 1 to 2^31 - 1); 0: there is none that counts.
func flowNumber(params sipmsg.HeaderParams, instance string) uint32 {
	const bits = 31
	n, err := strconv.ParseUint(param(params, "reg-id"), 10, bits)
	if err != nil || instance == "" || strings.ContainsAny(instance, `"\`) { // it stands between quotes in our response
		return 0
	}
	return uint32(n)
}

// asksOutbound tells whether the number of a flow in a REGISTER counts (RFC 5626 section 6).
func asksOutbound(req *sipmsg.Request) bool {
	asks := among(optionTags(req, "supported"), optionOutbound) || requires(req, optionOutbound)
	return asks && !proxied(req) && count(req, "path") == 0
}

// flowTo is the flow by which an agent's phone is to be reached, of those that were not tried.
func (u *UA) flowTo(agent string, tried ...uint64) (flow, bool) {
next:
	for _, f := range u.registrar.ways(agent) {
		for _, serial := range tried {
			if f.serial == serial {
				continue next
			}
		}
		if !reliable(f.transport) || u.conns.alive(f.transport, f.source) {
			return f, true
		}
	}
	return flow{}, false
}

// by has a ring go by a flow of the agent's phone.
func (o *outgoing) by(u *UA, f flow) {
	o.target, o.hop, o.redirect = f.contact, hopOfFlow(f), f.isLine
	o.failed = func() { u.registrar.failed(o.agent, f) }
	o.doubted = func() { u.registrar.doubt(o.agent, f) }
	o.current = func() bool { return u.registrar.current(o.agent, f) }
	o.tried = append(o.tried, f.serial)
}

// byAnother sends the INVITE by another flow of the phone, when that by which it was sent has failed before anything was heard
// of the phone itself (RFC 5626 section 7). It is the same ring, to the gate as well. False: there is no other, or it was not
// sent. Errors: a gateError, of which the flow is innocent.
func (r *ringing) byAnother(ctx context.Context) (bool, error) {
	for len(r.o.tried) > 0 && !r.heard && ctx.Err() == nil && r.ua.ctx.Err() == nil {
		f, ok := r.ua.flowTo(r.o.agent, r.o.tried...)
		if !ok {
			return false, nil
		}
		r.o.failed()
		if r.tx != nil {
			r.tx.Terminate() // what comes of it has no way any more
		}
		if err := r.hearsBy(f); err != nil {
			r.ua.log.Warn("no stream to ring by another flow with", zap.Error(err))
			return false, nil
		}
		r.ua.log.Info("phone rung by another flow", zap.String("agent", r.o.agent), zap.Stringer("source", f.shown()))
		r.o.by(r.ua, f)
		r.d.Target, r.d.Transport, r.d.Peer, r.d.Ours = f.contact.String(), f.transport, f.source, f.local
		r.d.SIPS = r.o.hop.sips
		err := r.send(ctx)
		if err == nil {
			return true, nil
		}
		r.ua.log.Info("INVITE not sent", zap.Error(err))
		if refused, ok := errors.AsType[gateError](err); ok {
			return false, refused
		}
	}
	return false, nil
}

// hearsBy has the ring's stream be for a flow: what it offers is an address that the phone can send to that way, which is another
// where the flow is another listener's, or of another family. Errors: as anew's.
func (r *ringing) hearsBy(f flow) error {
	r.o.media.Signalling = f.source.Addr()
	if h := hopOfFlow(f); r.ua.audioAt(h, nil) != r.told {
		return r.anew(h)
	}
	if s, ok := r.stream.(interface{ Signalled(from netip.Addr) }); ok {
		s.Signalled(f.source.Addr())
	}
	return nil
}

// goOn has the ring go on by another flow, or else end as the gate has it, or over. The error is a *call.RingError.
func (r *ringing) goOn(ctx context.Context, over func() error) error {
	on, err := r.byAnother(ctx)
	if refused, ok := errors.AsType[gateError](err); ok {
		r.settle()
		return refused.ring()
	}
	if !on {
		return over()
	}
	r.loss = r.lost()
	return nil
}

// ofFlow tells whether a refusal is of the flow, by somebody on the way, and not of the phone.
func ofFlow(res *sipmsg.Response) bool {
	return res.StatusCode == statusFlowFailed || res.StatusCode == sipmsg.StatusRequestTimeout
}

// spares tells whether the phone has another flow than those that were tried.
func (r *ringing) spares() bool {
	if len(r.o.tried) == 0 {
		return false
	}
	_, ok := r.ua.flowTo(r.o.agent, r.o.tried...)
	return ok
}
