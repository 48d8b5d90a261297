package call

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// RingsOf is how many rings have begun after an elapsed time: ⌊elapsed ÷ cycle⌋ + 1 (design, section
// 5). A promise of N rings is kept if and only if RingsOf ≤ N, which is elapsed < N·cycle.
func RingsOf(elapsed, cycle time.Duration) int {
	if cycle <= 0 {
		return 0
	}
	return int(max(elapsed, 0)/cycle) + 1
}

// Derive computes a record's derived fields from its facts. It can be repeated.
func Derive(r *Record, t Targets) {
	r.Queue, r.Queued = "", nil
	if len(r.Visits) > 0 && !r.agentMade() {
		r.Queue, r.Queued = r.Visits[0].Queue, &r.Visits[0].Entered
	}
	r.Agent, r.Answered, r.Joined = "", nil, nil
	var talked, held, longest time.Duration
	r.Holds = 0
	for i := range r.Talks {
		talk := &r.Talks[i]
		if r.Answered == nil && !r.overflowed(talk) {
			r.Answered = &talk.Answered
		}
		r.Agent = cmp.Or(r.Agent, talk.Agent)
		if r.Joined == nil {
			r.Joined = talk.Joined
		}
		if talk.Ended != nil {
			talked += talk.Ended.Sub(talk.Answered)
		}
		r.Holds += len(talk.Holds)
		for _, h := range talk.Holds {
			if h.To != nil {
				held += h.To.Sub(h.From)
				longest = max(longest, h.To.Sub(h.From))
			}
		}
	}
	r.WaitSeconds = waited(r, nil).Seconds()
	r.FirstWaitSeconds = waited(r, r.Answered).Seconds()
	r.TalkSeconds, r.HoldSeconds = talked.Seconds(), held.Seconds()
	r.LongestHoldSeconds = longest.Seconds()
	r.MOS = r.worstMOS()
	deriveRings(r, t)
	r.TalkMet = nil
	if r.Joined != nil && r.Ended != nil && !r.agentMade() {
		r.TalkMet = new(talked <= t.Talk)
	}
}

// waited is the sum of the stays, those after an instant left out; one that was answered ends with the agent's 200.
func waited(r *Record, until *time.Time) time.Duration {
	var sum time.Duration
	for i := range r.Visits {
		v := &r.Visits[i]
		if until == nil {
			sum += v.LeftOut.Waited
		} else {
			sum += v.LeftOut.FirstWaited
		}
		if until == nil || v.Entered.Before(*until) {
			sum += v.lasted()
		}
	}
	return sum
}

// deriveRings judges the first promise: from its clock's beginning to the first agent's 200, or to the end of a
// call that nobody answered, or to the answer of a number outside to which the queue led. Such a call has broken the
// promise if the rings were used up, and has not kept it either if they were not: RingsMet stays nil.
func deriveRings(r *Record, t Targets) {
	r.Rings, r.RingsMet = 0, nil
	if r.PromiseClock == nil || r.agentMade() {
		return
	}
	until, answered := r.Ended, false
	if len(r.Talks) > 0 {
		until, answered = &r.Talks[0].Answered, !r.overflowed(&r.Talks[0])
	}
	if until == nil {
		return
	}
	r.Rings = RingsOf(until.Sub(*r.PromiseClock), t.Cycle)
	if met := r.Rings <= t.Rings; answered || !met {
		r.RingsMet = &met
	}
}

// agentTrunk begins the trunk of a call that an agent's phone made; the agent's id follows.
const agentTrunk = "agent:"

// agentMade reports whether an agent's phone made the call. No promise is made to an agent, and no figure
// of the callers' counts such a call.
func (r *Record) agentMade() bool { return strings.HasPrefix(r.Trunk, agentTrunk) }

// asserted reports whether a trunk that is believed says that the caller's number is theirs.
func (r *Record) asserted() bool { return r.Trunk != "" && !r.agentMade() && !r.Unproven }

// OwnNumber is the number that was dialled if it is the hotline's; else it may be a customer's that an agent called,
// and the result is empty.
func (r *Record) OwnNumber() string {
	if r.agentMade() {
		return ""
	}
	return r.To
}

// unrecordedAgents is why a call between two agents has no recording.
const unrecordedAgents = "between agents"

// betweenAgents reports whether all that was talked was talked between agents, of nobody's call.
func (r *Record) betweenAgents() bool {
	return r.agentMade() && r.wasJoined() && !slices.ContainsFunc(r.Talks, func(t TalkRecord) bool { return !t.private() })
}

// private reports whether in a call that an agent made a talk was with a colleague, for no queue.
func (t *TalkRecord) private() bool { return t.Queue == "" && t.Agent != "" }

// wasJoined reports whether an agent, or somebody else who was called, and the caller ever heard each other.
func (r *Record) wasJoined() bool {
	return slices.ContainsFunc(r.Talks, func(t TalkRecord) bool { return t.Joined != nil })
}

// overflowed reports whether a talk was with a number outside to which a queue led that had turned the caller away. A
// duty number that the desk rang, or one that an agent handed the caller on to, is none.
func (r *Record) overflowed(t *TalkRecord) bool {
	how := ""
	for i := range r.Visits {
		if v := &r.Visits[i]; !v.Entered.After(t.Answered) {
			how = v.How
		}
	}
	return t.Agent == "" && t.Number != "" && how == howOverflow
}

// came is what came of the caller so far, whatever ends the call; empty while nothing has.
func (r *Record) came() (what Result) {
	if r.Message != nil {
		what = Message
	}
	for i := range r.Talks {
		switch t := &r.Talks[i]; {
		case t.Joined == nil:
		case !r.overflowed(t):
			return Answered
		default:
			what = Overflowed
		}
	}
	return what
}

// clone copies a record so that the copy shares nothing that its owner will change.
func (r *Record) clone() Record {
	c := *r
	c.Visits = slices.Clone(r.Visits)
	c.Offers = slices.Clone(r.Offers)
	c.Talks = slices.Clone(r.Talks)
	c.Decisions = slices.Clone(r.Decisions) // what is in one never changes
	c.Transfers = slices.Clone(r.Transfers)
	c.Supervisions = slices.Clone(r.Supervisions)
	c.Survey = slices.Clone(r.Survey)
	c.Legs = slices.Clone(r.Legs) // what they point to never changes
	c.Diverted = slices.Clone(r.Diverted)
	c.Answers = maps.Clone(r.Answers)
	for i := range c.Talks {
		c.Talks[i].Holds = slices.Clone(r.Talks[i].Holds)
	}
	return c
}
