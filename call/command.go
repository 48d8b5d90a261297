package call

import (
	"time"

	"hotline/media"
)

// Command is something the outside asks of a call: it is put in the call's mailbox and acted on by
// the goroutine that owns the call. Exactly the types below implement it.
type Command interface{ command() }

// KeyPressed says that a party pressed a key.
type KeyPressed struct {
	Leg LegID
	Key media.Key
	At  time.Time
}

// Reoffered says that a party's phone sent a new offer in a re-INVITE (hold, resume, codec, address). The owner
// calls Accept, which answers it, or Refuse; one of the two, once.
type Reoffered struct {
	Leg LegID
	At  time.Time
	// Accept answers with what the leg's stream makes of the offer; held is the stream's Held after.
	Accept func() (held bool, err error)
	Refuse func(why Cause)
}

// MediaChanged says that a party's phone answered an offer of ours in its ACK (a re-INVITE without one,
// RFC 3261 section 14.1), and whether it holds us now.
type MediaChanged struct {
	Leg  LegID
	Held bool
	At   time.Time
}

// HangUp ends the call (drain's deadline, an operator).
type HangUp struct {
	Why Reason
}

func (KeyPressed) command()   {}
func (Reoffered) command()    {}
func (MediaChanged) command() {}
func (HangUp) command()       {}

// mailboxSize bounds what may wait for a call's owner: type-ahead of a caller in menus and a burst of
// re-INVITEs fit; a flood does not, and its sender is told to try later.
const mailboxSize = 32
