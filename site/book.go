package site

import (
	"context"
	"errors"
	"time"

	"hotline/call"
)

// Book is what the nodes of a site share. Every method changes or reads it in one step, in an order that all nodes see
// alike, and writes what it changed into the log. Instants are of the book's own clock. Methods may be called from any
// goroutine. Besides the errors named, all return what went wrong on the way, wrapped; then it is not known whether the
// book was changed.
//
//	method  | if                                                    | then
//	Enter   | always                                                | the node lives until now + lease; its facts are its own to say
//	Renew   | the node lives                                        | it lives until now + lease; nodes whose leases are over are declared dead
//	Leave   | the node lives                                        | as if declared dead, at once
//	Say     | the node lives                                        | facts are written; a flow takes the place of one at another edge
//	Claim   | it lives, the agent has a flow of a living edge and no claim | claimed by a token greater than all before
//	Mark    | the claim has this token                              | rung or answered is written
//	Release | the claim has this token                              | it is no more, and its rest is written
//	Clear   | the claim has this token and is an orphan             | it is no more
//	Raise   | the token is greater than the greatest                | it is the greatest
//	Resume  | the node lives; the agent has no claim, an orphan, or one of a lesser token | claimed by that token
//
// A node that is declared dead leaves nothing of its own: its flows go, its callers' places are kept for as long as their
// queues give them back, its claims are orphans. Flows come back with the node that says them.
type Book interface {
	// Enter begins a run of a node. last is the lease that the process had last, of any run and book; zero if it had
	// none: a book that is empty, has a lesser epoch, or has the same and is another, gets an epoch above that one's.
	// Errors: [ErrTaken] when a node of that id lives.
	Enter(ctx context.Context, n Node, last Lease) (Lease, error)
	// Renew renews a node's lease. Errors: [ErrDead] when it is over.
	Renew(ctx context.Context, id call.NodeID) (Lease, error)
	// Leave ends a node's run. Errors: [ErrDead].
	Leave(ctx context.Context, id call.NodeID) error
	// Say writes facts that the node says: flows, callers, shifts, places, regulars. Errors: [ErrDead].
	Say(ctx context.Context, id call.NodeID, facts ...call.SiteFact) error
	// Claim takes an agent for a call of the node. Errors: [ErrTaken], [ErrNoFlow], [ErrDead].
	Claim(ctx context.Context, id call.NodeID, agent, callID string) (call.Token, error)
	// Mark writes when the first 18x came, or the 200. A claim that is not there is passed over.
	Mark(ctx context.Context, c call.SiteClaim) error
	// Release gives a claim back. A claim that is not there is passed over.
	Release(ctx context.Context, id call.NodeID, r call.SiteRest) error
	// Clear ends an orphan. One that is not there is passed over.
	Clear(ctx context.Context, agent string, t call.Token) error
	// Raise makes sure that claims have greater tokens than this one from now on.
	Raise(ctx context.Context, t call.Token) error
	// Resume claims an agent for a leg that lives, by the token that it has: after the book was lost, or the node was
	// taken for dead. Errors: [ErrTaken], [ErrDead].
	Resume(ctx context.Context, c call.SiteClaim) error
	// Read reads the whole.
	Read(ctx context.Context) (View, error)
	// Follow returns what was written after a place in the log, the oldest first, once there is something, or nothing
	// after a while of the book's choosing that is shorter than a second. Errors: [ErrGap] when some of it is no more
	// there, or the book is another one than that of the place: it has to be read whole.
	Follow(ctx context.Context, after Place) ([]Entry, error)
}

// Errors of a Book.
var (
	// ErrDead: the node does not live, or not any more.
	ErrDead = errors.New("the node's lease is over")
	// ErrTaken: the agent is claimed, or the node's id is another's.
	ErrTaken = errors.New("taken")
	// ErrNoFlow: no living node has the agent's phone.
	ErrNoFlow = errors.New("the agent's phone is at no living node")
	// ErrGap: the log does not go on from there.
	ErrGap = errors.New("the log has a gap")
)

// Node is one run of a node, as the others must know it.
type Node struct {
	ID call.NodeID `json:"id"`
	// Name is the node's from run to run, as operators know it.
	Name string `json:"name"`
	// SIP is where its edge takes INVITEs of other nodes, HTTP where it answers them (host:port).
	SIP  string `json:"sip"`
	HTTP string `json:"http"`
	// Lease is for how long it lives after each renewal.
	Lease time.Duration `json:"lease"`
}

// Lease is what came of entering or renewing.
type Lease struct {
	// Now is the book's instant of it, Until when the lease ends.
	Now, Until time.Time
	// Book tells books apart: one that was lost and begun anew is another.
	Book string
	// Epoch is that of the claims made from now on.
	Epoch uint64
}

// Place is one in the log: opaque, and of one book only. The zero Place is before everything.
type Place string

// Entry is one step of the log.
type Entry struct {
	At    Place
	Facts []call.SiteFact
	// Node is set when a node entered, Dead when one left or was declared dead. Its flows, callers and claims are then
	// as the table says; no facts tell of each.
	Node *Node
	Dead call.NodeID
}

// View is the whole book at one instant.
type View struct {
	At    Place
	Now   time.Time
	Epoch uint64
	Nodes []Node // that live
	Facts []call.SiteFact
}
