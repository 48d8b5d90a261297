package call

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// EventKind is the closed set of what is told while it can still be acted on. It is a metric's label.
type EventKind string

// The events. Half of a target is the warning, the whole of it the breach.
const (
	EventRingHalf     EventKind = "ring-half"     // half of the rings promised are used up
	EventRingBroken   EventKind = "ring-broken"   // the promise of the rings is broken
	EventTalkHalf     EventKind = "talk-half"     // half of the time promised for a talk is used up
	EventTalkBroken   EventKind = "talk-broken"   // the promise of the talk is broken
	EventHoldLong     EventKind = "hold-long"     // one hold is longer than targets.hold
	EventWaitLong     EventKind = "wait-long"     // the wait is over the service level's
	EventAlarm        EventKind = "alarm"         // a gas alarm has come in
	EventAlarmStep    EventKind = "alarm-step"    // its ladder went up a step
	EventOverflow     EventKind = "overflow"      // a queue turned a caller away
	EventAgentPaused  EventKind = "agent-paused"  // an agent was paused after offers left unanswered
	EventCallbackLost EventKind = "callback-lost" // a callback could not reach its caller
)

// EventKinds are all of them, in the order in which they are documented.
func EventKinds() []EventKind {
	return []EventKind{
		EventRingHalf, EventRingBroken, EventTalkHalf, EventTalkBroken, EventHoldLong, EventWaitLong, EventAlarm,
		EventAlarmStep, EventOverflow, EventAgentPaused, EventCallbackLost,
	}
}

// Event is one of them. From is personal data: who sends it on masks it unless asked not to.
type Event struct {
	Kind  EventKind
	At    time.Time
	Call  string // empty for one that is no call's
	Queue string
	Agent string
	From  string
	// Step is the alarm's step, or why a queue turned a caller away; empty for the others.
	Step string
	// Elapsed is what was used up, of Target; both 0 where there is no target.
	Elapsed, Target time.Duration
}

// ID names the event, for those who may be told of it twice: it follows from what happened, and when.
func (e Event) ID() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %d %q %q %q %q", e.Kind, e.At.UnixNano(), e.Call, e.Queue, e.Agent, e.Step))
	return hex.EncodeToString(sum[:16])
}
