package call

import (
	"time"

	"hotline/media"
)

// Command is something the outside asks of a call: it is put in the call's mailbox and acted on by
// the goroutine that owns the call. Exactly the types below implement it, and those of package call's own, [due] and [standDown].
type Command interface{ command() }

// KeyPressed says that a party pressed a key.
type KeyPressed struct {
	Leg LegID
	Key media.Key
	At  time.Time
}

// Reoffered says that a party's phone sent a new offer in a re-INVITE or UPDATE (hold, resume, codec, address). The owner
// calls Accept, which answers it, or Refuse; one of the two, once.
type Reoffered struct {
	Leg LegID
	At  time.Time
	// Accept answers with what the leg's stream makes of the offer; held is the stream's Held after.
	Accept func() (held bool, err error)
	Refuse func(why Cause)
}

// MediaChanged says that a party's phone answered an offer of ours, in its ACK (of a re-INVITE without one, RFC
// 3261 section 14.1) or in the 200 to a re-INVITE of ours, and whether it holds us now.
type MediaChanged struct {
	Leg  LegID
	Held bool
	At   time.Time
}

// AudioFact says what was found out about a party's audio.
type AudioFact struct {
	Leg  LegID
	Fact media.Fact
	At   time.Time
}

// Referred says that an agent's phone asked by REFER (RFC 3515) for the other party to be connected with
// somebody else. The owner answers the Referral, once, and tells it what becomes of the transfer.
type Referred struct {
	Leg LegID
	At  time.Time
	// To is where the other party is to go: a Next of kind Wait (a queue, or one agent) or Dial (a number
	// outside), or Route. Empty, with no Replaces: nobody can be reached by what the phone named. It is to be
	// refused, and the phone told why; it is here because a phone may hang up when it hears that.
	To Next
	// Replaces is the leg of ours, of the same agent, on which the party wanted is talked to already
	// (attended transfer, RFC 3891); empty for a blind one. To then says only whom that was.
	Replaces LegID
	Referral Referral
}

// Referral is a REFER on its way. Its methods do not block, and may be called after the leg has ended.
type Referral interface {
	// Accept answers 202, unless it was answered, for it was too late: then it reports false, and nothing may
	// come of it.
	Accept() bool
	// Refuse answers with the status of a cause, or with 202 and tells it, where as an answer it would end the
	// dialog (RFC 5057 section 5.1); unless it was answered.
	Refuse(why Cause)
	// Ringing tells the phone that the new party is being rung.
	Ringing()
	// Done tells the phone how it ended: CauseNone is success. Nothing is told after it.
	Done(why Cause)
	// Heard is when the phone acknowledged the last that it was told; now, while it has not. Zero when it was told
	// nothing but an answer.
	Heard() time.Time
}

// LetGo asks the call that an agent made (a consultation) for the party at its other end, for another call
// to take (attended transfer). Its owner lets go of that leg, calls Reply with it, and ends its own call;
// or calls Reply with what it was waiting for, and ends, if nobody has answered yet. Reply does not block;
// it reports whether the leg was taken: if not, it stays the owner's.
type LetGo struct {
	// By is the agent's leg in the call that is asked.
	By    LegID
	Reply func(LetGone) (taken bool)
}

// LetGone is the answer to LetGo, in the mailbox of the call that asked.
type LetGone struct {
	// Answer has the party's leg, nil when there is none to be had.
	Answer Answer
	// Talk is that party's talk as the other call's record has it.
	Talk TalkRecord
	// To is whom the call was still waiting for when nobody had answered yet: Kind is empty otherwise.
	To Next
}

// HangUp ends the call (drain's deadline, an operator).
type HangUp struct {
	Why Reason
}

// AlarmWaits says that a gas alarm has come in: agents who talk hear a tone, so that they hasten.
type AlarmWaits struct{}

func (KeyPressed) command()   {}
func (Reoffered) command()    {}
func (MediaChanged) command() {}
func (AudioFact) command()    {}
func (Referred) command()     {}
func (LetGo) command()        {}
func (LetGone) command()      {}
func (HangUp) command()       {}
func (AlarmWaits) command()   {}
func (due) command()          {}

// mailboxSize bounds what may wait for a call's owner: type-ahead of a caller in menus and a burst of
// re-INVITEs fit; a flood does not, and its sender is told to try later.
const mailboxSize = 32
