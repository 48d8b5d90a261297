package chaos

import (
	"sync"
	"time"
)

// leg is one call as an agent's phone saw it.
type leg struct {
	Agent  string
	CallID string
	From   string // the caller's number as shown
	// Owner is the node whose audio it is, by its address, Edge the one at which the phone was registered; -1: unknown.
	Owner, Edge int
	// Invited is when the INVITE came, Answered when the 200 went out, Ended when the phone was free again: it had said or heard
	// BYE, or given its final refusal. Zero while they have not.
	Invited, Answered, Ended time.Time
	How                      string
	Gaps                     []span // in which nothing was heard, from the 200 to the end, where longer than notedGap
	Marks                    map[mark]int
	Unmarked                 int
}

// How legs and attempts end.
const (
	endedBusy      = "busy, since another leg lived" // it is a second leg: what the first rule is about
	endedRefused   = "refused"
	endedCancelled = "cancelled"
	endedExpired   = "rang for as long as the INVITE said"
	endedByPhone   = "hung up here"
	endedByFar     = "hung up there"
	endedSilence   = "hung up here, since nothing was heard"
	endedNoAck     = "no ACK came"
	endedRunning   = "not over at the end"
	endedNoAnswer  = "nobody answered at all"
	endedRejected  = "refused there"
	endedPatience  = "gave up"
)

// attempt is one INVITE of a caller, as the caller saw it.
type attempt struct {
	Number  string // the caller's own, alike for all attempts of one caller
	Dialled string
	Node    int
	Mark    mark
	// Heard is the first 18x or 200; the call then exists for the caller. Refused is a final refusal's status.
	Invited, Heard, Answered, Ended time.Time
	Refused                         int
	How                             string
	Talked                          time.Time // an agent was heard first
	Gaps                            []span
	Marks                           map[mark]int
	Unmarked                        int
}

// fault is one that was made; Node is -1 where it is nobody's. Its time ends when all is whole again.
type fault struct {
	Kind string
	Node int
	span
}

// Kinds of faults.
const (
	faultKill     = "a node killed and started again"
	faultPause    = "a node stopped (SIGSTOP) and continued"
	faultDrain    = "a node drained and started again"
	faultCutState = "a node cut off from Redis"
	faultCutNodes = "a node cut off from the others"
	faultStateUp  = "Redis killed and started again empty"
	faultStateNo  = "Redis stopped (SIGSTOP) and continued"
	faultStoreUp  = "PostgreSQL killed and started again"
	faultStoreNo  = "PostgreSQL stopped (SIGSTOP) and continued"
)

// row is a call's record in the database.
type row struct {
	ID, From, Queue, Result, Reason, Node string
	Started                               time.Time
	Finished                              bool
	Rejoined                              bool
	Since                                 time.Time // of a visit that was rejoined: when the first place was entered
}

// diary is where phones and callers write down what they have seen.
type diary struct {
	mu       sync.Mutex
	legs     []leg
	attempts []attempt
}

func (d *diary) leg(l leg) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.legs = append(d.legs, l)
}

func (d *diary) attempt(a attempt) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.attempts = append(d.attempts, a)
}

// evidence is all that the judge reads.
type evidence struct {
	Agents   []string
	Legs     []leg
	Attempts []attempt
	Rows     []row
	Faults   []fault
	Stalls   []span // of the machine
	// Calm is the time after the last fault, in which every agent must be offered something.
	Calm span
	// Alone: one node without the others. It frees an agent when it sends BYE, which the next INVITE may overtake.
	Alone bool
	// Alarm and Scarce are the numbers that alarms dial, and those who wait for a queue with few agents.
	Alarm, Scarce string
}
