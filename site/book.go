package site

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"hotline/call"
)

// Book is what the nodes of a site share. Every method changes or reads it in one step, in an order that all nodes see
// alike, and writes what it changed into the log: the view at one place and the entries after it are the view at a later
// one, but for what ends by the clock. Instants are of the book's own clock. Methods may be called from any goroutine.
// Besides the errors named, all return what went wrong on the way, wrapped; then it is not known whether the book was
// changed.
//
//	method  | if                                                    | then
//	Enter   | no node of that id lives                              | the node lives until now + lease; its facts are its own to say
//	Renew   | the node lives                                        | it lives until now + lease
//	Leave   | the node lives                                        | as if declared dead, at once
//	Say     | the node lives                                        | facts are written, see below
//	Claim   | it lives, the agent has a flow of a living edge and no claim | claimed by a token greater than all before
//	Mark    | the claim has this token and is the process's         | rung or answered is written
//	Release | the same                                              | it is no more, and its rest is written
//	Abandon | the same                                              | it is an orphan
//	Clear   | the claim has this token and is an orphan             | it is no more
//	Raise   | the token is greater than the greatest                | it is the greatest
//	Resume  | the node lives; the agent has no claim, an orphan, one of a lesser token, or this one by a run of the same process | claimed by that token
//
// A node lives from Enter until its lease is over. Enter and Renew, of whichever node and whatever comes of them, declare
// the nodes dead whose leases are over; the log says so of each. A node that is declared dead leaves nothing of its own:
// its flows and its callers go (what places the callers keep, their queues' desks know and say), its claims are orphans.
// Flows come back with the node that says them.
//
// What is said is the speaker's: whatever edge or owner a fact names, it is taken to be the node itself. What changes
// nothing is not written into the log.
//
//	fact     | is written, unless
//	Flow     | another process's living edge has one that is not older (since)
//	FlowGone | the flow is another process's
//	Caller   | (always)
//	Gone     | the caller is another process's
//	Rest     | it names a token: then nothing of the batch is, and it is an error; instants that it leaves out stay
//	Shift    | (always); a plain one too is kept: who missed it must not take an older one for what holds
//	Place    | it is over, or that number has one of a later Left; one that was taken is forgotten
//	Regular  | it is too old, or that number has a later one
//	Claim    | claims are made, not said: an error as above
//
// Places end at their Until, regulars by [Bounds]; of places, regulars, rests and shifts there are at most as many as
// [Bounds] says, and those go first that end first or were said the longest ago.
type Book interface {
	// Enter begins a run of a node. last is the lease that the process had last, of any run and book; zero if it had
	// none: a book that is empty, has a lesser epoch, or has the same and is another, gets an epoch above that one's.
	// Errors: [ErrTaken] when a node of that id lives, [ErrRange].
	Enter(ctx context.Context, n Node, last Lease) (Lease, error)
	// Renew renews a node's lease. Errors: [ErrDead] when it is over.
	Renew(ctx context.Context, id call.NodeID) (Lease, error)
	// Leave ends a node's run. Errors: [ErrDead].
	Leave(ctx context.Context, id call.NodeID) error
	// Say writes facts that the node says, in their order: flows, callers, shifts, places, regulars, and rests without a
	// token. Errors: [ErrDead].
	Say(ctx context.Context, id call.NodeID, facts ...call.SiteFact) error
	// Claim takes an agent for a call of the node. Errors: [ErrDead], then [ErrTaken], then [ErrNoFlow].
	Claim(ctx context.Context, id call.NodeID, agent, callID string) (Grant, error)
	// Mark writes when the first 18x came, or the 200, as far as c tells. A claim that is not there is passed over.
	Mark(ctx context.Context, c call.SiteClaim) error
	// Release gives a claim back: nothing rings or talks by it any more. A claim that is not there, or is of another call
	// than the rest names (if it names one), is passed over.
	Release(ctx context.Context, id call.NodeID, r call.SiteRest) error
	// Abandon gives a claim back whose phone may ring or talk yet. One that is not there is passed over.
	Abandon(ctx context.Context, id call.NodeID, agent string, t call.Token) error
	// Clear ends an orphan. One that is not there is passed over.
	Clear(ctx context.Context, agent string, t call.Token) error
	// Raise makes sure that claims have greater tokens than this one from now on. A book that nobody entered passes it
	// over. Errors: [ErrRange].
	Raise(ctx context.Context, t call.Token) error
	// Resume claims an agent for a leg that lives, by the token that it has: after the book was lost, or the node was
	// taken for dead. Errors: [ErrTaken], [ErrDead], [ErrRange].
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
	// ErrRange: an epoch or n is above MaxToken.
	ErrRange = errors.New("a token out of range")
)

// MaxToken is the greatest epoch, and the greatest n, that a book deals with: above it, scripts that reckon in floating
// point would not tell two tokens apart. At a million claims a second it lasts for 285 years.
const MaxToken = 1<<53 - 1

// Bounds are how much a book keeps of what nobody takes back. The zero Bounds are not used: see [DefaultBounds].
type Bounds struct {
	// Log is how many entries the log keeps at least, LogFor for how long at most.
	Log    int
	LogFor time.Duration
	// Places and Regulars are how many are kept of each, Agents how many rests, and how many shifts.
	Places, Regulars, Agents int
	// RegularsFor is for how long a regular is kept after its At.
	RegularsFor time.Duration
}

// DefaultBounds are for a site of some thousand agents.
func DefaultBounds() Bounds {
	return Bounds{
		Log: 32_768, LogFor: 10 * time.Minute, Places: 20_000, Regulars: 100_000, Agents: 20_000,
		RegularsFor: 30 * 24 * time.Hour,
	}
}

// Node is one run of a node, as the others must know it.
type Node struct {
	ID call.NodeID `json:"id"`
	// Name is the node's from run to run, as operators know it.
	Name string `json:"name"`
	// SIP is where its edge takes INVITEs of other nodes, HTTP where it answers them (host:port).
	SIP  string `json:"sip"`
	HTTP string `json:"http"`
	// Lease is for how long it lives after each renewal: a millisecond to a minute.
	Lease time.Duration `json:"lease"`
}

// Check reports what is wrong with a node that is about to enter a book.
func (n Node) Check() error {
	switch {
	case n.ID.Process() == "" || len(n.ID) > 128 || strings.ContainsFunc(string(n.ID), func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Errorf("enter the book: the node's id %q is not PROCESS.RUN, of at most 128 visible ASCII characters", n.ID)
	case n.Lease < time.Millisecond || n.Lease > time.Minute:
		return fmt.Errorf("enter the book as node %s: a lease of %s is not between 1ms and 1m", n.ID, n.Lease)
	}
	return nil
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

// Grant is a claim that was made.
type Grant struct {
	Token call.Token
	// Edge is the node that holds the agent's flow.
	Edge call.NodeID
	// Now is the book's instant of the claim, Until when the owner's lease ends, and with it the claim if it is not
	// renewed. Epoch is the token's.
	Now, Until time.Time
	Epoch      uint64
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
	// Cleared is set when an orphan was cleared: it is no more, and left no rest. That a claim was abandoned, the claim
	// itself tells, as a fact.
	Cleared *call.SiteClaim
}

// View is the whole book at one instant.
type View struct {
	At    Place
	Now   time.Time
	Epoch uint64
	Nodes []Node // that entered, and neither left nor were declared dead; by their ids
	// Facts are flows, callers, claims, rests, shifts, places and regulars, in this order, and of each kind by agent, call,
	// or queue and number.
	Facts []call.SiteFact
}
