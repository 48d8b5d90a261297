package sip

import (
	"hash/maphash"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

const (
	// homesMost is how many hosts are remembered for an account that its phone registered from.
	homesMost = 4
	// homeMore is how many times as many wrong passwords as from elsewhere an account's homes may send: an office may
	// have somebody in it who tries, and those who try from outside must not keep the phone at home out.
	homeMore = 10
	// unknownSlots is how many buckets the accounts share that there are not.
	unknownSlots = 1024
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
}

// accountTries are the tries of one account's password.
type accountTries struct {
	elsewhere, home bucket
	homes           []netip.Addr // the last first
}

func newGuesses(r tryRules) *guesses {
	return &guesses{began: time.Now(), seed: maphash.MakeSeed(), rules: r, accounts: make(map[string]*accountTries)}
}

// take takes one try of an account, or tells that there were too many wrong ones. undo gives it back, of one that was
// not wrong; the account is then at home at its host, if it is known.
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
		if home = slices.Contains(a.homes, host); home {
			at, most = &a.home, homeMore*most
		}
	}
	since, token, each := now.Sub(g.began), offencesIn/time.Duration(most), offencesIn/time.Duration(g.rules.all)
	before, all := *at, g.all
	if !at.takeEvery(since, token, most) {
		return nil, false
	}
	if stranger && !home && !g.all.takeEvery(since, each, g.rules.all) {
		*at = before
		return nil, false
	}
	took := g.all - all
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		*at = bucket(max(time.Duration(*at)-token, 0))
		if took > 0 {
			g.all = bucket(max(time.Duration(g.all)-each, 0))
		}
	}, true
}

// settles notes that an account's phone has registered from a host.
func (g *guesses) settles(account string, host netip.Addr) {
	host = hostOf(host)
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.accounts[account]
	if a == nil {
		return // forgotten meanwhile
	}
	a.homes = slices.DeleteFunc(a.homes, func(h netip.Addr) bool { return h == host })
	a.homes = slices.Insert(a.homes, 0, host)
	a.homes = a.homes[:min(len(a.homes), homesMost)]
}

// keep forgets the accounts that are no more.
func (g *guesses) keep(there func(account string) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id := range g.accounts {
		if !there(id) {
			delete(g.accounts, id)
		}
	}
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
	tryTooMany                // it is not, and nothing is answered
)

// silence stands for no answer at all, where there would be one.
var silence = &sipmsg.Response{}

// try is one try of a password.
type try struct {
	r        *registrar
	account  string
	src      source
	proven   bool // the source is where the request says
	stranger bool
	exempt   bool // it is the phone that is registered, or nobody bounds tries here
	undo     func()
}

// tries is what a request with credentials is.
func (r *registrar) tries(req *sipmsg.Request, c *digest.Credentials) *try {
	t := &try{r: r, account: c.Username, src: sourceOf(req, nil)}
	if r.o.sentry == nil {
		t.exempt = true
		return t
	}
	t.stranger = !r.o.sentry.known(t.src.addr.Addr())
	t.proven = reliable(t.src.transport) || r.nonces.heardBy(c.Nonce, t.src.addr.Addr())
	t.exempt = t.proven && r.registeredAt(t.src.transport, t.src.addr, c.Username)
	return t
}

// begin tells what becomes of the try. Of a stranger who has not shown that it is where it says nothing is judged: else
// one could claim addresses to try from, and have their owners banned. A phone that has an old nonce, or one from
// before a restart, is not asked for its password for that: it is told that the nonce is stale, as RFC 7616 section 3.3
// has it for any that is invalid.
func (t *try) begin() trying {
	if t.exempt {
		return tryJudged
	}
	if t.stranger && !t.proven {
		return tryUnproven
	}
	undo, ok := t.r.o.sentry.guesses.take(t.account, t.r.account(t.account).id != "", t.src.addr.Addr(), t.stranger, time.Now())
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
		t.r.o.sentry.guesses.settles(t.account, t.src.addr.Addr())
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
