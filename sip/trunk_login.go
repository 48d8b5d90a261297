package sip

import (
	"fmt"

	sipmsg "github.com/emiago/sipgo/sip"
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

// newLogins is nil where no trunk logs in. digest and realm are those of agents. Errors: a user twice, or no password.
func newLogins(options []TrunkOptions, t *trunks, realm string, digest []string) (*logins, error) {
	l := &logins{byUser: make(map[string]*trunk)}
	o := registrarOptions{realm: realm, digest: digest}
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

// admit asks whose an INVITE is that comes from no trunk's address. It returns the trunk, or the response to send; or
// neither, where it is nobody's. Only who dials a number of a trunk that logs in is challenged, so that whoever scans for
// a server that answers finds none.
func (l *logins) admit(req *sipmsg.Request, number string) (*trunk, *sipmsg.Response) {
	if l == nil {
		return nil, nil
	}
	var user string // the least, of those that have the number: the challenge is always the same
	for name, t := range l.byUser {
		if _, ok := t.route(number); ok && (user == "" || name < user) {
			user = name
		}
	}
	if user == "" {
		return nil, nil
	}
	if creds, err := l.accounts.credentialsOf(req); err == nil && creds != nil {
		user = creds.Username
	}
	who, _, refused := l.accounts.identify(req, user)
	if refused != nil {
		return nil, refused
	}
	return l.byUser[who], nil
}
