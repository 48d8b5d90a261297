package call

import (
	"time"
)

// Record is what is kept of a call (design, section 4). Visits, Offers and Talks are the facts; the
// fields under "derived" are computed from them by Derive and never set otherwise.
type Record struct {
	ID    string `json:"id"`
	From  string `json:"from"`
	To    string `json:"to"`
	Trunk string `json:"trunk,omitempty"`
	// Node is the one of several whose call it was, by its name; empty where a node is alone.
	Node     string     `json:"node,omitempty"`
	MenuPath string     `json:"menu_path"` // "main/2": menu and key, step by step
	Started  time.Time  `json:"started"`   // INVITE received
	Accepted *time.Time `json:"accepted"`  // our 200 to the caller
	Ended    *time.Time `json:"ended"`

	// Answers are what menus learnt from and about the caller, by the names that menus give them: keyed
	// digits, what look-ups said. Personal data.
	Answers map[string]string `json:"answers,omitempty"`
	// Language is the one that a menu was told to go on in; empty for the service's.
	Language string `json:"language,omitempty"`

	// Kind is [KindCallback] for a call that was made to call somebody back, who is then its From; [KindSupervision] for a
	// supervisor's, who hears the one that Origin names; empty for all others. Callback names what was booked, in that call and in the one, Origin, in which it was asked for.
	Kind     string `json:"kind,omitempty"`
	Callback string `json:"callback,omitempty"`
	Origin   string `json:"origin,omitempty"`

	// Private: the caller asked for their number not to be shown.
	Private bool `json:"private,omitempty"`
	// Unproven: nobody who is believed says that the caller's number is theirs.
	Unproven bool `json:"unproven,omitempty"`
	// Diverted is how the call got to us, the last diversion first.
	Diverted []Diversion `json:"diverted,omitempty"`

	Visits []Visit      `json:"visits"`
	Offers []Offer      `json:"offers"`
	Talks  []TalkRecord `json:"talks"`
	// Decisions are why the desk rang whom it rang, in order.
	Decisions []Decision `json:"decisions,omitempty"`
	// Message is what the caller left word of, the last if that was done more than once; nil when nothing.
	// EarlierMessages are those before it, in order; see MaxMessages.
	Message         *MessageRecord  `json:"message,omitempty"`
	EarlierMessages []MessageRecord `json:"earlier_messages,omitempty"`
	// Survey is what the caller said of the service, in order.
	Survey []Score `json:"survey,omitempty"`
	// Legs are how the audio of those who were on the line was, in order.
	Legs []LegAudio `json:"legs,omitempty"`
	// Transfers are what agents' phones asked for by REFER, in order.
	Transfers []Transfer `json:"transfers,omitempty"`

	// Supervisions are the times that a supervisor was on the line, in order.
	Supervisions []Supervision `json:"supervisions,omitempty"`

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
	Queue       string     `json:"queue"` // the first; empty for a call that an agent made
	Agent       string     `json:"agent"` // the first who answered
	Queued      *time.Time `json:"queued"`
	Answered    *time.Time `json:"answered"` // the first agent's 200; who took an overflow outside is none
	Joined      *time.Time `json:"joined"`
	Rings       int        `json:"rings"` // of the promise clock; 0 when no agent's phone was rung
	RingsMet    *bool      `json:"rings_met"`
	WaitSeconds float64    `json:"wait_seconds"`
	// FirstWaitSeconds is what was waited until the first agent answered: all, if nobody did. The service level
	// is judged by it, since a caller who is handed on later was answered all the same.
	FirstWaitSeconds float64 `json:"first_wait_seconds"`
	TalkSeconds      float64 `json:"talk_seconds"`
	HoldSeconds      float64 `json:"hold_seconds"`
	// Holds is how often a caller was put on hold, and LongestHoldSeconds the longest of them that has ended.
	Holds              int     `json:"holds"`
	LongestHoldSeconds float64 `json:"longest_hold_seconds"`
	TalkMet            *bool   `json:"talk_met"`
	// MOS is that of the leg that was heard worst, 1 to 4.41; 0 when none is known.
	MOS float64 `json:"mos,omitempty"`
}

// Visit is one stay in one queue.
type Visit struct {
	Queue   string     `json:"queue"`
	Entered time.Time  `json:"entered"`
	Left    *time.Time `json:"left"`
	How     string     `json:"how"` // answered, abandoned, moved, overflow, callback, failed, shutdown, crash; empty while it lasts
	// Overflow is why the queue turned the caller away, if it did: How says overflow, or abandoned if the caller left
	// while the number outside was called to which that led.
	Overflow Overflow `json:"overflow,omitempty"`
	// Rejoined: the caller, back after having left while waiting, took up the place of who entered at Since. The wait
	// counts from Entered all the same.
	Rejoined bool       `json:"rejoined,omitempty"`
	Since    *time.Time `json:"since,omitempty"`
	// Kept: the caller, who has left, is being asked about a callback, or a number outside is being called, and the place
	// is there to come back to. Only while that lasts.
	Kept bool `json:"kept,omitempty"`
	// LeftOut are the stays between the one before and this one that the record does not keep, see MaxVisits.
	LeftOut VisitsLeftOut `json:"left_out,omitzero"`
}

// Offer is one agent's phone being rung for the call.
type Offer struct {
	Agent  string     `json:"agent"`
	Number string     `json:"number,omitempty"` // in place of an agent: a duty number outside
	Queue  string     `json:"queue"`
	Sent   time.Time  `json:"sent"` // our INVITE
	Rung   *time.Time `json:"rung"` // first 18x
	Ended  *time.Time `json:"ended"`
	How    string     `json:"how"`   // answered, refused, busy, unanswered, unreachable, withdrawn, crash; taken where another call had the agent, so that nothing rang
	Rings  int        `json:"rings"` // of this offer: from its own first 18x
	// LeftOut is how many offers between the one before and this one the record does not keep, see MaxOffers.
	LeftOut int `json:"left_out,omitempty"`
}

// Diversion is one stop on a call's way to us (RFC 5806, RFC 7044).
type Diversion struct {
	From   string `json:"from"`             // the number that sent the call on
	Reason string `json:"reason,omitempty"` // such as no-answer, user-busy, unconditional
	Header string `json:"header"`           // diversion, or history-info
}

// Transfer is one wish of an agent's phone to connect the caller with somebody else.
type Transfer struct {
	At   time.Time `json:"at"`
	By   string    `json:"by"`   // the agent
	Kind string    `json:"kind"` // blind, attended
	// To is whom: agent:ID, queue:NAME, menu:NAME, or number:NUMBER. The last is personal data.
	To    string     `json:"to"`
	Ended *time.Time `json:"ended"`
	How   string     `json:"how"` // done, crash, or the Cause of its failure; empty while it is under way
}

// TalkRecord is one agent's part of a call.
type TalkRecord struct {
	Agent    string     `json:"agent"`
	Number   string     `json:"number,omitempty"` // in place of an agent: a party outside
	Queue    string     `json:"queue"`
	Answered time.Time  `json:"answered"`
	Joined   *time.Time `json:"joined"`
	Ended    *time.Time `json:"ended"`
	Release  Release    `json:"release"`
	Holds    []Hold     `json:"holds"`
	// Code is what the agent said of the talk; nil while nothing was said.
	Code *WrapUpCode `json:"code,omitempty"`
}

// Hold is one time the agent's phone put the caller on hold; in a call that an agent made, one time either of the two
// held the other.
type Hold struct {
	From time.Time  `json:"from"`
	To   *time.Time `json:"to"`
}
