package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"hotline/web/peer"
)

// Role is what the bearer of a token may see.
type Role string

// The roles.
const (
	Supervisor Role = "supervisor" // everything
	Auditor    Role = "auditor"    // calls and recordings
	AgentRole  Role = "agent"      // queues and agents, and what Token.Agent does
	MetricsTap Role = "metrics"    // nothing but what is open: for a scraper of /metrics that must send a token
)

// Token lets a program or a person use the API.
type Token struct {
	Name  string // for logs
	Role  Role
	Token string // the secret; never logged
	// Agent is the id (工号) of whom a token of AgentRole may pause, log in and so on; empty: nobody.
	Agent string
}

// hashedToken is compared by its SHA-256, so that neither length nor content shows in the time taken.
type hashedToken struct {
	name  string // for logs
	role  Role
	agent string
	sum   [sha256.Size]byte
	node  *peer.From // what was asked is passed on by another node; nil: it is asked of this one
}

// bearerKey is where a request's context has the token it was admitted with.
type bearerKey struct{}

// bearerOf is the token that a request was admitted with.
func bearerOf(r *http.Request) hashedToken {
	bearer, _ := r.Context().Value(bearerKey{}).(hashedToken)
	return bearer
}

// hashTokens leaves out empty tokens: an unset one opens nothing.
func hashTokens(tokens []Token) []hashedToken {
	var hashed []hashedToken
	for _, t := range tokens {
		if t.Token != "" {
			hashed = append(hashed, hashedToken{name: t.Name, role: t.Role, agent: t.Agent, sum: sha256.Sum256([]byte(t.Token))})
		}
	}
	return hashed
}

// authenticate finds the request's bearer token (RFC 6750 section 2.1), or returns a 401, or a 429.
func (s *Server) authenticate(r *http.Request) (bearer hashedToken, err error) {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	secret = strings.TrimSpace(secret)
	if !strings.EqualFold(scheme, "Bearer") || secret == "" {
		s.metrics.token(tokenMissing)
		return bearer, unauthorized("", "a bearer token is needed: send the header Authorization: Bearer TOKEN")
	}
	return s.judged(r, func() (hashedToken, bool) { return s.tokenOf(secret) })
}

// tokenOf is the token that a secret is of.
func (s *Server) tokenOf(secret string) (bearer hashedToken, found bool) {
	sum := sha256.Sum256([]byte(secret))
	for _, t := range s.inForce.Load().tokens { // all of them, so that the place in the list does not show either
		if subtle.ConstantTimeCompare(t.sum[:], sum[:]) == 1 {
			bearer, found = t, true
		}
	}
	return bearer, found
}

// unauthorized is a 401 with its challenge (RFC 9110 section 11.6.1, RFC 6750 section 3).
func unauthorized(code, detail string) error {
	challenge := `Bearer realm="hotline"`
	if code != "" {
		challenge += `, error="` + code + `"`
	}
	return &problem{
		Status: http.StatusUnauthorized, Detail: detail,
		header: http.Header{"Www-Authenticate": {challenge}},
	}
}
