package forecast

import (
	"slices"
	"time"

	"hotline/acd"
	"hotline/call"
)

// Left counts what of a day a replay leaves out, or plays otherwise than it was.
type Left struct {
	// Transferred are the callers' calls that an agent handed on. One who was sent to a queue, or to an agent, who is
	// waited for in a queue too, has a stay of it, which is played as that of a caller who comes then.
	Transferred int
	// Talks of callers' calls besides the one that a stay led to are not played: with who took over a consultation, or
	// with a number outside. TalkTime is their sum.
	Talks    int
	TalkTime time.Duration
	// Overflows are the stays that the queue ended. After Onward of them the caller came to another queue, and does so
	// at that time whatever becomes of the stay before.
	Overflows, Onward int
	// Callbacks are the stays that ended with a wish to be called back, and nobody was that day; they last on when played.
	// CalledBack are the callers who were: their one stay began when they first came.
	Callbacks, CalledBack int
	// Cut are the stays that a fault, a stop of the hotline or the alarm's key ended; they last on when played.
	Cut int
	// Rejoined are the stays in the place of an earlier one; played, they begin at the queue's end.
	Rejoined int
	// Duty are the rings of numbers outside in place of an agent; nobody outside is rung.
	Duty int
	// Outside are the calls that agents made. They lasted OutsideTime, in which the agents are free when played.
	Outside     int
	OutsideTime time.Duration
	// Unqueued are the callers' calls that came to no queue, and Open the stays that had not ended: neither is played.
	Unqueued, Open int
}

// read counts a record; again are the stays that are played with another one.
func (l *Left) read(r *call.Record, again func(call.Visit) bool) {
	switch {
	case r.MadeBy() != "":
		l.Outside++
		if r.Ended != nil {
			l.OutsideTime += r.Ended.Sub(r.Started)
		}
		return
	case r.Queue == "":
		l.Unqueued++
		return
	}
	const done = "done" // as records have it
	if slices.ContainsFunc(r.Transfers, func(t call.Transfer) bool { return t.How == done }) {
		l.Transferred++
	}
	if r.Kind == call.KindCallback && !again(call.Visit{}) {
		l.CalledBack++
	}
	for _, o := range r.Offers {
		if o.Agent == "" {
			l.Duty++
		}
	}
	played := map[int]bool{}
	for i, v := range r.Visits {
		if !again(v) {
			l.visit(v, i+1 < len(r.Visits))
		}
		played[talkOf(r, v)] = true
	}
	for i, t := range r.Talks {
		if !played[i] {
			l.Talks++
			if t.Ended != nil {
				l.TalkTime += t.Ended.Sub(t.Answered)
			}
		}
	}
}

// visit counts a stay, and whether the call came to a queue again after it.
func (l *Left) visit(v call.Visit, again bool) {
	const overflow = "overflow" // as records have it
	switch {
	case v.Left == nil:
		l.Open++
	case v.How == overflow:
		l.Overflows++
		if again {
			l.Onward++
		}
	case v.How == callback:
		l.Callbacks++
	case v.How != answered && v.How != abandoned:
		l.Cut++
	}
	if v.Rejoined {
		l.Rejoined++
	}
}

// Strangers are who talked that day and is no agent of the desk, and how many talks they had. They are played, with
// skills at level 1 for the queues that rang them.
func (r Replay) Strangers() (agents, talks int) {
	seen := map[string]bool{}
	for _, s := range r.Day.Stays {
		if s.Agent != "" && !slices.ContainsFunc(r.Desk.Agents, func(a acd.Agent) bool { return a.ID == s.Agent }) {
			seen[s.Agent] = true
			talks++
		}
	}
	return len(seen), talks
}
