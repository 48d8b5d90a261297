package claims

// rule is one of the protocol's that can be taken out, so that it is seen to matter.
type rule uint8

const (
	whole         rule = iota
	noHighest          // the gate admits any token
	noLiveLeg          // the gate admits although a leg lives
	noDeadline         // the gate does not look at the deadline
	noRetryCheck       // the gate does not look again when the INVITE is sent again
	lateDeadline       // the deadline counts from the INVITE, not from the claim's request
	noHold             // a new gate opens at once
	noAsking           // a new gate opens after a while, without asking what the edges before know
	noAskingDead       // who is dead by the book is not asked
	hearsay            // who is asked tells on what was told
	noOwnerLegs        // who is asked says what its gates know, not what legs it owns
	noSureness         // an owner that is not sure gives the claim back as if it were
	noEpoch            // a new book begins in the same epoch
	anyEdge            // any node clears an orphan, not only its edge
	noRefuse           // an orphan is cleared without its token being refused
	noEnding           // an orphan is cleared although its leg lives
	noOwnerAsked       // an edge ends an orphan's leg without asking the owner
	orphansOnly        // an edge judges orphans, not its legs
	noRingHold         // an orphan of a dead edge is cleared when its deadline is over
	noResume           // a leg that lives is not claimed again
	noSurrender        // an owner keeps a leg whose agent is another's by now
	noRaise            // a gate's answer does not raise the book's tokens
	noSince            // a phone's edge is who said so last
	noAskSince         // an ask does not tell when the phone came
	noOwnerMatch       // a claim is given back by its token alone
	noSleepCheck       // who slept trusts its flows at once when the book is gone
	lateGrant          // an answer is used although the offer was given up
	noReconcile        // nobody asks itself again
	silenceIsNo        // an owner that does not answer does not hold the call
	noDialogMatch      // an orphan's leg is known by its token alone
)
