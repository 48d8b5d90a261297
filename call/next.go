package call

import (
	"slices"
	"time"
)

// Kind names a stage of a call.
type Kind string

// The stages. Each has one file, stage_*.go.
const (
	Route    Kind = "route"    // the number dialled decides
	Menu     Kind = "menu"     // the caller chooses
	Shed     Kind = "shed"     // no line was left but those held back for alarms: is it one?
	Wait     Kind = "wait"     // a seat in a queue
	Callback Kind = "callback" // a waiting caller asks to be called back, and keeps the place
	Reach    Kind = "reach"    // an agent is there for a callback, and its caller is being called
	Dial     Kind = "dial"     // a number outside is being called
	Talk     Kind = "talk"     // an agent and the caller hear each other
	Code     Kind = "code"     // an agent's phone dialled a feature code
	// Supervising: a supervisor's own call, in which they hear the talk of another.
	Supervising Kind = "supervise"
	Done        Kind = "done" // nothing follows but the record
)

// Next says where a call goes next. It is data, never a func, so that it can be journalled and taken
// up again by another process. Which fields mean something depends on Kind.
type Next struct {
	Kind Kind `json:"kind"`
	// Menu is the menu to enter (Menu), or the one that would have been entered (Shed).
	Menu string `json:"menu,omitempty"`
	// Queue is the queue to wait in (Wait), or the one the agent was found through (Talk).
	Queue string `json:"queue,omitempty"`
	// Agent is the agent wanted (Wait: nobody else will do) or the one talking (Talk).
	Agent string `json:"agent,omitempty"`
	// Once asks for one try (Wait): when the agent wanted cannot be rung now, or does not answer, the call
	// goes back to the head of Queue, or ends if there is none.
	Once bool `json:"once,omitempty"`
	// Number is the number outside (Dial, and Talk with whoever answered there).
	Number string `json:"number,omitempty"`
	// Code is what an agent's phone dialled (Code), such as *22.
	Code string `json:"code,omitempty"`
	// Call is the call whose talk is heard, and Mode how the supervisor takes part in it at first (Supervising).
	Call string `json:"call,omitempty"`
	Mode Mode   `json:"mode,omitempty"`
	// Leg is the agent's leg (Talk, Reach); the call's own table of legs has it.
	Leg LegID `json:"leg,omitempty"`
	// Entered is when the queue was entered (Wait); zero means now. It keeps a place over a restart, and (Dial,
	// Callback) while the caller may come back to it.
	Entered time.Time `json:"entered,omitzero"`
	// Front asks for the head of the queue (Wait).
	Front bool `json:"front,omitempty"`
	// Lost says that an agent was lost (Wait): the caller hears an apology.
	Lost bool `json:"lost,omitempty"`
	// Else is where the call goes when the number cannot be reached (Dial); nil: to the place that Entered keeps, else
	// it ends. Of one try (Wait) it is the queue in which the caller then waits, in the place that was kept.
	Else *Next `json:"else,omitempty"`
	// End is the verdict (Done).
	End End `json:"end,omitzero"`
}

// moves is the state table: from each stage, the stages that may follow. Run refuses any other and
// ends the call with reason ReasonBug, so that a stage's mistake is seen and costs one call.
var moves = map[Kind][]Kind{
	Route:    {Menu, Wait, Dial, Code, Done},
	Menu:     {Menu, Wait, Dial, Done},
	Shed:     {Wait, Done},
	Wait:     {Menu, Wait, Callback, Reach, Dial, Talk, Done},
	Callback: {Wait, Menu, Done},
	Reach:    {Wait, Talk, Done},
	Dial:     {Menu, Wait, Dial, Talk, Done},
	Talk:     {Menu, Wait, Dial, Talk, Done},
	Code:     {Supervising, Done},

	Supervising: {Done},

	Done: {},
}

// Allowed reports whether a call may go from one stage to another.
func Allowed(from, to Kind) bool { return slices.Contains(moves[from], to) }

// DoneWith is the Next that ends a call with a verdict.
func DoneWith(result Result, reason Reason) Next {
	return Next{Kind: Done, End: End{Result: result, Reason: reason}}
}
