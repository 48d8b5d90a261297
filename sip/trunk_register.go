package sip

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"
)

// TrunkRegister is how we make ourselves known to a trunk's carrier, which then sends its calls to where we
// registered from (RFC 3261 section 10.2).
type TrunkRegister struct {
	// Network and Address are the registrar's, as in TrunkOut. All addresses that its name has are the trunk's:
	// calls from there are its calls.
	Network, Address string
	// Username and Password answer the registrar's challenge: MD5, SHA-256 or SHA-512-256 (RFC 8760).
	Username, Password string
	// User and Domain are the address-of-record's; empty: Username, and the host of Address. A carrier of an IMS has a private
	// identity for the one and a public one for the other (3GPP TS 23.228 section 4.3.3), and Address is its border's alone.
	User, Domain string
	// Expires is what is asked for, in whole seconds; the registrar may grant less, or want more (423).
	Expires time.Duration
	// Refresh is how long at most a registration is left as it is, however long it was granted for; 0: until shortly before its
	// end. Over UDP nothing tells that a carrier restarted between two requests, and has forgotten us.
	Refresh time.Duration
}

// States of a registration.
const (
	RegistrationTrying      = "trying"      // nothing has been answered yet
	RegistrationUp          = "registered"  // the carrier has our address, until TrunkState.Until
	RegistrationRefused     = "refused"     // the carrier answered, and does not have it
	RegistrationUnreachable = "unreachable" // nothing answered, or there is no way there
)

// What became of a REGISTER of ours; a metric's label, with RegistrationRefused and RegistrationUnreachable.
const (
	trunkRegistered   = "registered"
	trunkRefreshed    = "refreshed"
	trunkUnregistered = "unregistered"
)

// When a REGISTER that failed is sent again: the form is that of RFC 5626 section 4.5, the times are ours. A carrier
// that is dead keeps emergencies away, so it is tried oftener than that has it; one that says no knows us, and may ban
// who asks too often.
const (
	silentBase, silentMost   = 2 * time.Second, time.Minute
	refusedBase, refusedMost = 30 * time.Second, 10 * time.Minute
)

// registerWithin is how long one address of the registrar may be silent before the next is tried, in T1: five
// sendings over UDP.
const registerWithin = 16

// refreshBefore is how long before its end a long registration is refreshed; a shorter one than twice that at its half
// (3GPP TS 24.229 section 5.1.1.4.1).
const refreshBefore = 600 * time.Second

// registration is the binding at one trunk's carrier. It outlives a reload that leaves TrunkRegister as it is.
type registration struct {
	ua   *UA
	name string
	o    TrunkRegister
	user string // of our Contact: whoever calls that was told it by the carrier

	stop context.CancelFunc // nil until it runs; registrations.mu guards it
	done chan struct{}      // closed when run has ended
	anew chan struct{}      // has a token when the carrier may have forgotten us

	hosts   atomicAddrs // of the registrar
	bound   atomic.Pointer[grantedBy]
	doubted atomic.Pointer[time.Time] // when it was last; see doubt
	asked   atomicDemand              // how it challenges

	mu    sync.Mutex
	state registrationState

	// What follows is run's own.
	ask      func(ctx context.Context) (time.Duration, *sipmsg.Response, error) // register, but for tests of run
	d        dialog                                                             // not a real one, as a Phone's
	auth     phoneAuth
	expires  time.Duration            // asked for: more than o.Expires after a 423
	lapses   time.Time                // until when the carrier may send us calls, whatever it has answered since
	rests    map[netip.Addr]time.Time // until when addresses of the registrar are left alone, as they want it
	failures int                      // in a row
	refusals int                      // of them, those by who knows us
	losses   int                      // how often it was made anew, without one that held for long, or until its refresh, between
	held     bool                     // it was there until due, and nobody doubted it
}

// registrationState is what others may know of a registration.
type registrationState struct {
	now   string
	until time.Time // of RegistrationUp
	code  int       // the last final status; 0 for none
}

func newRegistration(name string, o TrunkRegister) *registration {
	host, port := hostAndPort(o.Address)
	aor := sipmsg.Uri{Scheme: schemeSIP, User: cmp.Or(o.User, o.Username), Host: cmp.Or(o.Domain, host)}
	registrar := inDomain(o.Domain, sipmsg.Uri{Scheme: schemeSIP, Host: host, Port: int(port)}, o.Network)
	g := &registration{
		name: name, o: o, user: contactUser(name, o), done: make(chan struct{}), anew: make(chan struct{}, 1), expires: o.Expires,
		state: registrationState{now: RegistrationTrying},
		d: dialog{
			CallID: newID(), LocalTag: newID(), Local: nameAddr("", &aor), Remote: nameAddr("", &aor), Target: registrar.String(),
		},
		rests: make(map[netip.Addr]time.Time),
	}
	g.ask = g.register
	return g
}

// contactUser is the user of a registration's Contact. Nobody can make it up who does not know the password, since a
// call to it is taken for the trunk's wherever it comes from; and it is the same after a restart, so that the binding
// of a process that was killed is replaced, and the carrier does not ring both.
func contactUser(name string, o TrunkRegister) string {
	h := hmac.New(sha256.New, []byte(o.Password))
	for _, s := range []string{"hotline contact", name, o.Network, o.Address, o.Username} {
		h.Write(append([]byte(s), 0))
	}
	const length = 16 // octets
	return "t" + hex.EncodeToString(h.Sum(nil)[:length])
}

// secret is what a call to our Contact proves.
func (g *registration) secret() secret { return secretOf(g.user) }

// snapshot is the state as it is at an instant: a binding whose time is over is none.
func (g *registration) snapshot(at time.Time) registrationState {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.state
	if s.now == RegistrationUp && !at.Before(s.until) {
		s.now = RegistrationUnreachable
	}
	return s
}

// become takes a new state, and reports whether it is another one than before.
func (g *registration) become(s registrationState) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	changed := g.state.now != s.now
	g.state = s
	return changed
}

// run keeps the binding until ctx is done, and then takes it back. It begins when all of after are closed.
func (g *registration) run(ctx context.Context, after []<-chan struct{}) {
	defer close(g.done)
	for _, other := range after {
		select {
		case <-other:
		case <-ctx.Done():
			return
		}
	}
	select {
	case <-g.ua.reading:
	case <-ctx.Done():
		return
	}
	for ctx.Err() == nil {
		timer := time.NewTimer(g.again(ctx))
		g.await(ctx, timer.C)
		timer.Stop()
	}
	g.leave()
}

// again registers once, and returns when to do so next.
func (g *registration) again(ctx context.Context) time.Duration {
	before := g.snapshot(time.Now()).now
	granted, res, err := g.ask(ctx)
	if ctx.Err() != nil {
		return silentMost // run ends
	}
	log := g.ua.log.With(zap.String("trunk", g.name))
	if err == nil {
		g.failures, g.refusals, g.lapses = 0, 0, time.Now().Add(granted)
		if g.held {
			g.losses = 0
		}
		outcome := trunkRefreshed
		if g.become(registrationState{now: RegistrationUp, until: time.Now().Add(granted), code: res.StatusCode}) {
			outcome = trunkRegistered
			log.Info("trunk registered", zap.Duration("for", granted), zap.String("before", before))
		}
		g.ua.metrics.trunkRegister(g.name, outcome)
		if after := refreshAfter(granted); g.o.Refresh <= 0 || after < g.o.Refresh {
			return after
		}
		return g.o.Refresh
	}
	s := registrationState{now: RegistrationUnreachable}
	if refused, ok := errors.AsType[*StatusError](err); ok {
		s = registrationState{now: RegistrationRefused, code: refused.Code}
	}
	others, asked := g.failures, g.rest(time.Now())
	if s.final() {
		others, asked = g.refusals, retryHeader(res) // while it was away it refused nothing; and it speaks for all its addresses
		g.refusals++
		g.lapses = time.Time{}
	}
	g.failures++
	wait := max(retryAfter(s, others, rand.Float64()), asked) //nolint:gosec // spreads load, guards nothing
	g.become(s)
	g.bound.Store(nil)
	g.ua.metrics.trunkRegister(g.name, s.now)
	log.Warn("trunk not registered: the carrier sends no calls that need it", zap.String("state", s.now),
		zap.Int("code", s.code), zap.Error(err), zap.Duration("next_try", wait))
	return wait
}

// final tells whether it is the refusal of somebody who knows us.
func (s registrationState) final() bool { return s.now == RegistrationRefused && isFinal(s.code) }

// refreshAfter is when a binding is refreshed that was granted for so long.
func refreshAfter(granted time.Duration) time.Duration {
	if granted > 2*refreshBefore {
		return granted - refreshBefore
	}
	return granted / 2
}

// retryAfter is the wait after the failure that others in a row went before: a share, from a half to the whole, of an
// upper bound that doubles with each (RFC 5626 section 4.5). jitter is from 0 to 1.
func retryAfter(s registrationState, others int, jitter float64) time.Duration {
	base, most := silentBase, silentMost
	if s.final() {
		base, most = refusedBase, refusedMost
	}
	const doublings = 20 // after so many it is most, and a longer shift would be less
	bound := most
	if others < doublings {
		bound = min(most, base<<others)
	}
	return time.Duration(float64(bound) * (1 + jitter) / 2)
}

// retryHeader is how long a refusal asks to be left alone (RFC 3261 section 20.33), refusedMost at most; 0 for nothing.
func retryHeader(res *sipmsg.Response) time.Duration {
	if res == nil {
		return 0
	}
	h := res.GetHeader("retry-after")
	if h == nil {
		return 0
	}
	digits := h.Value()
	if i := slices.IndexFunc([]byte(digits), func(c byte) bool { return c < '0' || c > '9' }); i >= 0 {
		digits = digits[:i] // a comment or parameters follow
	}
	if digits == "" {
		return 0
	}
	return min(parseExpires(digits), refusedMost)
}

// leave takes the binding back, if there may be one: also where the carrier has not answered, or has failed, since it made it. It
// is waited for as the BYEs of a UA that closes are.
func (g *registration) leave() {
	if !time.Now().Before(g.lapses) {
		return
	}
	g.expires = 0
	if _, _, err := g.ask(g.ua.patience); err != nil {
		g.ua.log.Warn("trunk not unregistered: calls may be sent here until that lapses",
			zap.String("trunk", g.name), zap.Error(err))
		return
	}
	g.become(registrationState{now: RegistrationTrying})
	g.ua.metrics.trunkRegister(g.name, trunkUnregistered)
	g.ua.log.Info("trunk unregistered", zap.String("trunk", g.name))
}
