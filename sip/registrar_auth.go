package sip

import (
	"strings"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
	"go.uber.org/zap"
)

// authenticate asks who sends a request outside a dialog (an agent's INVITE). It returns either the
// agent, whose address is in From, or the response to send: 401 with challenges, 400 or 403.
func (r *registrar) authenticate(req *sipmsg.Request) (agent string, challenge *sipmsg.Response) {
	if req.From() == nil || req.To() == nil || req.CallID() == nil || req.CSeq() == nil {
		return "", refusal(req, badRequest("a mandatory header is missing"))
	}
	return r.identify(req, req.From().Address.User)
}

// identify checks that a request carries the credentials of the agent that it claims to be of. 401
// rather than 407, since we are the end of the request's way and no proxy (RFC 3261 22.2).
func (r *registrar) identify(req *sipmsg.Request, claimed string) (agent string, refused *sipmsg.Response) {
	creds, err := r.credentialsOf(req)
	if err != nil {
		return "", refusal(req, badRequest("malformed Authorization"))
	}
	if creds == nil {
		return "", r.challenge(req, claimed, false)
	}
	switch r.judge(creds, req.Method.String()) {
	case credentialsGood:
	case credentialsStale:
		return "", r.challenge(req, claimed, true)
	case credentialsWrong:
		if n, ok := r.quota.take("wrong credentials"); ok {
			r.o.logger.Warn("wrong credentials", zap.String("source", req.Source()), unlogged(n))
		}
		return "", r.challenge(req, claimed, false)
	}
	if creds.Username != claimed {
		// The password is right, but for somebody else's address (RFC 3261 10.3, step 4).
		return "", refusal(req, &refusedError{code: sipmsg.StatusForbidden, reason: "Forbidden"})
	}
	return creds.Username, nil
}

// credentialsOf finds the request's credentials for our realm, among those for others; nil if none.
func (r *registrar) credentialsOf(req *sipmsg.Request) (*digest.Credentials, error) {
	for _, h := range req.GetHeaders("authorization") {
		c, err := parseCredentials(h.Value(), r.o.realm)
		if c != nil || err != nil {
			return c, err
		}
	}
	return nil, nil
}

// account finds an agent's account, or nobody's.
func (r *registrar) account(agent string) *account {
	if a, ok := r.accounts[agent]; ok {
		return a
	}
	return &r.nobody
}

// judge weighs credentials. The password comes first: only to whom proves it is said that a nonce
// is merely stale, and only for them is anything remembered.
func (r *registrar) judge(c *digest.Credentials, method string) verdict {
	a := r.account(c.Username)
	right := a.offers(c.Algorithm) && rightResponse(c, method, a.password)
	if !right || a == &r.nobody {
		return credentialsWrong
	}
	made, ours := r.nonces.made(c.Nonce)
	if !ours {
		return credentialsStale
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !a.counts.use(c.Nonce, made, c.Nc) {
		return credentialsStale
	}
	return credentialsGood
}

// offers reports whether credentials use an algorithm that the account was offered; none named
// means MD5 (RFC 7616 section 3.4).
func (a *account) offers(algorithm string) bool {
	if algorithm == "" {
		algorithm = "MD5"
	}
	for _, offered := range a.algorithms {
		if strings.EqualFold(offered, algorithm) {
			return true
		}
	}
	return false
}

// challenge makes the 401: one WWW-Authenticate for each algorithm, the preferred first (RFC 8760
// section 2.4), all with the same nonce.
func (r *registrar) challenge(req *sipmsg.Request, claimed string, stale bool) *sipmsg.Response {
	res := sipmsg.NewResponseFromRequest(req, sipmsg.StatusUnauthorized, "Unauthorized", nil)
	nonce := r.nonces.fresh()
	for _, algorithm := range r.account(claimed).algorithms {
		c := digest.Challenge{
			Realm: r.o.realm, Nonce: nonce, Algorithm: algorithm, QOP: []string{qopAuth}, Stale: stale,
		}
		res.AppendHeader(sipmsg.NewHeader("WWW-Authenticate", c.String()))
	}
	return res
}
