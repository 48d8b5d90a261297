package sip

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"

	"hotline/call"
	"hotline/media"
)

// ringThrough is Ring for a phone that is registered at another node: the INVITE goes there, to be admitted by the gate.
func (u *UA) ringThrough(ctx context.Context, r call.RingRequest) (call.Leg, error) {
	edge := parsePeer(r.Claim.Via)
	if !edge.IsValid() {
		u.log.Error("node with no address to ring through", zap.String("edge", string(r.Claim.Edge)), zap.String("address", r.Claim.Via))
		return nil, &call.RingError{Why: call.CauseUnreachable, At: time.Now()}
	}
	select {
	case <-u.site.reading:
	case <-ctx.Done():
		return nil, &call.RingError{Why: withdrawnFor(ctx), At: time.Now()}
	case <-u.ctx.Done():
		return nil, &call.RingError{Why: call.CauseUnreachable, At: time.Now()}
	}
	u.site.peers.met(edge.Addr())
	h := hop{transport: transportUDP, dest: edge.String(), ours: u.site.door.bound}
	from, to, headers := u.shown(&r, h)
	l, err := u.invite(ctx, outgoing{
		target: sipmsg.Uri{Scheme: schemeSIP, User: r.Agent, Host: edge.Addr().String(), Port: int(edge.Port())},
		from:   from, to: to, headers: headers, hop: h, agent: r.Agent, call: r.CallID, claim: r.Claim, relayed: true,
		media:    media.StreamOptions{Prefer: r.Prefer, Secure: u.registrar.security(r.Agent)},
		progress: r.Progress, redirect: func(to sipmsg.Uri) bool { return to.Scheme == schemeSIP }, // whether it is a line, the edge knows
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// gated tells whether the leg of a ring is of the gate here.
func (r *ringing) gated() bool { return r.o.claim != nil && !r.o.relayed && r.ua.site != nil }

// claimed has an INVITE, ready to leave, bear the claim that it is made by, or asks the gate for it where the phone is
// here. Errors: a gateError.
func (r *ringing) claimed(req *sipmsg.Request) error {
	c := r.o.claim
	if c == nil || r.ua.site == nil {
		return nil
	}
	o := &r.ua.site.o
	req.AppendHeader(sipmsg.NewHeader("Expires", wholeSeconds(o.Expires)))
	if r.o.relayed {
		left := min(time.Until(c.Until), withinMost)
		if left < time.Millisecond {
			return gateError{verdict: call.GateLate}
		}
		via := req.Via()
		h := claimHeader{
			token: c.Token, edge: c.Edge, owner: c.Owner, call: r.o.call, within: left.Truncate(time.Millisecond),
			dialog: r.d.CallID, tag: r.d.LocalTag, seq: req.CSeq().SeqNo, agent: r.o.agent, sentBy: via.SentBy(),
		}
		req.AppendHeader(sipmsg.NewHeader(headerClaim, h.signed(o.Secret)))
		return nil
	}
	leg := call.GateLeg{Dialog: r.d.CallID, Call: r.o.call, Owner: c.Owner, Token: c.Token}
	_, highest, v := r.ua.registrar.admit(r.o.agent, leg, req.CSeq().SeqNo, c.Until)
	r.ua.metrics.gated(string(v))
	if v != call.GateOpen {
		return gateError{verdict: v, highest: highest}
	}
	return nil
}

// guarded keeps an INVITE with a claim from leaving after its deadline. What it returns tells whether it has left.
func (r *ringing) guarded(tx *sipmsg.ClientTx) (left func() bool) {
	if r.o.claim == nil || r.ua.site == nil {
		return func() bool { return true }
	}
	branch := tx.Origin().Via().Params.GetOr("branch", "")
	g := r.ua.guards.put(branch, r.o.claim.Until)
	tx.OnTerminate(func(string, error) { r.ua.guards.drop(branch) })
	return g.sent.Load
}

// signalled tells the stream where a phone at another node is, whose audio comes from there where it is behind NAT.
func (r *ringing) signalled(res *sipmsg.Response) {
	h := res.GetHeader(headerSource)
	s, ok := r.stream.(interface{ Signalled(from netip.Addr) })
	if !ok || h == nil || !r.o.relayed {
		return
	}
	if from, err := netip.ParseAddr(h.Value()); err == nil {
		s.Signalled(from)
	}
}

// settle tells the gate that the ring is over: the phone has said so, or its time is over, or nothing has left.
func (r *ringing) settle() {
	if r.gated() {
		r.ua.registrar.overLeg(r.o.agent, r.d.CallID)
	}
}

// settleLater is settle when a phone that can be told nothing has given up.
func (r *ringing) settleLater() {
	if !r.gated() {
		return
	}
	begun := r.ua.background("gate", func() {
		t := time.NewTimer(ackWithin * r.ua.o.T1)
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.ua.patience.Done():
		}
		r.settle()
	})
	if !begun {
		r.settle()
	}
}

// dismissed waits for what dismiss returned, where there is a claim.
func (r *ringing) dismissed(answered <-chan bool) (sure bool) {
	if r.o.claim == nil {
		return true
	}
	if answered == nil {
		return false
	}
	return <-answered // a BYE has its end in 64·T1
}

// giveUp has a ring be taken back, from whatever goroutine.
func (r *ringing) giveUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case r.allLost <- struct{}{}:
	default: // it is on its way
	}
}

// refusedBy is the end of a ring by a refusal: the phone's, or that of the node it is registered at.
func (r *ringing) refusedBy(res *sipmsg.Response, at time.Time) error {
	e := &call.RingError{Why: causeOf(res.StatusCode), Code: res.StatusCode, At: at}
	r.mute(res)
	if r.o.claim == nil {
		return e
	}
	e.Unsure = res.StatusCode == sipmsg.StatusRequestTimeout // of somebody on the way
	if !r.o.relayed {
		return e
	}
	if h := res.GetHeader(headerHighest); h != nil {
		e.Why = call.CauseTaken
		if t, err := call.ParseToken(h.Value()); err == nil {
			e.Above = t
		}
		return e
	}
	if h := res.GetHeader(headerRefused); h != nil {
		e.Why = call.CauseUnreachable
		r.ua.limited(zap.ErrorLevel, "INVITE refused by the node of the agent's phone", zap.String("agent", r.o.agent),
			zap.String("edge", string(r.o.claim.Edge)), zap.Int("code", res.StatusCode), zap.String("why", h.Value()[:min(len(h.Value()), len("malformed"))]))
	}
	return e
}

// gateError is an INVITE that the gate here did not admit.
type gateError struct {
	verdict call.GateVerdict
	highest call.Token
}

func (e gateError) Error() string { return fmt.Sprintf("sip: INVITE not admitted: %s", e.verdict) }

// ring is the same as the end of a ring.
func (e gateError) ring() error {
	out := &call.RingError{Why: call.CauseTaken, At: time.Now(), Above: e.highest}
	if e.verdict == call.GateLate || e.verdict == call.GateGone {
		out.Why, out.Above = call.CauseUnreachable, call.Token{}
	}
	return out
}

// Settled is closed, after the leg's context has ended, once the next INVITE for its phone may leave. In a site that is when
// its dialog is over: its last request, a BYE of either side, has had its answer, or has had the time for it, which is longer
// where the phone's node is dead (see [leg.Reroute]). On a node alone it is when the BYE has left: what follows it comes later
// at the phone, which is the only thing to wait for there.
func (l *leg) Settled() <-chan struct{} { return l.settled }

// legGone tells whoever waits for it of a leg whose dialog is over, the gate before all.
func (u *UA) legGone(l *leg) {
	if !l.over.CompareAndSwap(false, true) {
		return
	}
	defer close(l.settled)
	if u.site != nil && l.agent != "" && !l.relayed {
		u.registrar.overLeg(l.agent, callIDOf(l.key))
	}
}
