package acd

import (
	"context"
	"time"
)

// Deed is one thing that the desk did to an agent's phone: rang it for a call, or took it back.
type Deed struct {
	// Match is in which match, from 1; 0 is between matches, for something that the desk was told.
	Match       uint64
	Agent, Call string
	Rung        bool
	// For is the call that the match was at.
	For string
}

// Spy has told called with every deed, on the desk's goroutine. It is set before the desk is made.
func (o *Options) Spy(told func(Deed)) {
	o.now, o.outside = time.Now, spied{goroutines{}, told}
}

type spied struct {
	outside
	told func(Deed)
}

func (s spied) ring(d *desk, o *offer) context.CancelCauseFunc {
	s.tell(d, o, true)
	cancel := s.outside.ring(d, o)
	return func(cause error) {
		if cause != nil { // else it is over, and the context is freed
			s.tell(d, o, false)
		}
		cancel(cause)
	}
}

func (s spied) tell(d *desk, o *offer, rung bool) {
	deed := Deed{Agent: o.agent.ID, Call: o.caller.CallID, Rung: rung}
	if d.at != nil { // which it is only while the match is at somebody
		deed.Match, deed.For = d.round, d.at.CallID
	}
	s.told(deed)
}
