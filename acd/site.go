package acd

import (
	"time"

	"hotline/call"
)

// Site is how a desk tells the other nodes of its site what it is the first to know; package site. The desk's goroutine
// calls it, so no method blocks. What is told is told in this order.
type Site interface {
	// Say tells facts that this node says: flows of its phones (with the legs that came from no claim), callers who wait
	// here and who wait no more, shifts, places, regulars, and rests without a token.
	Say(facts ...call.SiteFact)
	// Order is what the clock of the site says at an instant, in microseconds since 1970, as far as it is known here.
	Order(at time.Time) int64
	// Release gives the claim on an agent for a call back, once no phone rings and nobody talks by it, with what it has
	// left on the agent; the site fills in the token. An agent without such a claim is passed over.
	Release(agent, callID string, rest call.SiteRest)
}
