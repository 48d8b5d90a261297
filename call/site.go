package call

import (
	"net/netip"
	"strings"
	"time"

	"hotline/media"
)

// What several nodes that are one hotline (a site) tell each other, see docs/cluster.md. Each fact is said by one node,
// its owner, until it says something else or dies. Instants are of the clock of whoever reads them: package site turns
// them from the book's.

// NodeID names one run of one node, PROCESS.RUN: a node that is started again is another process, and one that was
// declared dead and came back is another run of the same process.
type NodeID string

// Process is what the runs of one process have in common: its calls, its flows and its memory.
func (n NodeID) Process() string {
	process, _, _ := strings.Cut(string(n), ".")
	return process
}

// SiteFlow is an agent's phone, as its edge sees it: the node at which it is registered.
type SiteFlow struct {
	Agent string    `json:"agent"`
	Edge  NodeID    `json:"edge"`
	Since time.Time `json:"since"`
	// Legs are the phone's live legs that came from no claim, such as calls that the agent dialled: while there is
	// one the agent is in talk.
	Legs int `json:"legs,omitempty"`
	// At is where the phone is as its edge sees it, for whoever is to say where its audio is to come; zero where that tells nothing,
	// such as behind a proxy of the edge's own host. The registrar says it; of a desk's word it is kept, so that a phone that has
	// just come has none for up to a second.
	At netip.Addr `json:"at,omitzero"`
}

// SiteCaller is a caller who waits, as the owner of the call sees it. It is gone with [SiteCallerGone].
type SiteCaller struct {
	Call  string `json:"call"`
	Owner NodeID `json:"owner"`
	Queue string `json:"queue"`
	// Agent, Once, From, Private, Asserted, Front, Stay and Prefer are the ticket's.
	Agent    string      `json:"agent,omitempty"`
	Once     bool        `json:"once,omitempty"`
	From     string      `json:"from,omitempty"`
	Private  bool        `json:"private,omitempty"`
	Asserted bool        `json:"asserted,omitempty"`
	Front    bool        `json:"front,omitempty"`
	Stay     bool        `json:"stay,omitempty"`
	Prefer   media.Codec `json:"prefer,omitempty"`
	// Entered is when the caller entered the queue, Came when this stay began (later for one who took a place up
	// again), and Regular the agent whom a regular caller waits for first.
	Entered time.Time `json:"entered"`
	Came    time.Time `json:"came"`
	Regular string    `json:"regular,omitempty"`
	// Order is when the caller entered by the clock of the site, in microseconds since 1970, as the caller's node reckoned it: a
	// number that is the same at all nodes, by which they serve callers in the same order. Zero: not told.
	Order int64 `json:"order,omitempty"`
	// Rejoined: the caller is back in the place of who entered then. It may become so while the caller waits: of one who
	// called again before it was known that the node of the call before is dead.
	Rejoined bool `json:"rejoined,omitempty"`
}

// SiteCallerGone tells that a caller waits no more, and how the stay ended, in the words of [Visit.How].
type SiteCallerGone struct {
	Call  string    `json:"call"`
	Owner NodeID    `json:"owner"`
	How   string    `json:"how"`
	At    time.Time `json:"at"`
	// Agent is who answered, if somebody did.
	Agent string `json:"agent,omitempty"`
}

// SiteClaim is an agent who is taken for a call: rung for it, or in talk.
type SiteClaim struct {
	Agent string `json:"agent"`
	Call  string `json:"call"`
	Owner NodeID `json:"owner"`
	// Edge is the node that held the agent's flow when it was claimed: if the owner dies it is that one's to see that
	// the phone is free, and nobody else's while it lives.
	Edge  NodeID    `json:"edge"`
	Token Token     `json:"token"`
	Since time.Time `json:"since"`
	// Rung and Answered are when the first 18x and the 200 came; zero while they have not.
	Rung     time.Time `json:"rung,omitzero"`
	Answered time.Time `json:"answered,omitzero"`
	// Orphan: the owner is dead, and whether the phone still rings or talks is not known.
	Orphan bool `json:"orphan,omitempty"`
}

// SiteRest is what a claim that was given back has left on its agent, or, without a token, what has changed of that
// since: a wrap-up that the agent made longer or ended, or a talk that came from no claim.
type SiteRest struct {
	Agent string `json:"agent"`
	// By is the node that says it.
	By    NodeID `json:"by,omitempty"`
	Token Token  `json:"token,omitzero"`
	// How the offer ended, in the words of [Offer.How]; "answered" for one that became a talk.
	How string `json:"how"`
	// Queue and Talked are of the talk, if there was one.
	Queue  string        `json:"queue,omitempty"`
	Talked time.Duration `json:"talked,omitempty"`
	// WrapUntil, RestUntil and AlarmRest are until when the agent wraps up, is passed over by queues, and is passed over
	// by alarms; Idle since when there is nothing to do. Zero says nothing.
	WrapUntil time.Time `json:"wrap_until,omitzero"`
	RestUntil time.Time `json:"rest_until,omitzero"`
	AlarmRest time.Time `json:"alarm_rest,omitzero"`
	Idle      time.Time `json:"idle,omitzero"`
	// Missed are the offers in a row left unanswered.
	Missed int `json:"missed,omitempty"`
	// Call is the claim's, with its token: after a failover of the book two claims may have the same one.
	Call string `json:"call,omitempty"`
}

// SitePlace is the place of a caller who left while waiting, to be taken up again by the same number until an instant.
type SitePlace struct {
	Queue   string    `json:"queue"`
	Number  string    `json:"number"`
	Entered time.Time `json:"entered"`
	Left    time.Time `json:"left"`
	Until   time.Time `json:"until"`
	// Taken: somebody took it up, at the instant Left; it is gone.
	Taken bool `json:"taken,omitempty"`
}

// SiteRegular is which agent a caller talked to last, for queues that prefer that agent for a while.
type SiteRegular struct {
	Queue  string    `json:"queue"`
	Number string    `json:"number"`
	Agent  string    `json:"agent"`
	At     time.Time `json:"at"`
}

// SiteFact is one fact: exactly one of its fields is set.
type SiteFact struct {
	Flow     *SiteFlow       `json:"flow,omitempty"`
	FlowGone *SiteFlow       `json:"flow_gone,omitempty"` // that flow, of that edge, is no more
	Caller   *SiteCaller     `json:"caller,omitempty"`
	Gone     *SiteCallerGone `json:"gone,omitempty"`
	Claim    *SiteClaim      `json:"claim,omitempty"`
	Rest     *SiteRest       `json:"rest,omitempty"` // the claim with this token was given back
	Shift    *Shift          `json:"shift,omitempty"`
	Place    *SitePlace      `json:"place,omitempty"`
	Regular  *SiteRegular    `json:"regular,omitempty"`
}

// SiteState is how a node stands to the others.
type SiteState string

// The states. What a node may do in each, docs/cluster.md says.
const (
	SiteSole    SiteState = "sole"    // there are no others: a node alone
	SiteJoining SiteState = "joining" // it does not know the whole yet
	SiteJoined  SiteState = "joined"
	SiteFading  SiteState = "fading" // its lease is about to end: it rings no agent of another edge
	SiteCut     SiteState = "cut"    // it goes on with the agents whose edge it is
)

// SiteNews is what package site tells a node's desk, in the order of the log.
type SiteNews struct {
	// Self is this node's id from now on, State how it stands.
	Self  NodeID
	State SiteState
	// Whole: Facts are all that is so; whatever is not among them is no more. It comes first, after each gap, and after
	// each time that the node was cut off.
	Whole bool
	Facts []SiteFact
	// Dead are nodes that left or were declared dead: their flows are gone, their callers have given their places up as
	// by a cut, and their claims are orphans. Those are told once the facts before have been.
	Dead []NodeID
	// Cleared are claims that are no more without a rest, such as orphans whose phones are free.
	Cleared []SiteClaim
}
