package sip

import (
	"fmt"
	"maps"
	"slices"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"

	"hotline/call"
)

// Before the names of trunks' accounts: of one that logs in, and of a carrier who was told what to call.
const (
	loginSpace   = "trunk/"
	carrierSpace = "carrier/"
)

// TrunkLogin is what a trunk proves by digest that a call is its (RFC 3261 section 22), wherever it comes from. Its user
// may not register.
type TrunkLogin struct {
	Username, Password string
}

// logins are the trunks that are known by TrunkLogin. Immutable, but for the nonces used; a reload begins anew, and who
// comes with a nonce of before is told that it is stale.
type logins struct {
	accounts *registrar // of the trunks' users: never run, and asked for credentials only
	byUser   map[string]*trunk
}

// loginOptions are those of the registrar's that trunks' logins have too: their tries are bounded, counted and told of as
// agents' are.
func (u *UA) loginOptions() registrarOptions {
	return registrarOptions{
		realm: u.o.Realm, digest: u.o.Digest, sentry: u.sentry, space: loginSpace, homes: homesTrunk, count: u.metrics.login,
		logger: u.log.With(zap.String("as", "trunk")),
	}
}

// newLogins is nil where no trunk logs in. Errors: a user twice, or no password.
func newLogins(options []TrunkOptions, t *trunks, o registrarOptions) (*logins, error) {
	l := &logins{byUser: make(map[string]*trunk)}
	for i := range options {
		if in := options[i].Login; in != nil {
			o.agents = append(o.agents, AgentOptions{ID: in.Username, Password: in.Password})
			l.byUser[in.Username] = t.list[i]
		}
	}
	if len(o.agents) == 0 {
		return nil, nil
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("trunks that log in: %w", err)
	}
	l.accounts = newRegistrar(o)
	return l, nil
}

// admit asks whose an INVITE is that comes from no trunk's address. It returns the trunk, or the response to send and where
// the number would lead; or none of these, where no trunk logs in. Whatever number was dialled is challenged alike: nobody
// learns which there are, and a carrier whose customers dial what nobody has is not taken for who scans, before it could
// say who it is.
func (l *logins) admit(req *sipmsg.Request, number string) (t *trunk, at call.Next, refused *sipmsg.Response) {
	if l == nil {
		return nil, at, nil
	}
	user := slices.Min(slices.Collect(maps.Keys(l.byUser))) // the challenge is always the same
	has := ""                                               // the least, of those that have the number
	for name, t := range l.byUser {
		if to, ok := t.route(number); ok && (has == "" || name < has) {
			has, user, at = name, name, to
		}
	}
	if creds, err := l.accounts.credentialsOf(req); err == nil && creds != nil {
		user = creds.Username
	}
	who, outcome, refused := l.accounts.identify(req, user)
	if refused != nil {
		l.accounts.o.count(outcome)
		return nil, at, refused
	}
	l.accounts.o.count(loginAdmitted)
	return l.byUser[who], at, nil
}
