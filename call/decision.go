package call

import "time"

// Decision is why the desk rang whom it rang, or turned a caller away: every decision explains itself. It is
// a fact of the record.
type Decision struct {
	At    time.Time `json:"at"`
	Queue string    `json:"queue"`
	// Rule is the strategy's name, or what stood above it: last-agent, direct, rescue, alarm:STEP.
	Rule string `json:"rule"`
	// Chosen are the agents rung by this decision, in order; empty when nobody could be.
	Chosen []string `json:"chosen"`
	// Candidates are the first ten of those who could be rung, in the order of the rule, the chosen included.
	Candidates []Candidate `json:"candidates"`
	// More is how many candidates there were besides.
	More int `json:"more,omitempty"`
	// Excluded counts those who serve the queue and could not be rung, by reason: the AgentStates, and
	// level (outside the caller's circle), elsewhere (logged out of this queue), rested (a delay after a
	// failed offer).
	Excluded map[string]int `json:"excluded"`
	// Later is how many decisions came after this one that were not kept, see MaxDecisions.
	Later int `json:"later,omitempty"`
}

// MaxDecisions is how many decisions a call keeps; those that follow are counted ([Decision.Later]). A caller
// who waits a day, with agents who never answer, comes to thousands.
const MaxDecisions = 200

// AddDecisions adds decisions to those kept, up to the bound. It changes what kept has in its place.
func AddDecisions(kept []Decision, more ...Decision) []Decision {
	for _, d := range more {
		if len(kept) < MaxDecisions {
			kept = append(kept, d)
			continue
		}
		kept[MaxDecisions-1].Later += 1 + d.Later
	}
	return kept
}

// Candidate is one agent who could be rung.
type Candidate struct {
	Agent string `json:"agent"`
	Level int    `json:"level"` // of the queue's skill, 1 to 9
	// Key is what the rule compares, in words: "idle 31.5 s", "4 calls".
	Key string `json:"key"`
}

// Overflow is the closed set of why a queue turns a caller away. It is a metric's label.
type Overflow string

// The reasons to be turned away.
const (
	QueueFull     Overflow = "full"              // as many wait as may
	QueueEmpty    Overflow = "empty"             // nobody is logged in who serves it
	QueueClosed   Overflow = "closed"            // outside its hours
	QueueTooLong  Overflow = "too-long"          // waited as long as one may
	QueueExpected Overflow = "expected-too-long" // the wait to be expected is longer than allowed
	QueueFault    Overflow = "fault"             // a fault of ours kept the caller from being matched
)

// Place is where a caller stands in a queue.
type Place struct {
	// Position counts from 1, the next to be served.
	Position int
	// Expected is the wait still to come, by the rate at which the queue is being served now; negative when
	// nothing is known yet.
	Expected time.Duration
}
