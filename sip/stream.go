package sip

import (
	"hotline/call"
	"hotline/media"
)

// openStream opens the stream of a leg to be. A fault of ours that closes it ends the leg that it belongs
// to by then: nobody is heard on it any more, and an owner who is told can find the caller another agent. What is
// found out about its audio is told to that leg's owner.
func (u *UA) openStream(o media.StreamOptions) (media.Stream, error) {
	var s media.Stream
	opened := make(chan struct{})
	defer close(opened)
	o.OnFault = func() {
		u.background("fault", func() {
			<-opened
			if l := u.legs.withStream(s); l != nil {
				l.Hangup(call.CauseError)
			}
		})
	}
	o.OnFact = func(f media.Fact) {
		<-opened // long since: a fact takes its time
		u.learned(s, f)
	}
	var err error
	s, err = u.o.Engine.Open(o)
	return s, err
}
