package sip

import (
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
	"go.uber.org/zap"
)

// Who answers a challenge hands out what its password can be guessed by, at leisure. Within a call the other side may be whoever
// was called: his BYE, or his answer to ours, comes by way of the carrier, or straight from his phone. So what is answered there is
// only what the trunk itself has shown to ask.

// asWhom is who we are to a server that challenges us.
type asWhom struct {
	user, password string
	// known is what the server has challenged us by elsewhere, nil for nothing; it may be nil itself.
	known func() *demand
	// from tells whether an address is the server's; nil: all are.
	from func(host netip.Addr) bool
}

// demand is how somebody has challenged us, which no later challenge of the same call may fall short of.
type demand struct {
	realm    string
	strength int  // of the algorithm
	qop      bool // with chance of our own, so that no table made beforehand helps who guesses
}

// strengths of the algorithms that digest.CanDigest knows, by the names that the wire has in capitals. What is missing is MD5
// (RFC 7616 section 3.3).
var strengths = map[string]int{"": 0, wireMD5: 0, wireSHA256: 1, wireSHA512: 2, "SHA-512": 3}

func demandOf(c *digest.Challenge) *demand {
	return &demand{realm: c.Realm, strength: strengths[strings.ToUpper(c.Algorithm)], qop: len(c.QOP) > 0}
}

// covers tells whether a challenge asks for no more than what was asked before.
func (b *demand) covers(c *digest.Challenge) bool {
	now := demandOf(c)
	return now.realm == b.realm && now.strength >= b.strength && (now.qop || !b.qop)
}

// atomicDemand is what one goroutine was asked and any may look at; nil before.
type atomicDemand struct{ p atomic.Pointer[demand] }

func (a *atomicDemand) set(auth *phoneAuth) { a.p.Store(demandOf(auth.challenge)) }

// credentials answer a challenge.
func (a *asWhom) credentials(req *sipmsg.Request, auth phoneAuth) error {
	creds, err := auth.credentials(req.Method, req.Recipient.String(), a.user, a.password)
	if err != nil {
		return err
	}
	req.AppendHeader(creds)
	return nil
}

// authority is who we are to a trunk that an INVITE goes to by h; nil where it has no password for us.
func (t *trunk) authority(h hop) *asWhom {
	a := authorizeAs(t.out.Username, t.out.Password)
	if a == nil {
		return nil
	}
	to := parsePeer(h.dest).Addr()
	a.from = func(host netip.Addr) bool { return host.Unmap() == to || t.answersAt(host) }
	if t.reg != nil && t.reg.o.Username == t.out.Username {
		a.known = t.reg.asked.p.Load
	}
	return a
}

// answersAt tells whether an address is the trunk's: one that may call us as it, one that it was called at, or one that it answers at.
func (t *trunk) answersAt(host netip.Addr) bool {
	host = host.Unmap().WithZone("")
	return slices.ContainsFunc(t.allow, func(p netip.Prefix) bool { return p.Contains(host) }) ||
		t.reg != nil && t.reg.hosts.has(host) || t.ping != nil && t.ping.hosts.has(host) || t.at.has(host)
}

// challenged notes a 401 or 407 to a request of ours within a dialog, for authorized, and reports whether it may be
// answered: by a leg that a trunk with a password for us made, as often as that to an INVITE is, and only if it is the trunk
// that asks, by what it asked for the INVITE by, or for its registration.
func (l *leg) challenged(res *sipmsg.Response) bool {
	if res.StatusCode != sipmsg.StatusUnauthorized && res.StatusCode != sipmsg.StatusProxyAuthRequired {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.challenges[res.StatusCode]
	if l.authorize == nil || c.times > 0 && !stale(res) || c.times >= maxChallenges {
		return false
	}
	auth, ok := l.asks(res)
	if !ok {
		l.ua.limited(zap.WarnLevel, "a challenge in a call is not answered, as the trunk does not ask so: who was called may be after its password",
			zap.String("leg", string(l.id)), zap.String("source", res.Source()), zap.Int("code", res.StatusCode))
		return false
	}
	if l.challenges == nil {
		l.challenges = make(map[int]challenge)
	}
	l.challenges[res.StatusCode] = challenge{auth: auth, times: c.times + 1}
	return true
}

// asks picks what of a challenge within the dialog may be answered. The caller holds l.mu.
func (l *leg) asks(res *sipmsg.Response) (phoneAuth, bool) {
	a := l.authorize
	if a.from != nil && !a.from(parsePeer(res.Source()).Addr()) {
		return phoneAuth{}, false
	}
	before := l.asked
	if before == nil && a.known != nil {
		before = a.known()
	}
	if before == nil {
		return phoneAuth{}, false
	}
	auth, err := challengeIn(res, before.covers)
	return auth, err == nil
}

// unchallenged forgets the challenges: their nonces are for one try.
func (l *leg) unchallenged() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.challenges = nil
}

// authorized adds the credentials that were asked for to a request. The caller holds l.mu.
func (l *leg) authorized(req *sipmsg.Request) error {
	for _, c := range l.challenges {
		if err := l.authorize.credentials(req, c.auth); err != nil {
			return err
		}
	}
	return nil
}
