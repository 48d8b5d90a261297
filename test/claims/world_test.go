package claims

import (
	"time"

	"hotline/call"
	"hotline/site"
)

// How many there are of each. A node that was restarted is another process at the same place: its generation.
const (
	nodes       = 2
	agents      = 2
	callers     = 2
	generations = 2
	legs        = 6
)

// Spans, in ticks. They stand to each other as the real ones do: a ring outlives a lease, and an INVITE's deadline is
// shorter than both.
const (
	leaseFor = 3  // a node's lease
	margin   = 1  // with less than that left an owner rings no agent of another edge
	deadline = 2  // from the claim's request on, its INVITE may reach the phone
	expires  = 6  // a phone ends its ringing by itself (Expires of the INVITE)
	doubt    = 7  // a held gate opens although somebody has not answered, while the book is gone
	session  = 3  // a phone ends a talk with nobody at the other end (session timer, or its person)
	settled  = 26 // after which, with no faults, every phone is to be free
)

// began is tick 0.
var began = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

func at(tick int) time.Time { return began.Add(time.Duration(tick) * time.Second) }

// standing is how a node stands to the book.
type standing uint8

const (
	outside standing = iota // it has no lease yet
	joining                 // it has a lease, and has not said yet what it has
	joined
	cut // the book did not answer
)

// node is one node: what a process knows, and what is done to it.
type node struct {
	gen, run          uint8
	up, asleep, slept bool
	cutBook, cutPeers bool
	stands            standing
	lease             site.Lease // last, of any run
	until             int        // the lease's end as the node reckons it: from when the renewal was sent
	entered           int        // when it joined with this process
	newBook           int        // when the node had a book again, or another one
	view              *view      // read, and not acted upon yet
	read              int        // when
	lives             [nodes][generations]bool
	diedAt            [nodes][generations]int // when the node saw the death; never: not seen alive
	phones            [agents]edge
}

const never = -1

// edge is what a node knows of a phone as its edge.
type edge struct {
	gate   call.Gate
	here   bool
	since  int // of the registration, in the order of all registrations
	heldAt int
	asked  uint8         // bit of each place that has answered
	past   call.GatePast // what they said
	silent int           // for how long nobody has answered for the leg that goes through another edge
}

// phone is an agent's phone.
type phone struct {
	at, gen uint8 // where it is registered, as it believes
	count   int   // registrations
}

// waiting is how an owner's offer stands.
type waiting uint8

const (
	waits    waiting = iota // in the queue
	claiming                // the claim's answer is under way
	offered                 // a leg: rung, or in talk
	gone                    // answered and over, or hung up
)

// caller is one caller, at the owner of the same number.
type caller struct {
	gen    uint8 // of the owner
	stands waiting
	agent  uint8
	grant  site.Grant
	sent   int // when the claim was requested
	left   bool
	claims uint8 // that the caller may yet cause
}

// Stages of a message.
type passage uint8

const (
	unsent passage = iota
	flying
	late // it is under way for as long as it likes
	arrived
	dropped
)

// Stages of a leg, as the phone, the edge or the owner has them.
type stage uint8

const (
	nothing stage = iota
	refused       // by the gate: never rung
	trying
	ringing
	talking
	over
)

// deed is what an owner has to tell the book of a claim.
type deed uint8

const (
	noDeed deed = iota
	release
	abandon
	told
)

// leg is one INVITE and what became of it, as each of the three sees it.
type leg struct {
	used                bool
	agent, caller       uint8
	owner, ownerGen     uint8
	edge, edgeGen       uint8
	token               call.Token
	edgeID              call.NodeID
	until               int
	invite, forward     passage // owner to edge, edge to phone
	phone               stage
	phoneAt             int // since when it rings
	deadAt              int // since when nobody is at the other end of a talk
	edgeHas, ownerHas   stage
	ownerEnds, edgeEnds bool
	lapsed              bool // the owner's lease was over by its own clock
	dozes               bool // a talk with nobody there to hear or end it: stopped, dead or gone; until its owner has looked again
	ownerDone           bool
	forsaken            bool // its owner gave its claim up without being sure, and knows that it did
	deed                deed
}

// world is everything at one instant. It is copied for each step; what is behind pointers is never changed.
type world struct {
	env     *env
	now     int
	book    *ledger
	before  *ledger // the book without its last write
	bookUp  bool
	nodes   [nodes]node
	phones  [agents]phone
	callers [callers]caller
	legs    [legs]leg
	lonely  bool // the book stays away, and people hang up by themselves
	stale   ask  // a request that is under way for longer than it should
	left    budget
	broken  string // the rule that was broken
	doubted bool   // a gate was opened though not all could be asked; not part of the key
}

// ask is a node's question to another what it knows of a phone.
type ask struct {
	used      bool
	from, gen uint8
	to        uint8
	agent     uint8
	since     int
}

// budget is what may yet happen.
type budget struct{ faults, moves, restarts uint8 }

// env is what all worlds of a search share.
type env struct {
	without rule      // taken out of the protocol
	clock   time.Time // the book's
	faults  []kind    // that may happen
	size    size
	prelude []event // what happens before the search begins
	strict  bool    // no phone may be rung by a claim that is no more: as long as the book loses nothing
	doubts  bool    // a phone that is rung in doubt ends the schedule, since that is known to go wrong
	brisk   bool    // what a process tells itself, and an INVITE from the edge to the phone, takes no time
}

// size is how much of everything takes part.
type size struct {
	agents int
	claims [callers]uint8 // by each caller
	budget budget
}

func (w *world) running(n uint8) bool { return w.nodes[n].up && !w.nodes[n].asleep }

// linked reports whether two places reach each other by SIP and HTTP, if both run.
func (w *world) linked(n, m uint8) bool {
	return n == m || !w.nodes[n].cutPeers && !w.nodes[m].cutPeers
}

// serves reports whether the book answers a node.
func (w *world) serves(n uint8) bool { return w.bookUp && !w.nodes[n].cutBook }

// is reports whether that process still is the one at its place.
func (w *world) is(n, gen uint8) bool { return w.nodes[n].up && w.nodes[n].gen == gen }

// holds reports whether the owner of a leg is there and holds the call.
func (w *world) holds(l *leg) bool {
	return w.is(l.owner, l.ownerGen) && !l.ownerDone
}
