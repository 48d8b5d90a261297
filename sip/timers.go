package sip

import (
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
)

// SetT1 sets the estimate of a round trip for the transactions of the whole process, since sipgo keeps its
// timers in package variables; T2 and T4 keep their ratio to it (RFC 3261 section 17.1.1.1 and table 4).
// It is called before the first New, by a program that gives Options.T1 the same value, or not at all.
func SetT1(t1 time.Duration) {
	if sipmsg.T1 != t1 {
		sipmsg.SetTimers(t1, resendMost*t1, lastMost*t1)
	}
}

// lastMost is T4, how long a message may be on the net, in T1: 5 s where T1 is 500 ms.
const lastMost = 10
