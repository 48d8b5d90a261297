package call

import (
	"time"
)

// Record is what is kept of a call (design, section 4). Visits, Offers and Talks are the facts; the
// fields under "derived" are computed from them by Derive and never set otherwise.
type Record struct {
	ID       string     `json:"id"`
	From     string     `json:"from"`
	To       string     `json:"to"`
	Trunk    string     `json:"trunk,omitempty"`
	MenuPath string     `json:"menu_path"` // "main/2": menu and key, step by step
	Started  time.Time  `json:"started"`   // INVITE received
	Accepted *time.Time `json:"accepted"`  // our 200 to the caller
	Ended    *time.Time `json:"ended"`

	Visits []Visit      `json:"visits"`
	Offers []Offer      `json:"offers"`
	Talks  []TalkRecord `json:"talks"`

	Release   Release `json:"release"`
	Result    Result  `json:"result"`
	Reason    Reason  `json:"reason"`
	Recording string  `json:"recording"` // name; empty when there is none
	// Unrecorded says why a joined call has no whole recording; empty when it has.
	Unrecorded string `json:"unrecorded,omitempty"`
	// NoticeHeard: the caller heard to its end that the call is recorded.
	NoticeHeard bool `json:"notice_heard,omitempty"`
	// PromiseClock is when the first promise's clock began, see Seat.
	PromiseClock *time.Time `json:"promise_clock"`

	// Derived.
	Queue       string     `json:"queue"` // the first
	Agent       string     `json:"agent"` // the first who answered
	Queued      *time.Time `json:"queued"`
	Answered    *time.Time `json:"answered"` // the first agent's 200
	Joined      *time.Time `json:"joined"`
	Rings       int        `json:"rings"` // of the promise clock; 0 when no agent's phone was rung
	RingsMet    *bool      `json:"rings_met"`
	WaitSeconds float64    `json:"wait_seconds"`
	TalkSeconds float64    `json:"talk_seconds"`
	HoldSeconds float64    `json:"hold_seconds"`
	TalkMet     *bool      `json:"talk_met"`
}

// Visit is one stay in one queue.
type Visit struct {
	Queue   string     `json:"queue"`
	Entered time.Time  `json:"entered"`
	Left    *time.Time `json:"left"`
	How     string     `json:"how"` // answered, abandoned, moved, shutdown, crash; empty while it lasts
}

// Offer is one agent's phone being rung for the call.
type Offer struct {
	Agent string     `json:"agent"`
	Queue string     `json:"queue"`
	Sent  time.Time  `json:"sent"` // our INVITE
	Rung  *time.Time `json:"rung"` // first 18x
	Ended *time.Time `json:"ended"`
	How   string     `json:"how"`   // answered, refused, busy, unanswered, unreachable, withdrawn, crash
	Rings int        `json:"rings"` // of this offer: from its own first 18x
}

// TalkRecord is one agent's part of a call.
type TalkRecord struct {
	Agent    string     `json:"agent"`
	Queue    string     `json:"queue"`
	Answered time.Time  `json:"answered"`
	Joined   *time.Time `json:"joined"`
	Ended    *time.Time `json:"ended"`
	Release  Release    `json:"release"`
	Holds    []Hold     `json:"holds"`
}

// Hold is one time the agent's phone put the caller on hold.
type Hold struct {
	From time.Time  `json:"from"`
	To   *time.Time `json:"to"`
}
