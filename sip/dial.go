package sip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"

	"hotline/call"
	"hotline/media"
)

var _ call.Dialer = (*UA)(nil)

// What became of a number to be called, where it was not the other side's doing; otherwise it is the
// call.Cause. A metric's label, so a closed set.
const (
	dialAnswered = "answered"
	dialNoRule   = "no-rule"
	dialHours    = "hours"
	dialRate     = "per-minute"
	dialAtOnce   = "at-once"
	dialMaxCalls = "max-calls" // of the trunk
)

// Dial implements call.Dialer: it calls a number outside, if a rule allows it, through that rule's trunk, or one of them. Every try is
// logged, as all that costs money is. A call counts against its rule until its leg ends.
func (u *UA) Dial(ctx context.Context, r call.DialRequest) (call.Leg, error) {
	rule := u.plan().dials.find(r.Number)
	if rule == nil {
		return nil, u.notDialled(r, "", dialNoRule)
	}
	ways := order(rule.ways, time.Now())
	free, refused := rule.take(time.Now())
	if refused != "" {
		return nil, u.notDialled(r, ways[0].name, refused)
	}
	var l *leg
	defer func() { // also after a fault on the way
		if l == nil {
			free()
		}
	}()
	l, err := u.dialBy(ctx, ways, r)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(l.ctx, free) //nolint:contextcheck // for as long as the leg lives
	return l, nil
}

// MayDial reports whether a number may be called by the dial rules: ever, and by the clock now. The bounds of the
// moment are not looked at.
func (u *UA) MayDial(number string) (ever, now bool) {
	rule := u.plan().dials.find(number)
	if rule == nil {
		return false, false
	}
	return true, rule.Hours.has(time.Now())
}

// notDialled audits a try that the rules refuse.
func (u *UA) notDialled(r call.DialRequest, trunk, outcome string) error {
	u.audit(r, trunk, outcome)
	return &call.RingError{Why: call.CauseForbidden, At: time.Now()}
}

// audit writes down what became of one try.
func (u *UA) audit(r call.DialRequest, trunk, outcome string) {
	u.metrics.dialled.WithLabelValues(trunk, outcome).Inc()
	u.log.Info("number outside dialled", zap.String("number", masked(r.Number)), zap.String("agent", r.Agent),
		zap.String("call", r.CallID), zap.String("trunk", trunk), zap.String("outcome", outcome))
}

// dial calls a number through a trunk, which has to answer something within a time, or as RFC 3261 has it where that is 0.
// The error is a *call.RingError.
func (u *UA) dial(ctx context.Context, t *trunk, r call.DialRequest, within time.Duration) (*leg, error) {
	h, err := u.wayOut(ctx, t)
	if err != nil {
		u.log.Warn("trunk not reached", zap.String("trunk", t.name), zap.Error(err))
		why := call.CauseUnreachable
		if ctx.Err() != nil {
			why = withdrawnFor(ctx)
		}
		return nil, &call.RingError{Why: why, At: time.Now()}
	}
	host, port := t.out.hostPort()
	from := sipmsg.Uri{Scheme: schemeSIP, User: t.out.From, Host: u.selfAt(h).Addr().String()}
	to := sipmsg.Uri{Scheme: schemeSIP, User: t.numbering.dialled(r.Number), Host: host}
	target := to
	target.Port = int(port)
	if name := transportParam(h.transport); name != "" {
		target.UriParams.Add("transport", name)
	}
	us, sent := nameAddr("", &from), time.Now()
	return u.invite(ctx, outgoing{
		target: target, from: us, to: nameAddr("", &to), hop: h, call: r.CallID,
		// Our own number: what the caller's phone said of theirs is theirs (RFC 3325 section 5).
		headers:  []sipmsg.Header{sipmsg.NewHeader("P-Asserted-Identity", us)},
		media:    media.StreamOptions{Signalling: parsePeer(h.dest).Addr(), Prefer: r.Prefer, Codecs: t.codecs, Secure: t.secure},
		progress: r.Progress, authorize: authorizeAs(t.out.Username, t.out.Password), within: within,
		failed: func() { u.unanswered(h, sent) },
	})
}

// lookUpWithin bounds the look-up of a trunk's name.
const lookUpWithin = 5 * time.Second

// errNoListener: no listener of ours speaks the trunk's transport and kind of address.
var errNoListener = errors.New("sip: no listener of the trunk's transport")

// wayOut is the way to a trunk: an address of its host, and which of our sockets goes there.
func (u *UA) wayOut(ctx context.Context, t *trunk) (hop, error) {
	host, port := t.out.hostPort()
	addrs, err := lookUp(ctx, host)
	if err != nil {
		return hop{}, fmt.Errorf("look up trunk %s: %w", t.name, err)
	}
	to := aim{t.name, t.out.Network, host, port}
	u.aims.set(to, addrs)
	err = errNoListener
	for _, a := range addrs {
		h, ok := u.wayTo(t.out.Network, netip.AddrPortFrom(a, port))
		if !ok {
			continue
		}
		t.at.Store(&a)
		if err = u.secures(ctx, to, h); err == nil {
			return h, nil
		}
	}
	return hop{}, fmt.Errorf("reach trunk %s: %w", t.name, err)
}
