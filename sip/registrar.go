package sip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"hotline/media"
)

// AgentOptions describe one agent's phone.
type AgentOptions struct {
	// ID is what the phone registers as (工号): the user of its address and of its credentials.
	ID string
	// Name is the person's, for display.
	Name string
	// Password of the phone. Without one there must be HA1.
	Password string
	// HA1 stands in for Password: by algorithm, what function HA1 makes of it in Options.Realm. Every algorithm
	// that the phone is offered needs one.
	HA1 map[string]string
	// Digest lists the algorithms offered to this phone, in order: md5, sha-256, sha-512-256 (RFC
	// 8760). Empty means those offered to all, or, where HA1 is given, its algorithms, the strongest first.
	Digest []string
	// Secure is whether audio with this phone is encrypted, when it calls and when it is called; the zero value means
	// media.SecurityOff.
	Secure media.Security
}

// registrarOptions are what core gives the registrar. Zero durations and counts mean the defaults.
type registrarOptions struct {
	realm  string
	agents []AgentOptions
	digest []string // offered where an agent has no list of its own, and to the unknown; default md5

	minExpires, defaultExpires, maxExpires time.Duration // of a registration: 60 s, 1 h, 2 h
	nonceLife                              time.Duration // 5 min

	// ping asks the phone at a flow for a sign of life: any response is one. Nil: no pings.
	ping        func(ctx context.Context, f flow) error
	pingEvery   time.Duration // from one sign of life to the next ping, 15 s
	pingTimeout time.Duration // for one ping, 4 s
	pingsAtOnce int           // 16

	// site: there are gates. movesOn tells whether phones are to register at another node; it is asked without mu.
	site    bool
	movesOn func() bool
	// busy tells whether an agent is on a call or being rung. It is asked with mu held, so it must take no
	// lock under which the registrar is called. Nil: never.
	busy func(agent string) bool
	// count is told what became of each REGISTER, one of the register… outcomes. Nil: nobody is.
	count func(outcome string)
	// flowTimer is what a phone of RFC 5626 is told of how often it is to send something over a connection; 0: nothing is.
	flowTimer time.Duration
	// onFlow is told, by run's goroutine and one at a time, when an agent's phone can be reached and
	// when no longer. It must not block for long: expiry and pings wait for it.
	onFlow func(agent string, up bool)
	// sentry bounds the tries of passwords, and is told of those that were wrong. Nil: nobody does.
	sentry *sentry
	space  string // before an account's name, where its tries are counted
	homes  int    // of an account at most; default homesMost
	logger *zap.Logger
}

// withDefaults fills in what was not said.
func (o registrarOptions) withDefaults() registrarOptions {
	if len(o.digest) == 0 {
		o.digest = defaultDigest
	}
	for _, d := range []struct {
		p   *time.Duration
		def time.Duration
	}{
		{&o.minExpires, time.Minute},
		{&o.defaultExpires, time.Hour},
		{&o.maxExpires, 2 * time.Hour},
		{&o.nonceLife, 5 * time.Minute},
		{&o.pingEvery, 15 * time.Second},
		{&o.pingTimeout, 4 * time.Second},
	} {
		if *d.p <= 0 {
			*d.p = d.def
		}
	}
	if o.pingsAtOnce <= 0 {
		o.pingsAtOnce = 16
	}
	if o.homes <= 0 {
		o.homes = homesMost
	}
	if o.busy == nil {
		o.busy = func(string) bool { return false }
	}
	if o.count == nil {
		o.count = func(string) {}
	}
	if o.movesOn == nil {
		o.movesOn = func() bool { return false }
	}
	if o.onFlow == nil {
		o.onFlow = func(string, bool) {}
	}
	if o.logger == nil {
		o.logger = zap.NewNop()
	}
	return o
}

// check reports every agent that could not register for a reason that no phone can mend: core
// calls it before newRegistrar.
func (o registrarOptions) check() error {
	var errs []error
	everyone := o.digest
	if _, err := algorithmsOf(everyone); err != nil || len(everyone) == 0 {
		everyone = defaultDigest
		if err != nil {
			errs = append(errs, fmt.Errorf("digest: %w", err))
		}
	}
	seen := make(map[string]bool, len(o.agents))
	for _, a := range o.agents {
		if a.ID == "" || seen[a.ID] {
			errs = append(errs, fmt.Errorf("agent %q: an id must be there, and once", a.ID))
		}
		seen[a.ID] = true
		if _, err := a.account(o.realm, everyone); err != nil {
			errs = append(errs, fmt.Errorf("agent %q: %w", a.ID, err))
		}
	}
	return errors.Join(errs...)
}

// registrar knows where the agents' phones are (RFC 3261 section 10.3) and whether they are really
// there. Core calls it from any goroutine for each REGISTER and INVITE; run is its one goroutine
// for all that comes by itself: expiry, pings, and telling onFlow.
type registrar struct {
	o      registrarOptions
	nonces *nonces
	quota  *quota
	wake   chan struct{} // buffered, 1: something changed that run may be waiting for
	// directory is who there is; replaced whole, with mu held.
	directory atomic.Pointer[directory]

	mu       sync.Mutex
	bindings *bindings
	gates    *gates
	pinging  int      // pings under way
	changed  []string // agents whose flow may have come or gone since onFlow was told, in order
	pending  map[string]bool
	told     map[string]bool // what onFlow was told last; only run touches it
	anew     map[string]bool // agents whose gates were held since: what was told last was another flow
}

// newRegistrar makes a registrar. An algorithm or agent that o.check objects to can never pass.
func newRegistrar(o registrarOptions) *registrar {
	o = o.withDefaults()
	r := &registrar{
		o:        o,
		nonces:   newNonces(o.nonceLife),
		quota:    newQuota(),
		wake:     make(chan struct{}, 1),
		bindings: newBindings(),
		pending:  make(map[string]bool),
		told:     make(map[string]bool),
		anew:     make(map[string]bool),
	}
	if o.site {
		r.gates = newGates()
	}
	r.directory.Store(newDirectory(o.realm, o.agents, o.digest))
	return r
}

// lookup returns the way to an agent's phone, if it is registered and was not found gone.
func (r *registrar) lookup(agent string) (flow, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lookupLocked(agent)
}

func (r *registrar) lookupLocked(agent string) (flow, bool) {
	b, ok := r.bindings.get(agent, time.Now())
	if !ok || b.lost {
		return flow{}, false
	}
	return b.flow, true
}

// ways are the flows by which an agent's phone can be reached, in the order in which they are to be tried: that which came last
// first.
func (r *registrar) ways(agent string) []flow {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []flow
	for _, b := range r.bindings.byAgent[agent] {
		if !b.lost && b.expires.After(now) {
			out = append(out, b.flow)
		}
	}
	return out
}

// lookupBy is lookup, which keeps to a flow while the phone has that, of whatever serial.
func (r *registrar) lookupBy(agent string, at flowKey) (flow, bool) {
	all := r.ways(agent)
	for _, f := range all {
		if keyOf(f.transport, f.source) == at {
			return f, true
		}
	}
	if len(all) == 0 {
		return flow{}, false
	}
	return all[0], true
}

// agentAt tells whether a phone is registered at exactly this source. Whoever speaks from there is
// an agent first, also while pings go unanswered. Where several agents share the source it is the first by
// id; which of them a request speaks for, authenticate tells.
func (r *registrar) agentAt(transport string, src netip.AddrPort) (agent string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	agents := r.bindings.at(keyOf(transport, src), time.Now())
	if len(agents) == 0 {
		return "", false
	}
	return agents[0], true
}

// registeredAt tells whether the phone of one agent is registered at exactly this source.
func (r *registrar) registeredAt(transport string, src netip.AddrPort, agent string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.bindings.at(keyOf(transport, src), time.Now()), agent)
}

// registeredFrom tells whether any phone is registered at a host.
func (r *registrar) registeredFrom(host netip.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bindings.byHost[host.Unmap()] > 0
}

// connClosed tells that a connection is gone: the phones behind it are too, until they register again.
func (r *registrar) connClosed(transport string, src netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range slices.Clone(r.bindings.byFlow[keyOf(transport, src)]) {
		r.dropLocked(b, "connection closed")
	}
}

// failed tells that something sent over f could not be sent. Said of a flow that has been replaced
// since, it changes nothing.
func (r *registrar) failed(agent string, f flow) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b := r.bindings.flow(agent, f.serial); b != nil {
		r.dropLocked(b, "send failed")
	}
}

// doubt tells that a phone did not answer a ring at all for a while, which one that is there does in an instant. It is asked at
// once whether it is there, and over UDP not twice: a caller waits, and the phone may have been started anew elsewhere, where it is refused
// as a second one for as long as this flow counts. Said of a flow that has been replaced since, it changes nothing.
func (r *registrar) doubt(agent string, f flow) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.bindings.flow(agent, f.serial)
	if b == nil || b.lost || r.o.ping == nil {
		return
	}
	if !reliable(b.flow.transport) { // over a connection the phone would not know that it is lost, and is not to register again
		b.misses = max(b.misses, missesLost-1)
	}
	b.nextPing = time.Now()
	r.wakeUp()
}

// dropLocked marks a flow as lost. A connection's binding goes with it; over UDP the same phone may
// be heard again, so its binding stays to be pinged until it expires. The phone is lost with the last of its flows.
func (r *registrar) dropLocked(b *binding, why string) {
	if reliable(b.flow.transport) {
		r.bindings.remove(b)
	} else if b.lost {
		return
	}
	b.lost = true
	b.nextPing = time.Now().Add(r.o.pingEvery)
	if _, left := r.lookupLocked(b.agent); left {
		r.o.logger.Info("a flow of the agent's phone lost", zap.String("agent", b.agent), zap.Uint32("flow", b.reg), zap.String("why", why))
	} else {
		r.o.logger.Warn("agent's phone lost", zap.String("agent", b.agent), zap.String("why", why))
	}
	r.changedLocked(b.agent)
}

// changedLocked has run look at the agent and tell onFlow if its flow came or went.
func (r *registrar) changedLocked(agent string) {
	if !r.pending[agent] {
		r.pending[agent] = true
		r.changed = append(r.changed, agent)
	}
	r.wakeUp()
}

func (r *registrar) wakeUp() {
	select {
	case r.wake <- struct{}{}:
	default: // run has not yet looked since the last time: it will see this too
	}
}
