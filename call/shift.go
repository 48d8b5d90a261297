package call

import (
	"errors"
	"time"
)

// Shift is what an agent chose, as opposed to what the agent's phone does: it outlives a registration, and a
// restart. The zero value but for Agent is what holds until an agent chooses: logged in to every queue, and
// not paused.
type Shift struct {
	Agent string `json:"agent"`
	// Paused: no calls of queues; Reason says why, in the agent's words or by a digit of theirs, and Since
	// from when on.
	Paused bool      `json:"paused"`
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since,omitzero"`
	// Out are the queues that the agent has logged out of, in the order of their names.
	Out []string `json:"out,omitempty"`
	// All: the agent has logged out of every queue, of those too that they will serve later.
	All bool `json:"all,omitempty"`
}

// Plain reports whether the agent chose nothing that would have to be remembered.
func (s Shift) Plain() bool { return !s.Paused && len(s.Out) == 0 && !s.All }

// AutoPause is the reason of a pause that the desk ordered, after offers left unanswered.
const AutoPause = "auto"

// Shifts act on what an agent's phone dials. Package acd.
type Shifts interface {
	// Do acts on a feature code, digits that follow it included, and returns the prompt that tells the agent
	// what came of it, with an error too. Errors: those below, or the desk's own when it is not running.
	Do(agent, dialled string) (prompt string, err error)
}

// Why an agent's wish was refused; they are told apart by packages acd, web and cmd.
var (
	// ErrNoAgent: no agent has that id.
	ErrNoAgent = errors.New("no such agent")
	// ErrNotServed: the agent does not have the skill of that queue.
	ErrNotServed = errors.New("the agent does not serve that queue")
	// ErrLoggedOut: the agent is logged out, of the queue named or of all.
	ErrLoggedOut = errors.New("the agent is not logged in")
	// ErrNoWrapUp: the agent is not in wrap-up after a talk.
	ErrNoWrapUp = errors.New("the agent is not in wrap-up")
	// ErrWrapUpMax: the wrap-up is as long as it may become.
	ErrWrapUpMax = errors.New("the wrap-up cannot become longer")
	// ErrNoTalk: there is no talk of a queue that a code could be given to, or not any more.
	ErrNoTalk = errors.New("no talk to give a code to")
	// ErrBadCode: the queue of that talk has no such code, or nothing is dialled by it.
	ErrBadCode = errors.New("no such code")
)

// Day is what an agent did today, by the records of the calls that began today and have ended.
type Day struct {
	// Calls are the talks for queues, Hangups those of them that the agent ended first.
	Calls   int `json:"calls"`
	Hangups int `json:"hangups"`
	// Own are the calls that came from no queue: dialled by the agent, or by somebody who asked for the agent.
	Own int `json:"own"`
}

// Count adds one talk of the agent's.
func (d *Day) Count(t *TalkRecord) {
	if t.Queue == "" {
		d.Own++
		return
	}
	d.Calls++
	if t.hungUpByAgent() {
		d.Hangups++
	}
}
