package sip

import (
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
)

// tryingMost is the latest that an INVITE is owed a response, be it 100 (RFC 3261 section 17.2.1). sipgo's transaction
// sees to that by itself, unless the INVITE came again meanwhile.
const tryingMost = 200 * time.Millisecond

// tryLater sends 100 (Trying) when no other response has been given within Options.TryingAfter.
func (x *exchange) tryLater() {
	after := min(x.ua.o.TryingAfter, tryingMost)
	if after <= 0 {
		x.try()
		return
	}
	x.trying.Store(time.AfterFunc(after, func() {
		if !x.ua.tasks.enter() {
			return
		}
		defer x.ua.tasks.leave()
		defer x.ua.contain("trying", nil)
		x.try()
	}))
}

// try sends 100, unless something else was sent.
func (x *exchange) try() {
	if !x.begun.Swap(true) {
		x.reply(sipmsg.StatusTrying)
	}
}

// begin notes that a response is given, so that no 100 is owed any more.
func (x *exchange) begin() {
	x.begun.Store(true)
	if t := x.trying.Load(); t != nil { // else it is being made, and will find that nothing is owed
		t.Stop()
	}
}
