package call

import "time"

// LeftPlace is a place in a queue that a caller who was not answered left, for them to take up again (acd.Center.Remember).
type LeftPlace struct {
	Queue string
	// Number of the caller, as a trunk asserted it.
	Number string
	// Entered is when the place was entered, over all calls that kept it; Left when the last of them ended.
	Entered, Left time.Time
	// CutOff: it was the hotline that ended the call.
	CutOff bool
}

// LeftPlace is the place in a queue that the caller of a finished call left, or lost, while waiting; false where there
// is none that could be taken up again by calling from the same number.
func (r *Record) LeftPlace() (p LeftPlace, ok bool) {
	if len(r.Visits) == 0 || r.From == "" || r.Private || !r.asserted() {
		return p, false
	}
	v := r.Visits[len(r.Visits)-1]
	cut := v.How == string(ReasonCrash) || v.How == string(ReasonShutdown)
	if v.Left == nil || !cut && v.How != string(Abandoned) {
		return p, false
	}
	p = LeftPlace{Queue: v.Queue, Number: r.From, Entered: v.Entered, Left: *v.Left, CutOff: cut}
	if v.Since != nil {
		p.Entered = *v.Since
	}
	if r.Ended != nil { // later, if a number outside was called in between
		p.Left = *r.Ended
	}
	return p, true
}

// leftPlace tells of the place of a caller who has left, and whose seat had ended before.
func (c *Call) leftPlace() {
	if p, ok := c.rec.LeftPlace(); ok && !p.CutOff {
		p.Left = time.Now()
		c.x.OnPlaceLeft(p)
	}
}

// keepPlace notes whether the place that was left is there to be come back to, as the call enters a stage: for the one who
// closes the record of a process that died meanwhile.
func (r *Record) keepPlace(at Next) {
	if n := len(r.Visits); n > 0 {
		v := &r.Visits[n-1]
		v.Kept = (at.Kind == Dial || at.Kind == Callback) && at.Queue == v.Queue && !at.Entered.IsZero()
	}
}

// dialledInVain notes how the stay in a queue ended whose caller was led to a number outside, and would have come back
// to the place if that was not reached, but left, or was cut off, before.
func (c *Call) dialledInVain(at, next Next) {
	if at.Queue != "" && !at.Entered.IsZero() && next.Kind == Done && c.whyLeft(next) != CauseWithdrawn {
		c.unbooked(next)
	}
}
