package sip

import (
	"hash/maphash"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

const (
	// homeMore is how many times as many wrong passwords as from elsewhere an account's homes may send: an office may
	// have somebody in it who tries, and those who try from outside must not keep the phone at home out.
	homeMore = 10
	// unknownSlots is how many buckets the accounts share that there are not.
	unknownSlots = 1024
	// What one site is given of IPv6 is a network of up to 48 bits (RFC 6177 section 2), 65,536 hosts as hostOf counts. It has
	// a share of what all strangers may try, and at least some; networkSlots is how many buckets such networks share.
	networkBits  = 48
	networkShare = 10
	networkLeast = 10
	networkSlots = 1024
)

// tryRules bound the wrong passwords within offencesIn: for one account, and of all strangers.
type tryRules struct{ account, all int }

// guesses slows those who try passwords, also where each try comes from another host. What it remembers is bounded by the
// accounts there are. It may be used from any goroutine.
type guesses struct {
	began time.Time
	seed  maphash.Seed

	mu       sync.Mutex
	rules    tryRules
	all      bucket
	accounts map[string]*accountTries
	unknown  [unknownSlots]bucket // an id that nobody has is slowed as an agent's is
	networks [networkSlots]bucket // of strangers, by IPv6

	homes *homes
}

// accountTries are the tries of one account's password.
type accountTries struct {
	elsewhere, home bucket
}

func newGuesses(r tryRules) *guesses {
	return &guesses{began: time.Now(), seed: maphash.MakeSeed(), rules: r, accounts: make(map[string]*accountTries), homes: newHomes()}
}

// take takes one try of an account, or tells that there were too many wrong ones. undo gives it back, of one that was
// not wrong.
func (g *guesses) take(account string, known bool, host netip.Addr, stranger bool, now time.Time) (undo func(), ok bool) {
	host = hostOf(host)
	g.mu.Lock()
	defer g.mu.Unlock()
	at, most := &g.unknown[maphash.String(g.seed, account)%unknownSlots], g.rules.account
	home := false
	if known {
		a := g.accounts[account]
		if a == nil {
			a = &accountTries{}
			g.accounts[account] = a
		}
		at = &a.elsewhere
		if home = g.homes.has(account, host, now); home {
			at, most = &a.home, homeMore*most
		}
	}
	measures := []measure{{at, most}}
	if stranger && !home {
		measures = append(measures, measure{&g.all, g.rules.all})
		if network, ok := ipv6SiteOf(host); ok {
			measures = append(measures, measure{g.networkLocked(network), max(networkLeast, g.rules.all/networkShare)})
		}
	}
	since := now.Sub(g.began)
	for i, m := range measures {
		if !m.of.takeEvery(since, m.token(), m.most) {
			giveBack(measures[:i])
			return nil, false
		}
	}
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		giveBack(measures)
	}, true
}

// networkLocked is the bucket of a network of IPv6.
func (g *guesses) networkLocked(n netip.Prefix) *bucket {
	return &g.networks[maphash.Comparable(g.seed, n)%networkSlots]
}

// measure is a bucket that holds most tries, for offencesIn.
type measure struct {
	of   *bucket
	most int
}

func (m measure) token() time.Duration { return offencesIn / time.Duration(m.most) }

// giveBack gives a token back to each.
func giveBack(took []measure) {
	for _, m := range took {
		*m.of = bucket(max(time.Duration(*m.of)-m.token(), 0))
	}
}

// keep forgets the accounts that are no more, and the homes of those whose password is another one.
func (g *guesses) keep(there func(account string) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	maps.DeleteFunc(g.accounts, func(account string, _ *accountTries) bool { return !there(account) })
	g.homes.keep()
}

func (g *guesses) rule(r tryRules) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rules = r
}

// What a try of a password is at first.
type trying int

const (
	tryJudged   trying = iota // the password is looked at
	tryUnproven               // it is not: nobody knows who sent it
	tryAged                   // nor here: whoever was there once may have sent it
	tryTooMany                // it is not, and nothing is answered
)

// silence stands for no answer at all, where there would be one.
var silence = &sipmsg.Response{}

// try is one try of a password.
type try struct {
	r        *registrar
	user     string
	secret   secret // of the account, before it is judged: see homes.settles
	src      source
	proven   bool // the source is where the request says
	aged     bool // it was, some time ago
	stranger bool
	exempt   bool // it is the phone that is registered, or nobody bounds tries here
	undo     func()
}

// tries is what a request with credentials is.
func (r *registrar) tries(req *sipmsg.Request, c *digest.Credentials) *try {
	t := &try{r: r, user: c.Username, src: servedFrom(req), secret: r.account(c.Username).secret}
	if r.o.sentry == nil {
		t.exempt = true
		return t
	}
	t.stranger = !r.o.sentry.known(t.src.addr.Addr())
	t.proven = reliable(t.src.transport) || r.nonces.heardBy(c.Nonce, t.src.addr.Addr())
	t.aged = !t.proven && r.nonces.madeFor(c.Nonce, t.src.addr.Addr())
	t.exempt = t.proven && r.registeredAt(t.src.transport, t.src.addr, c.Username)
	return t
}

// account is what the tries are counted under. Agents and trunks that log in are apart: each may have a user that the
// other has.
func (t *try) account() string { return t.r.o.space + t.user }

// begin tells what becomes of the try. Of whoever has not shown that it is where it says nothing is judged: else one could
// claim addresses to try from, and have their owners banned, or those shut out who are at home there. A phone that has an old
// nonce, or one from before a restart, is not asked for its password for that: it is told that the nonce is stale, as RFC
// 7616 section 3.3 has it for any that is invalid.
func (t *try) begin() trying {
	if t.exempt {
		return tryJudged
	}
	if t.aged {
		return tryAged
	}
	if !t.proven {
		return tryUnproven
	}
	undo, ok := t.r.o.sentry.guesses.take(t.account(), t.r.account(t.user).id != "", t.src.addr.Addr(), t.stranger, time.Now())
	if !ok {
		return tryTooMany
	}
	t.undo = undo
	return tryJudged
}

// right notes that the password was right; good: and the nonce too.
func (t *try) right(good bool) {
	if t.undo != nil {
		t.undo()
	}
	if good && t.r.o.sentry != nil && t.proven {
		t.r.o.sentry.guesses.homes.settles(t.account(), t.secret, t.src.addr.Addr(), t.r.o.homes, time.Now())
	}
}

// wrong notes that it was not.
func (t *try) wrong() {
	if t.r.o.sentry != nil && t.proven {
		t.r.o.sentry.offended(t.src.addr.Addr(), banLogin)
	}
}

// marks are what scanners call themselves, in lower case, where nothing else is configured.
var marks = []string{
	"friendly-scanner", "friendly-request", "sipvicious", "sipcli", "sip-scan", "sipscan", "sundayddr", "vaxsipuseragent",
	"vaxipuseragent", "pplsip", "sipsak", "siparmyknife", "iwar", "smap", "sipptk", "gulp", "svmap", "svwar", "svcrack",
}

// marked tells whether a message's User-Agent or Server has one of some marks in it.
func marked(message string, marks []string) bool {
	head, _, _ := strings.Cut(message, "\r\n\r\n")
	for line := range strings.Lines(head) {
		name, value, ok := strings.Cut(line, ":")
		if !ok || !strings.EqualFold(trim(name), "user-agent") && !strings.EqualFold(trim(name), "server") {
			continue
		}
		value = strings.ToLower(value)
		if slices.ContainsFunc(marks, func(m string) bool { return strings.Contains(value, m) }) {
			return true
		}
	}
	return false
}
