package sip

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"
)

// AbuseOptions bound what strangers may have of us: hosts that are no trunk, have no agent's phone registered, and are no
// Home. An IPv6 network of 64 bits counts as one host. A number that is 0 means its default.
type AbuseOptions struct {
	// Requests and Invites bound what strangers send, per second; at once they may send twice that. By UDP what is
	// beyond gets no answer; by TCP requests wait, and INVITEs get none. What comes by TCP is counted apart: by UDP any
	// address can be claimed. Default 50 and 1000; 5 and 100.
	Requests, Invites PerHost
	// Connections bounds the TCP connections open at once of those who were strangers when they made them and have proved
	// nothing since; each ends after a minute. An IPv6 network of 48 bits may have a tenth of All, and no less than Each; of
	// Requests and Invites as well. Default 64 and 3072.
	Connections PerHost
	// Failures bounds wrong passwords within 10 minutes: Each of one host before it is banned, All of all strangers
	// before no more are looked at but of an account from its homes. An IPv6 network of 48 bits may have a tenth of All, and at
	// least 10. Default 10 and 1000.
	Failures PerHost
	// AccountFailures is how many wrong passwords within 10 minutes one account, an agent's or that of a trunk that logs in,
	// stands before no more are looked at, but from its homes: from there ten times as many. Default 30.
	AccountFailures int
	// BanFirst is how long a source's first ban is; each further one is twice as long, up to BanMost. A quiet time of a
	// ban's length, and at least 10 min, undoes one doubling. Default 1 min and 24 h.
	BanFirst, BanMost time.Duration
	// Never are never banned.
	Never []netip.Prefix
	// Scanners are what scanners call themselves: a stranger whose User-Agent has one of them in it, in whatever case,
	// gets no answer. nil means those that are well known; empty, none.
	Scanners []string
}

// PerHost is a bound for each stranger and for all of them.
type PerHost struct{ Each, All int }

func (p PerHost) or(def PerHost) PerHost {
	if p.Each <= 0 {
		p.Each = def.Each
	}
	if p.All <= 0 {
		p.All = def.All
	}
	return p
}

// withDefaults fills in what was not said.
func (o AbuseOptions) withDefaults() AbuseOptions {
	o.Failures = o.Failures.or(PerHost{10, 1000})
	if o.AccountFailures <= 0 {
		o.AccountFailures = 30
	}
	if o.BanFirst <= 0 {
		o.BanFirst = time.Minute
	}
	if o.BanMost <= 0 {
		o.BanMost = 24 * time.Hour
	}
	o.BanMost = max(o.BanMost, o.BanFirst)
	if o.Scanners == nil {
		o.Scanners = marks
	}
	return o
}

// with are the limits as somebody configured them.
func (l limits) with(o AbuseOptions) limits {
	if o.Requests != (PerHost{}) {
		p := o.Requests.or(PerHost{l.each, l.all})
		r := ratePer(p.Each, p.All)
		l.each, l.eachBurst, l.all, l.allBurst = r.each, r.eachBurst, r.all, r.allBurst
	}
	if o.Invites != (PerHost{}) {
		p := o.Invites.or(PerHost{l.invites.each, l.invites.all})
		l.invites = ratePer(p.Each, p.All)
	}
	if o.Connections != (PerHost{}) {
		p := o.Connections.or(PerHost{l.perHost, l.conns - l.reserved})
		l.perHost, l.reserved = p.Each, max(l.conns-p.All, 0)
		l.connects.eachBurst = max(l.connects.eachBurst, p.Each)
	}
	return l
}

// sentry keeps strangers from what they are not to have. Who is known passes it, whatever the address has done: by UDP
// others can claim it, and behind one address there may be many. It may be used from any goroutine.
type sentry struct {
	known    func(host netip.Addr) bool
	limits   limits // before the options
	invites  *gate  // of datagrams
	streamed *gate  // of INVITEs too, that came over connections
	connects *gate
	shakes   *gate // of handshakes of TLS
	bans     *banBook
	guesses  *guesses
	policy   atomic.Pointer[policy]
	metrics  *metrics
	limited  func(line string, fields ...zap.Field) // a line of the log that a stranger causes
	banned   func(host netip.Addr)                  // told of each ban
	expects  func(o *outline) bool                  // tells whether a message is what only a trunk can send, wherever it comes from
	changing sync.Mutex
	load     strangers // what strangers cost
}

// policy is what of the options has no other place.
type policy struct {
	never    []netip.Prefix
	scanners []string
}

func newSentry(l limits, o AbuseOptions, m *metrics) *sentry {
	set := l.with(o)
	o = o.withDefaults()
	s := &sentry{
		limits: l, invites: newGateOf(set.invites), streamed: newGateOf(set.invites),
		connects: newGateOf(set.connects), shakes: newGateOf(set.handshakes), metrics: m, expects: func(*outline) bool { return false },
		bans: newBanBook(o.banRules()), guesses: newGuesses(o.tryRules()),
	}
	s.policy.Store(o.policy())
	return s
}

func (o AbuseOptions) banRules() banRules {
	return banRules{offences: o.Failures.Each, first: o.BanFirst, most: o.BanMost}
}

func (o AbuseOptions) tryRules() tryRules {
	return tryRules{account: o.AccountFailures, all: o.Failures.All}
}

func (o AbuseOptions) policy() *policy {
	p := &policy{}
	for _, n := range o.Never {
		p.never = append(p.never, unmapPrefix(n).Masked())
	}
	for _, mark := range o.Scanners {
		p.scanners = append(p.scanners, strings.ToLower(mark))
	}
	return p
}

// change puts other options in force. Bans stay, but for those of sources that are never banned now.
func (s *sentry) change(o AbuseOptions) limits {
	s.changing.Lock()
	defer s.changing.Unlock()
	set := s.limits.with(o)
	s.invites.rate.Store(&set.invites)
	s.streamed.rate.Store(&set.invites)
	s.connects.rate.Store(&set.connects)
	o = o.withDefaults()
	s.bans.rule(o.banRules())
	s.guesses.rule(o.tryRules())
	s.policy.Store(o.policy())
	return set
}

// never tells whether a host is never banned.
func (s *sentry) never(host netip.Addr) bool {
	host = host.Unmap().WithZone("")
	return slices.ContainsFunc(s.policy.Load().never, func(p netip.Prefix) bool { return p.Contains(host) })
}

// refusesConn tells why a connection of a stranger is not to be taken; "" when it is.
func (s *sentry) refusesConn(host netip.Addr) (why string) {
	now := time.Now()
	s.load.cost(strangeConnection)
	switch {
	case s.shuts(host, now):
		return dropBanned
	case s.connects.pass(host, now) != "":
		return dropConnects
	default:
		return ""
	}
}

// shuts tells whether a stranger is banned.
func (s *sentry) shuts(host netip.Addr, now time.Time) bool {
	return s.bans.banned(host, now) && !s.never(host)
}

// refuses tells why a message of a stranger is to be dropped without an answer, whether or not it could be parsed; ""
// when it is not. proven: nobody else can have sent it, as it came over a connection. Such have a measure of INVITEs of their
// own, which nobody takes away who claims their addresses by UDP; and still to be beyond it is no offence, as others have
// a part of it.
func (s *sentry) refuses(o *outline, host netip.Addr, proven bool) (why string) {
	now := time.Now()
	if s.shuts(host, now) {
		return dropBanned
	}
	if marked(o.head, s.policy.Load().scanners) {
		if proven {
			s.punish(host, banScanner, s.bans.ban)
		}
		return dropScanner
	}
	gate := s.invites
	if proven {
		gate = s.streamed
	}
	if o.method() == sipmsg.INVITE && gate.pass(host, now) != "" {
		return dropInvites
	}
	return ""
}

// offended notes what a host has done itself, beyond doubt; who is known is not banned for it.
func (s *sentry) offended(host netip.Addr, why string) { s.punish(host, why, s.bans.offend) }

func (s *sentry) punish(host netip.Addr, why string, judge func(netip.Addr, string, time.Time) (Ban, bool)) {
	if s.known(host) || s.never(host) {
		return
	}
	b, banned := judge(host, why, time.Now())
	if !banned {
		return
	}
	s.metrics.bans.WithLabelValues(why).Inc()
	s.limited("source banned", zap.Stringer("source", b.Source), zap.String("why", why),
		zap.Duration("for", b.Until.Sub(b.Since)), zap.Int("times", b.Times))
	s.banned(host)
}

// Bans are the sources that are banned now, the first to be free first. They may be asked for from any goroutine.
func (u *UA) Bans() []Ban { return u.sentry.bans.list(time.Now()) }

// Unban ends the ban of an address, or of the network of IPv6 that it is in, and forgets what was done from there; false: it
// is not banned. It may be called from any goroutine.
func (u *UA) Unban(address netip.Addr) bool { return u.sentry.bans.lift(address, time.Now()) }

// watch puts other bounds of strangers in force.
func (u *UA) watch(o AbuseOptions) {
	set := u.sentry.change(o)
	r := rate{set.each, set.eachBurst, set.all, set.allBurst}
	u.gate.rate.Store(&r)
	u.conns.gate.rate.Store(&r)
	u.conns.bound(set)
}

// strangeStreamed is what a stranger's message over a connection takes of a processor: it is read, cut off, looked at and mostly
// answered, on goroutines of its own.
const strangeStreamed = 100 * time.Microsecond

// unwanted tells whether what came over a connection is to be dropped without an answer, as it is a stranger's who is not
// to have one.
func (t *trackedConn) unwanted(f *frame) bool {
	host := t.peer.Addr()
	if t.known() {
		t.conns.sentry.load.known.Add(1)
		return false
	}
	t.conns.sentry.load.cost(strangeStreamed)
	o := f.refused
	if o == nil {
		o = sketchBounded(f.message)
	}
	if t.conns.sentry.expects(o) {
		return false
	}
	why := t.conns.sentry.refuses(o, host, true)
	if why == "" {
		return false
	}
	t.conns.dropped(why)
	return true
}
