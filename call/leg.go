package call

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"hotline/media"
)

// LegID names one leg, unique in the process. It is not the SIP Call-ID.
type LegID string

// Leg is one party on the line. Package sip has the real one; call/calltest has a scripted one that
// passes the same suite.
//
// All methods may be called from any goroutine, but by convention only the call's owner does. None
// blocks on the net but those that say so.
type Leg interface {
	ID() LegID
	// Context is alive while the leg is. It is cancelled with a *LegEnd as its cause, once, by the
	// packet (or timeout) that ended the leg.
	Context() context.Context
	// Ring sends 180 on a leg that came in and is not answered. Repeating it is allowed.
	Ring() error
	// Answer sends the 200 of a leg that came in, and returns when it was sent. It does not wait for
	// the ACK: the leg resends, and ends itself with CauseNoAck if none comes (RFC 3261 13.3.1.4). It
	// waits for the PRACK, where the 200 may not be sent before one (RFC 3262 section 3: our offer went out
	// in a reliable 18x), until the leg ends with CauseNoAck for want of it, at most 64·T1.
	// Answering twice does nothing and returns the first instant.
	Answer() (time.Time, error)
	// Hangup ends the leg from our side: a final response if it was never answered (which one, the
	// table in sip/reply.go says by cause), CANCEL if we are still ringing it, BYE otherwise. It
	// cancels Context with a *LegEnd{By: System} and does not wait for the far end. Idempotent.
	Hangup(why Cause)
	// Ask has the far end prove, within its dialog and in the background, that it is there: one that gives no sign of
	// that in 64·T1, be it audio, or does not know of the dialog any more, loses its leg with CauseNoMedia. Any other
	// answer is life.
	// While it is being asked, before the leg is answered, and when it has ended, Ask does nothing.
	Ask()
	// Mend has audio agreed on anew, in the background, by a re-INVITE with a fresh offer. It is Ask besides.
	Mend()
	// Belongs names the call that the leg belongs to from now on: what is sent and received is kept
	// under it.
	Belongs(callID string)
	// Audio is the leg's stream; it is closed by the leg when the leg ends.
	Audio() media.Stream
	// Attach hands the leg's commands (keys, re-INVITEs, later REFER) to its owner's mailbox. post
	// must not block; false means full, and the far end is told to try later. Before the first
	// Attach commands are answered as if the mailbox were full. A new Attach replaces the old one:
	// the old owner gets nothing any more once it returns. Nil lets go.
	Attach(post func(Command) bool)
}

// RelayedLeg is what a leg of an agent's phone that was rung by a claim can do besides: the phone may be registered at another
// node, and outlive it.
type RelayedLeg interface {
	Leg
	// Dialog is the SIP Call-ID.
	Dialog() string
	// Settled is closed once nothing rings or talks by the leg any more, or the phone has had its time to say so: later than the
	// leg's context ends.
	Settled() <-chan struct{}
	// Reroute has all that is asked of the phone go by way of the node at door (HOST:PORT), where it is registered now, since the
	// node that it was rung through is dead. It does not wait for the phone.
	Reroute(door string)
}

// Party is who ended a leg.
type Party string

// Far is the person or device at the other end, System is us.
const (
	Far    Party = "far"
	System Party = "system"
)

// Cause is the closed set of why a leg ended, or why it is to be ended.
type Cause string

// The causes. Package sip maps them to and from responses in sip/reply.go.
const (
	CauseNone        Cause = ""            // nothing went wrong
	CauseBye         Cause = "bye"         // hung up in the ordinary way
	CauseCancel      Cause = "cancel"      // the caller gave up before an answer
	CauseNoAck       Cause = "no-ack"      // no ACK to our 200, or no PRACK to our reliable 18x, in 64·T1
	CauseTransport   Cause = "transport"   // the flow or connection is gone
	CauseNoMedia     Cause = "no-media"    // nothing is heard, and the far end answers nothing in its dialog any more
	CauseSilent      Cause = "silent"      // the far end answers nothing in its dialog any more
	CauseExpired     Cause = "expired"     // the far end did not refresh the session in time (RFC 4028), or a number outside was talked to for as long as it may be
	CauseBusy        Cause = "busy"        // 486, 600
	CauseDeclined    Cause = "declined"    // 603, 480, other refusals by the person
	CauseUnreachable Cause = "unreachable" // no response, 408, 430, 5xx; of an agent's phone 404 too
	CauseNoAnswer    Cause = "no-answer"   // rang to its limit
	CauseWithdrawn   Cause = "withdrawn"   // we took the offer back
	CauseElsewhere   Cause = "elsewhere"   // another agent answered first
	CauseNotFound    Cause = "not-found"   // no such number: none of ours, or none that the carrier knows
	CauseForbidden   Cause = "forbidden"
	CauseShutdown    Cause = "shutdown"
	CauseOverload    Cause = "overload"
	CauseTaken       Cause = "taken" // the agent is another call's: another node was first, or the phone's edge says so
	CauseError       Cause = "error" // a fault of ours
)

// LegEnd is the cause with which a leg's context is cancelled.
type LegEnd struct {
	By  Party
	Why Cause
	// At is when the packet that ended the leg arrived or was sent (carries the monotonic clock).
	At time.Time
}

func (e *LegEnd) Error() string { return fmt.Sprintf("leg ended by %s: %s", e.By, e.Why) }

// EndOf returns how a leg ended, and whether it has. A context cancelled by anything else than the
// leg itself counts as ended by the system, now.
func EndOf(l Leg) (LegEnd, bool) {
	ctx := l.Context()
	if ctx.Err() == nil {
		return LegEnd{}, false
	}
	if e, ok := errors.AsType[*LegEnd](context.Cause(ctx)); ok {
		return *e, true
	}
	return LegEnd{By: System, Why: CauseError, At: time.Now()}, true
}

// RingRequest asks for an agent's phone to be rung.
type RingRequest struct {
	Agent string // id (工号), as registered
	// From is the caller's number to show on the agent's phone; Display a text beside it.
	From, Display string
	// CallID is the call the phone is rung for.
	CallID string
	// Private: the caller's number is not to be shown.
	Private bool
	// Prefer is the caller's codec, to be put first.
	Prefer media.Codec
	// Progress is told each 18x as it arrives, on any goroutine; it must not block.
	Progress func(code int, at time.Time)
	// Claim is the site's word that the agent is for this call; nil where a node is alone.
	Claim *RingClaim
}

// RingClaim is a claim as the INVITE that is made under it carries it to the phone's edge (docs/cluster.md).
type RingClaim struct {
	Token Token
	// Owner is the node whose call it is, Edge the one at which the phone is registered; they may be the same.
	Owner, Edge NodeID
	// Via is where the edge takes INVITEs of other nodes (host:port); empty when the edge is this node.
	Via string
	// Phone is where the edge sees the phone, if it is another node and has told: SiteFlow.At.
	Phone netip.Addr
	// Until is the instant, of this node's clock, from which on no INVITE of this claim may reach the phone any more.
	Until time.Time
}

// RingError is why an agent's phone, or a number outside, did not answer.
type RingError struct {
	Why  Cause // CauseBusy, CauseDeclined, CauseUnreachable, CauseWithdrawn, CauseElsewhere, CauseNoAnswer, CauseTaken; see Dialer
	Code int   // the SIP status, 0 when none came
	At   time.Time
	// Unsure: it is not certain that the phone neither rings nor talks any more. A claim is then not given back by its
	// owner, but left to the phone's edge, as an orphan.
	Unsure bool
	// Above is the highest token that the phone's edge has seen, where it refused the ring's; zero otherwise.
	Above Token
}

func (e *RingError) Error() string { return fmt.Sprintf("ring failed: %s (%d)", e.Why, e.Code) }

// CancelCause wraps a Cause so that it can cancel a context: the ring whose context is cancelled with
// it is withdrawn for that reason.
type CancelCause struct{ Why Cause }

func (e CancelCause) Error() string { return string(e.Why) }

// Incoming is a call that passed the door.
type Incoming struct {
	Leg Leg
	// At is where the number dialled leads.
	At Next
	// From and To are the caller's number, as the trunk asserts it, and the number dialled.
	From, To string
	// Trunk is the trunk's name, or Agent the id of the agent whose phone it came from.
	Trunk, Agent string
	// Unproven: From is what the caller's side says, and no trunk that is believed.
	Unproven bool
	// Private: the caller asked for their number not to be shown (RFC 3323, RFC 3325), as the trunk says.
	Private bool
	// Diverted is how the call got to us, as the trunk says, the last diversion first.
	Diverted []Diversion
	// Shed: no line was left but one of those held back for alarms, and the number dialled leads to a menu by
	// which a caller can get there. The caller is asked whether it is one.
	Shed bool
	// Received is when the INVITE arrived.
	Received time.Time
}
