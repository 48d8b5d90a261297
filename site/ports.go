package site

import (
	"context"

	"hotline/call"
)

// Edge is this node's part as the edge of the phones that are registered at it, and the way to phones at other edges.
// Package sip. Methods may be called from any goroutine; those without a context do not block.
type Edge interface {
	// Ring rings an agent's phone as acd.Phones says, by the claim of the request: at once when the edge is this node, else
	// through the edge. A gate's refusal is a [*call.RingError] with CauseTaken and what the gate has seen.
	Ring(ctx context.Context, r call.RingRequest) (call.Leg, error)
	// Flows are the phones registered here.
	Flows() []call.SiteFlow
	// Next has the gate itself hand out a token, greater than all it has seen and than least: the book does not serve.
	// False: the phone is not here, a leg of its lives, or its gate is held.
	Next(agent string, least call.Token) (call.Token, bool)
	// Past is what the gate knows of a phone; false when it was never here.
	Past(agent string) (call.GatePast, bool)
	// Yield gives a phone's flow up, since it has registered at another node: no INVITE is admitted here any more, whatever its
	// token. What it returns is final but for the leg, which goes on through here.
	Yield(agent string) call.GatePast
	// Hold closes the gate of a phone until the next Seed: this node was declared dead, and others may have rung the phone.
	Hold(agent string)
	// Seed tells the gate of a phone that is new here what its edges before know, and has it open. With a leg that lives it is
	// closed until [Edge.Free].
	Seed(past call.GatePast)
	// Free tells the gate that the leg with which it was seeded is over.
	Free(agent, dialog string)
	// Refuse has the gate never admit a token, or one before it. It reports whether no leg of a claim lives: then the phone
	// is certainly free of that claim.
	Refuse(agent string, t call.Token) (free bool)
	// End ends the leg of an orphan, by CANCEL or BYE towards the phone, and BYE towards its owner where there is one.
	// It returns once the phone is free, and at once when there is no such leg. Errors: ctx was done before that.
	End(ctx context.Context, agent string, t call.Token) error
	// Legs are the live legs at this node's phones, with whose each is.
	Legs() []call.GateLeg
}

// Desk takes in what the site has to tell. Package acd. Learn does not block.
type Desk interface {
	Learn(n call.SiteNews)
}

// Peers asks other nodes, not by way of the book. Package web serves it, package site asks by HTTP with the nodes' common
// secret. Errors: the process did not answer, or another one does at its address; then nothing of it is known.
type Peers interface {
	// Yield has a node give up the flows of phones that have registered here, and say what it knows of each:
	// [Member.Yield] answers there. One of which it says nothing is to be asked about again.
	Yield(ctx context.Context, n Node, agents []string) ([]call.GatePast, error)
	// Holds asks a node which of these claims it holds, as their owner: [Member.Held] answers there. Keys are opaque.
	// With none of them it tells whether the node answers.
	Holds(ctx context.Context, n Node, keys []string) ([]string, error)
}
