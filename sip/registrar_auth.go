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
	agent, _, challenge = r.identify(req, req.From().Address.User)
	return agent, challenge
}

// identify checks that a request carries the credentials of the agent that it claims to be of. 401
// rather than 407, since we are the end of the request's way and no proxy (RFC 3261 22.2). The outcome says
// why it was refused.
func (r *registrar) identify(req *sipmsg.Request, claimed string) (agent, outcome string, refused *sipmsg.Response) {
	creds, err := r.credentialsOf(req)
	if err != nil {
		return "", registerMalformed, refusal(req, badRequest("malformed Authorization"))
	}
	if creds == nil {
		return "", registerChallenged, r.challenge(req, claimed, false)
	}
	try := r.tries(req, creds)
	switch try.begin() {
	case tryJudged:
	case tryUnproven:
		return "", registerUnproven, r.challenge(req, claimed, true)
	case tryAged:
		return "", registerStale, r.challenge(req, claimed, true)
	case tryTooMany:
		return "", registerSlowed, silence
	}
	switch r.judge(creds, req.Method.String()) {
	case credentialsGood:
		try.right(true)
	case credentialsStale:
		try.right(false)
		return "", registerStale, r.challenge(req, claimed, true)
	case credentialsWrong:
		try.wrong()
		r.limited(zap.WarnLevel, "wrong credentials", zap.Stringer("source", servedFrom(req).shown()))
		return "", registerWrong, r.challenge(req, claimed, false)
	}
	if !aimedAt(creds.URI, &req.Recipient) {
		return "", registerMalformed, refusal(req, badRequest("Authorization is for another URI"))
	}
	if creds.Username != claimed {
		// The password is right, but for somebody else's address (RFC 3261 10.3, step 4).
		r.limited(zap.WarnLevel, "agent claims another's address", zap.String("agent", creds.Username),
			zap.Stringer("source", servedFrom(req).shown()))
		return "", registerForeign, refusal(req, &refusedError{
			code: sipmsg.StatusForbidden, reason: reason(sipmsg.StatusForbidden),
		})
	}
	return creds.Username, "", nil
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

// account finds an agent's account, or the decoy for an id that nobody has. The decoy is found for agents too:
// nothing must cost them less.
func (r *registrar) account(agent string) *account {
	d := r.directory.Load()
	decoy := d.decoys.of(agent)
	if a, ok := d.accounts[agent]; ok {
		return a
	}
	return decoy
}

// judge weighs credentials. The password comes first: only to whom proves it is said that a nonce
// is merely stale, and only for them is anything remembered.
func (r *registrar) judge(c *digest.Credentials, method string) verdict {
	a := r.account(c.Username)
	ha1, offered := a.ha1For(c.Algorithm)
	right := offered && rightResponse(c, method, ha1)
	if !right || a.id == "" {
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

// ha1For is what credentials that use an algorithm are held against, if the account was offered it; none
// named means MD5 (RFC 7616 section 3.4). Nobody is offered a "-sess" variant (RFC 7616 section 3.4.2).
func (a *account) ha1For(algorithm string) (ha1 string, offered bool) {
	if algorithm == "" {
		algorithm = wireMD5
	}
	for _, o := range a.algorithms {
		if strings.EqualFold(o, algorithm) {
			return a.ha1[o], true
		}
	}
	return "", false
}

// challenge makes the 401: one WWW-Authenticate for each algorithm, the preferred first (RFC 8760
// section 2.4), all with the same nonce.
func (r *registrar) challenge(req *sipmsg.Request, claimed string, stale bool) *sipmsg.Response {
	res := sipmsg.NewResponseFromRequest(req, sipmsg.StatusUnauthorized, "Unauthorized", nil)
	nonce := r.nonces.fresh(sourceOf(req, nil).addr.Addr())
	for _, algorithm := range r.account(claimed).algorithms {
		c := digest.Challenge{
			Realm: r.o.realm, Nonce: nonce, Algorithm: algorithm, QOP: []string{qopAuth}, Stale: stale,
		}
		res.AppendHeader(sipmsg.NewHeader("WWW-Authenticate", c.String()))
	}
	return res
}
