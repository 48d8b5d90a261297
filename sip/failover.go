package sip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"

	"hotline/call"
)

// TrunkShare is a trunk among those that share the calls of one kind of number.
type TrunkShare struct {
	// Trunk is the name of one of Options.Trunks, which must have Out.
	Trunk string
	// Weight is its part of the calls, among those it shares them with; at least 1.
	Weight int
}

// share is a TrunkShare whose trunk is found.
type share struct {
	trunk  *trunk
	weight int
}

// groups are the trunks of a rule: those of the first group share the calls, those of the next get what the first do not
// take.
func (r *DialRule) groups(t *trunks) ([][]share, error) {
	through := r.Through
	if len(through) == 0 {
		through = [][]TrunkShare{{{Trunk: r.Trunk, Weight: 1}}}
	}
	var out [][]share
	for _, group := range through {
		var shares []share
		for _, s := range group {
			i := slices.IndexFunc(t.list, func(one *trunk) bool { return one.name == s.Trunk && one.out != nil })
			if i < 0 {
				return nil, fmt.Errorf("dial %s: no trunk %q to call out by", r.Prefix, s.Trunk)
			}
			if s.Weight < 1 {
				return nil, fmt.Errorf("dial %s: trunk %q has a weight of %d, less than 1", r.Prefix, s.Trunk, s.Weight)
			}
			shares = append(shares, share{t.list[i], s.Weight})
		}
		out = append(out, shares)
	}
	return out, nil
}

// order is the trunks of a rule as one call tries them: group by group, within a group by lot in which each weighs as much
// as it has left (RFC 2782), and those that are known to be down last. They are tried all the same: the ping may be wrong.
func order(groups [][]share, at time.Time) []*trunk {
	var out, down []*trunk
	for _, group := range groups {
		left := slices.Clone(group)
		for len(left) > 0 {
			total := 0
			for _, s := range left {
				total += s.weight
			}
			lot := rand.IntN(total) //nolint:gosec // spreads load, guards nothing
			i := slices.IndexFunc(left, func(s share) bool { lot -= s.weight; return lot < 0 })
			if t := left[i].trunk; t.down(at) {
				down = append(down, t)
			} else {
				out = append(out, t)
			}
			left = slices.Delete(left, i, i+1)
		}
	}
	return append(out, down...)
}

// down reports whether a trunk is known to take no calls: it does not answer, or we should be registered there and are not.
func (t *trunk) down(at time.Time) bool {
	if t.ping != nil && t.ping.seen.Load() == trunkDown {
		return true
	}
	if t.reg == nil {
		return false
	}
	now := t.reg.snapshot(at).now
	return now == RegistrationRefused || now == RegistrationUnreachable
}

// silentWithin is how long a trunk may leave an INVITE without any response before the next is tried, in T1: four sendings
// over UDP. The only one, or the last that has room for a call, has the whole time of RFC 3261 section 17.1.1.2.
const silentWithin = 8

// dialBy tries trunks in order until one takes the call, or says what the person called, or their phone, says: that is
// no reason to ring them by another. Nobody is rung twice. The call may last for longest, if that is not 0. The error is a
// *call.RingError: of the last trunk that was tried, if any had room. Each try is audited.
func (u *UA) dialBy(ctx context.Context, trunks []*trunk, r call.DialRequest, longest time.Duration) (*leg, error) {
	rang := noteRinging(&r)
	var failed error = &call.RingError{Why: call.CauseForbidden, At: time.Now()} // there is no room
	for i, t := range trunks {
		free, ok := t.calls.take(t.maxCalls, false)
		if !ok {
			u.audit(r, t.name, dialMaxCalls)
			continue
		}
		var within time.Duration
		if slices.ContainsFunc(trunks[i+1:], (*trunk).hasRoom) { // else there is nobody to hurry for
			within = silentWithin * u.o.T1
		}
		l, err := u.dialIn(ctx, t, r, within, free)
		if err == nil {
			u.audit(r, t.name, dialAnswered)
			u.bound(l, t, r, longest)
			return l, nil
		}
		failed = err
		why, next := call.CauseError, false
		if e, ok := errors.AsType[*call.RingError](err); ok {
			why, next = e.Why, !rang.Load() && carriersFault(e)
		}
		u.audit(r, t.name, string(why))
		if !next || ctx.Err() != nil {
			return nil, err
		}
	}
	return nil, failed
}

// dialIn is dial within a place for the call, which is freed when the leg ends, or when there is none.
func (u *UA) dialIn(ctx context.Context, t *trunk, r call.DialRequest, within time.Duration, free func()) (l *leg, err error) {
	defer func() { // also after a fault on the way
		if l == nil {
			free()
		}
	}()
	if l, err = u.dial(ctx, t, r, within); err != nil {
		return nil, err
	}
	context.AfterFunc(l.ctx, free) //nolint:contextcheck // for as long as the leg lives
	return l, nil
}

// carriersFault reports whether a call failed by the trunk, and not by whom it was to reach: nothing answered, or a
// failure of a server (5xx) or of our account there.
func carriersFault(e *call.RingError) bool {
	switch e.Code {
	case 0:
		return e.Why == call.CauseUnreachable
	case sipmsg.StatusUnauthorized, sipmsg.StatusProxyAuthRequired, sipmsg.StatusRequestTimeout:
		return true
	}
	return e.Code >= sipmsg.StatusInternalServerError && e.Code < sipmsg.StatusGlobalBusyEverywhere
}
