package claims

// rule is one of the protocol's that can be taken out, so that it is seen to matter.
type rule uint8

const (
	whole        rule = iota
	noGate            // the edge does not check anything
	noHighest         // the gate admits any token
	noLiveLeg         // the gate admits although a leg lives
	noDeadline        // the gate does not look at the deadline
	noHold            // a new gate opens at once
	noAsking          // a new gate opens after a while, without asking what the edges before know
	noAskingDead      // who is dead by the book is not asked
	hearsay           // who is asked tells on what was told
	noOwnerLegs       // who is asked says what its gates know, not what legs it owns
	noSureness        // an owner that is not sure gives the claim back as if it were
	noEpoch           // a new book begins in the same epoch; nor does a gate's answer raise its tokens
	anyEdge           // any node clears an orphan, not only its edge
	noRefuse          // an orphan is cleared without its token being refused
	noOwnerAsked      // an edge ends a leg that is not the book's without asking the owner
	silenceIsNo       // an owner that does not answer does not hold the call
	orphansOnly       // an edge judges orphans, not its legs
	noRingHold        // an orphan of a dead edge is cleared when its deadline is over
	noSurrender       // an owner keeps a leg whose agent is another's by now
	rashness          // an owner ends a leg whose agent is another's though its own lease held
	noRaise           // a gate's answer does not raise the book's tokens
	noSleepCheck      // who slept trusts its flows at once when the book is gone
	absence           // who is not in a new book is dead
	amnesia           // an owner forgets what it gave up without being sure: a view from before has it release that
	noReconcile       // nobody asks itself again
)
