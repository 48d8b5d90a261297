package sip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
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
	dialForeign  = "foreign"   // a transfer to another's host
	dialTooLong  = "too-long"  // after it was answered: we hung up
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
	l, err := u.dialBy(ctx, ways, r, rule.Longest)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(l.ctx, free) //nolint:contextcheck // for as long as the leg lives
	return l, nil
}

// bound hangs up a leg that has lasted for so long, if that is not 0.
func (u *UA) bound(l *leg, t *trunk, r call.DialRequest, longest time.Duration) {
	if longest == 0 {
		return
	}
	timer := time.AfterFunc(longest, func() {
		u.background("longest", func() {
			if l.ctx.Err() == nil {
				u.audit(r, t.name, dialTooLong)
				l.Hangup(call.CauseExpired)
			}
		})
	})
	context.AfterFunc(l.ctx, func() { timer.Stop() })
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

// notOutside audits what an agent's phone dialled, or referred somebody to, that leads nowhere and may have been meant for
// outside: anything that is no name.
// within is the call that it was done in; "": none.
func (u *UA) notOutside(agent, user, within, outcome string) {
	if user != "" && strings.Trim(user, "+0123456789*#-._") == "" {
		u.audit(call.DialRequest{Number: user, Agent: agent, CallID: within}, "", outcome)
	}
}

// notDialled audits a try that the rules refuse.
func (u *UA) notDialled(r call.DialRequest, trunk, outcome string) error {
	u.audit(r, trunk, outcome)
	return &call.RingError{Why: call.CauseForbidden, At: time.Now()}
}

// audit writes down what became of one try.
func (u *UA) audit(r call.DialRequest, trunk, outcome string) {
	u.metrics.dialled.WithLabelValues(trunk, outcome).Inc()
	call.Audit(u.log).Info("number outside dialled", zap.String("number", masked(r.Number)), zap.String("agent", r.Agent),
		zap.String("call", r.CallID), zap.String("trunk", trunk), zap.String("outcome", outcome))
}

// dial calls a number through a trunk: at the first of its addresses, and at the next where that does not serve and nothing has
// rung (RFC 3263 section 4.3). Where another trunk follows they share the time that is given; else, where that is 0, each has
// silentWithin while there is another, and the last as long as RFC 3261 has it. The error is a *call.RingError.
func (u *UA) dial(ctx context.Context, t *trunk, r call.DialRequest, within time.Duration) (*leg, error) {
	looking, found := ctx, func() {}
	if within > 0 {
		looking, found = context.WithTimeout(ctx, within)
	}
	ways, err := u.waysOut(looking, t)
	found()
	if err != nil {
		return nil, u.notReached(ctx, t, err)
	}
	rang := noteRinging(&r)
	ways = ways[:min(len(ways), waysMost(within))]
	for i, h := range ways {
		last, wait := i+1 == len(ways), silentWithin*u.o.T1
		if within > 0 {
			wait = within / time.Duration(len(ways))
		} else if last {
			wait = 0
		}
		l, err := u.dialAt(ctx, t, r, h, wait)
		if err == nil {
			return l, nil
		}
		failed, _ := errors.AsType[*call.RingError](err)
		if last || rang.Load() || ctx.Err() != nil || failed == nil || !addressFault(failed) {
			return nil, err
		}
	}
	return nil, u.notReached(ctx, t, errNoListener)
}

// noteRinging has it noted when a call is told of as ringing, and returns where.
func noteRinging(r *call.DialRequest) *atomic.Bool {
	var rang atomic.Bool
	tell := r.Progress
	r.Progress = func(code int, at time.Time) {
		rang.Store(true)
		if tell != nil {
			tell(code, at)
		}
	}
	return &rang
}

// waysMost is how many addresses of a trunk one call is tried at: two where another trunk follows, which somebody waits for. The
// next call begins behind those that were silent.
func waysMost(within time.Duration) int {
	const hurried, only = 2, 4
	if within > 0 {
		return hurried
	}
	return only
}

// addressFault reports whether another address of a carrier may serve where this one did not. One that does not take our
// password says what all of them would.
func addressFault(e *call.RingError) bool {
	return carriersFault(e) && e.Code != sipmsg.StatusUnauthorized && e.Code != sipmsg.StatusProxyAuthRequired
}

// notReached tells that there is no way to a trunk, or to one of its addresses.
func (u *UA) notReached(ctx context.Context, t *trunk, err error) error {
	u.log.Warn("trunk not reached", zap.String("trunk", t.name), zap.Error(err))
	why := call.CauseUnreachable
	if ctx.Err() != nil {
		why = withdrawnFor(ctx)
	}
	return &call.RingError{Why: why, At: time.Now()}
}

// getsTo returns when there is a way by h for what goes to a trunk: at once over UDP, else when a connection is open, and believed
// where it is secured. within, if not 0, is how long that may take: what is under way then goes on, for whoever comes next.
func (u *UA) getsTo(ctx context.Context, to aim, h hop, within time.Duration) error {
	if within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, within)
		defer cancel()
	}
	if h.transport == transportTCP {
		return u.outward.connect(ctx, flowKey{h.transport, parsePeer(h.dest)}, to, to.host)
	}
	return u.secures(ctx, to, h)
}

// restLeast is what share of an address's time must be left for the INVITE once there is a connection: one that is given up as
// soon as it has left would ring somebody whom the next address rings as well.
const restLeast = 4

// errSlow: a connection took nearly all the time that an address had.
var errSlow = errors.New("sip: connection came too late for a call")

// dialAt is dial at one address: within, if not 0, is all the time that it may be silent for, the making of a connection included.
func (u *UA) dialAt(ctx context.Context, t *trunk, r call.DialRequest, h hop, within time.Duration) (*leg, error) {
	host, port := t.out.hostPort()
	at, where := parsePeer(h.dest).Addr(), aim{t.name, t.out.Network, host, port}
	t.at.add(at, calledMost)
	began, heard := time.Now(), false
	if err := u.getsTo(ctx, where, h, within); err != nil {
		if ctx.Err() == nil {
			u.hosts.silent(host, at)
		}
		return nil, u.notReached(ctx, t, fmt.Errorf("reach trunk %s: %w", t.name, err))
	}
	to := sipmsg.Uri{Scheme: schemeSIP, User: t.numbering.dialled(r.Number), Host: cmp.Or(t.out.Domain, host)}
	target := to
	target.Port = int(port)
	target = inDomain(t.out.Domain, target, t.out.Network)
	from, headers := t.presented(r, cmp.Or(t.out.Domain, u.selfAt(h).Addr().String()))
	if within > 0 {
		rest := within - time.Since(began)
		if rest < within/restLeast {
			u.hosts.silent(host, at)
			return nil, u.notReached(ctx, t, fmt.Errorf("reach trunk %s: %w", t.name, errSlow))
		}
		within = rest
	}
	l, err := u.inviteLarge(ctx, outgoing{
		target: target, from: from, to: nameAddr("", &to), hop: h, call: r.CallID, headers: headers,
		media:    media.StreamOptions{Signalling: at, Prefer: r.Prefer, Codecs: t.codecs, Secure: t.secure},
		progress: r.Progress, authorize: t.authority(h), within: within, heard: func() { heard = true },
		secure: func(ctx context.Context) error { return u.getsTo(ctx, where, h, 0) }, // ctx is bounded
	})
	failed, _ := errors.AsType[*call.RingError](err)
	if failed != nil && noSuchNumber(failed.Code) {
		failed.Why = call.CauseNotFound
	}
	switch {
	case failed != nil && carriersFault(failed), !heard && time.Since(began) >= silentWithin*u.o.T1:
		u.hosts.silent(host, at) // another of its addresses is tried first from now on
	case heard:
		u.hosts.answered(host, at)
	}
	if t.reg != nil && doubtful(failed) {
		t.reg.doubt(time.Now())
	}
	return l, err
}

// errNoListener: no listener of ours speaks the trunk's transport and kind of address.
var errNoListener = errors.New("sip: no listener of the trunk's transport")

// waysOut are the ways to a trunk, one at least: to each address of its host, beginning where it has answered, by that of our
// sockets which goes there.
func (u *UA) waysOut(ctx context.Context, t *trunk) ([]hop, error) {
	host, port := t.out.hostPort()
	addrs, err := u.hosts.lookUp(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("look up trunk %s: %w", t.name, err)
	}
	u.aims.set(aim{t.name, t.out.Network, host, port}, addrs)
	var ways []hop
	for _, a := range addrs {
		if h, ok := u.wayTo(t.out.Network, netip.AddrPortFrom(a, port)); ok {
			ways = append(ways, h)
		}
	}
	if len(ways) == 0 {
		return nil, fmt.Errorf("reach trunk %s: %w", t.name, errNoListener)
	}
	return ways, nil
}
