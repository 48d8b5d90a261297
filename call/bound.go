package call

import "time"

// What a caller, or phones that never answer, could make grow for hours is bounded in the record: the first half and
// the last half are kept as they were, and what lay between is counted in the entry that follows it.

// MaxVisits is how many stays a record keeps. A caller can press keys that lead from queue to queue for hours.
const MaxVisits = 100

// MaxOffers is how many offers a record keeps; those that are open are kept besides. Phones that never answer can be
// rung for a caller for hours.
const MaxOffers = 100

// MaxMessages is how many messages a caller may leave in one call: each is a recording, and none is left out.
const MaxMessages = 20

// VisitsLeftOut is what a record keeps of the stays that came before one and are not in it.
type VisitsLeftOut struct {
	Count int `json:"count"`
	// Waited is how long all of them lasted, and FirstWaited those of them that were before the first agent's answer.
	Waited      time.Duration `json:"waited_ns"`
	FirstWaited time.Duration `json:"first_waited_ns"`
}

// plus adds one more that has ended, and those that it had left out itself; waited and first are how long it lasted.
func (l VisitsLeftOut) plus(v *Visit, waited, first time.Duration) VisitsLeftOut {
	return VisitsLeftOut{
		Count:       l.Count + 1 + v.LeftOut.Count,
		Waited:      l.Waited + waited + v.LeftOut.Waited,
		FirstWaited: l.FirstWaited + first + v.LeftOut.FirstWaited,
	}
}

// enter adds a stay, and returns its index: the last. All others have ended.
func (r *Record) enter(v Visit) (index int) {
	r.Visits = append(r.Visits, v)
	if len(r.Visits) > MaxVisits {
		r.leaveOut(MaxVisits / 2)
	}
	return len(r.Visits) - 1
}

// leaveOut counts the stay at an index in the one after it. Nobody has answered yet, or the first answer is known, so
// that no later one changes what was waited until then.
func (r *Record) leaveOut(index int) {
	v, next := &r.Visits[index], &r.Visits[index+1]
	waited, first := v.lasted(), time.Duration(0)
	if len(r.Talks) == 0 || v.Entered.Before(r.Talks[0].Answered) {
		first = waited
	}
	next.LeftOut = next.LeftOut.plus(v, waited, first)
	r.Visits = append(r.Visits[:index], r.Visits[index+1:]...)
}

// lasted is how long a stay lasted; nothing while it does.
func (v *Visit) lasted() time.Duration {
	if v.Left == nil {
		return 0
	}
	return v.Left.Sub(v.Entered)
}

// AddOffers adds offers to those kept, and leaves out of the middle those that have ended, down to the bound. It changes
// what kept has in its place.
func AddOffers(kept []Offer, more ...Offer) []Offer {
	kept = append(kept, more...)
	const half = MaxOffers / 2
	over, last := len(kept)-MaxOffers, len(kept)-half
	if over <= 0 {
		return kept
	}
	out, left := kept[:half], 0
	for i := half; i < len(kept); i++ {
		o := kept[i]
		o.LeftOut += left
		left = 0
		if over > 0 && i < last && o.Ended != nil {
			over--
			left = o.LeftOut + 1
			continue
		}
		out = append(out, o)
	}
	clear(kept[len(out):])
	return out
}

// CountOffers is how many offers there were, those left out included.
func CountOffers(kept []Offer) (n int) {
	for i := range kept {
		n += 1 + kept[i].LeftOut
	}
	return n
}
