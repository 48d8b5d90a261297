package forecast

import (
	"cmp"
	"slices"
	"time"

	"hotline/call"
)

// Day is what call records tell of one day: who came, how long they waited and talked, and what phones did.
type Day struct {
	// Stays are the callers' stays in queues, by their beginning. A caller who was handed on to another queue, or went
	// back to one, has several, each of which counts as one who comes.
	Stays []Stay
	// Left is what a replay of the day leaves out.
	Left   Left
	offers map[string][]call.Offer
	active map[string][]Shift
}

// Stay is one stay as it was.
type Stay struct {
	Outcome
	// Cut: neither answered nor given up, but ended by something else, such as a callback or the hotline's stop.
	Cut bool
	// Agent is who answered.
	Agent string
}

// promiseLatest is when the promise clock starts at the latest (design, section 5).
const promiseLatest = time.Second

// ReadDay reads records; cycle is the length of a ring. Calls that agents made, and stays that have not ended, are
// left out.
func ReadDay(records []call.Record, cycle time.Duration) *Day {
	d := &Day{offers: map[string][]call.Offer{}, active: map[string][]Shift{}}
	made := callbacksMade(records)
	for i := range records {
		r := &records[i]
		again := made.playsElse(r)
		d.Left.read(r, again)
		if r.Queue != "" {
			d.read(r, again, cycle)
		}
	}
	slices.SortStableFunc(d.Stays, func(a, b Stay) int { return a.At.Compare(b.At) })
	for i := range d.Stays {
		d.Stays[i].Index = i
	}
	return d
}

func (d *Day) read(r *call.Record, again func(call.Visit) bool, cycle time.Duration) {
	for _, v := range r.Visits {
		if v.Left != nil && v.Queue != "" && !again(v) {
			d.Stays = append(d.Stays, stayOf(r, v, cycle))
		}
	}
	for _, o := range r.Offers {
		if o.Ended != nil && o.Agent != "" { // else it is a number outside
			d.offers[o.Agent] = append(d.offers[o.Agent], o)
			d.active[o.Agent] = append(d.active[o.Agent], Shift{o.Agent, o.Sent, *o.Ended})
		}
	}
	for _, t := range r.Talks {
		if t.Agent != "" && t.Ended != nil {
			d.active[t.Agent] = append(d.active[t.Agent], Shift{t.Agent, t.Answered, *t.Ended})
		}
	}
}

// How visits end, as records have them.
const (
	answered  = "answered"
	abandoned = "abandoned"
	callback  = "callback"
)

// calledBack are the last of the calls that were made for each wish to be called back, by the wish's id.
type calledBack map[string]*call.Record

func callbacksMade(records []call.Record) calledBack {
	last := calledBack{}
	for i := range records {
		r := &records[i]
		if r.Kind != call.KindCallback || r.Callback == "" || r.Queue == "" {
			continue
		}
		if l := last[r.Callback]; l == nil || !r.Started.Before(l.Started) {
			last[r.Callback] = r
		}
	}
	return last
}

// playsElse tells which stays of a call are those of a caller who is in the day already, with the last call back to
// them: it has the place that the caller kept, and the talk. The stay in which the wish was said, and the calls in which
// nobody was reached, are no callers besides.
func (m calledBack) playsElse(r *call.Record) func(call.Visit) bool {
	last := m[r.Callback]
	return func(v call.Visit) bool {
		return last != nil && last != r && (r.Kind == call.KindCallback || v.How == callback)
	}
}

func stayOf(r *call.Record, v call.Visit, cycle time.Duration) Stay {
	s := Stay{Outcome: Outcome{
		Caller: Caller{Queue: v.Queue, At: v.Entered}, Answered: v.How == answered, Turned: v.Overflow, Wait: v.Left.Sub(v.Entered),
	}}
	s.Cut = !s.Answered && v.How != abandoned
	for _, o := range r.Offers {
		if o.Sent.Before(v.Entered) || o.Sent.After(*v.Left) {
			continue
		}
		clock := o.Sent.Add(promiseLatest)
		if o.Rung != nil && o.Rung.Before(clock) {
			clock = *o.Rung
		}
		if !clock.After(*v.Left) || s.Answered {
			s.Rings = call.RingsOf(v.Left.Sub(clock), cycle)
		}
		break
	}
	if i := talkOf(r, v); i >= 0 {
		s.Talk, s.Agent = r.Talks[i].Ended.Sub(r.Talks[i].Answered), r.Talks[i].Agent
	}
	return s
}

// talkOf is the index of the talk that a visit led to; -1 when it led to none, or to none that has ended.
func talkOf(r *call.Record, v call.Visit) int {
	if v.How != answered || v.Left == nil {
		return -1
	}
	return slices.IndexFunc(r.Talks, func(t call.TalkRecord) bool { return t.Ended != nil && !t.Answered.Before(*v.Left) })
}

// Talks are the lengths of the talks that came from a queue; of all, for an empty name.
func (d *Day) Talks(queue string) (talks []time.Duration) {
	for _, s := range d.Stays {
		if s.Talk > 0 && (queue == "" || s.Queue == queue) {
			talks = append(talks, s.Talk)
		}
	}
	return talks
}

// Waits are the waits of a queue, and whether each ended by the caller's giving up; of all, for an empty name.
func (d *Day) Waits(queue string) (waits []Wait) {
	for _, s := range d.Stays {
		if queue == "" || s.Queue == queue {
			waits = append(waits, Wait{Lasted: s.Wait, GaveUp: !s.Answered && !s.Cut})
		}
	}
	return waits
}

// awayAfter is after how long without an offer or a talk an agent counts as not having been there.
const awayAfter = time.Hour

// Shifts are when agents were there, as far as records tell: from the first offer or talk to the last, but for breaks
// of more than an hour.
func (d *Day) Shifts() (shifts []Shift) {
	for _, active := range d.active {
		slices.SortFunc(active, func(a, b Shift) int { return a.From.Compare(b.From) })
		last := active[0]
		for _, s := range active[1:] {
			if s.From.Sub(last.To) > awayAfter {
				shifts = append(shifts, last)
				last = s
			}
			if s.To.After(last.To) {
				last.To = s.To
			}
		}
		shifts = append(shifts, last)
	}
	slices.SortFunc(shifts, func(a, b Shift) int { return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Agent, b.Agent)) })
	return shifts
}

// Queues are the queues that an agent was offered calls of.
func (d *Day) Queues(agent string) (queues []string) {
	for _, o := range d.offers[agent] {
		if o.Queue != "" && !slices.Contains(queues, o.Queue) {
			queues = append(queues, o.Queue)
		}
	}
	return queues
}

// failures are how offers end that are not answered, as records have them, and what the phone does then. One that was
// withdrawn tells nothing of the phone.
var failures = map[string]call.Cause{
	"refused":     call.CauseDeclined,
	"busy":        call.CauseBusy,
	"unanswered":  call.CauseNoAnswer,
	"unreachable": call.CauseUnreachable,
}

// rings are what an agent's phone did that day; every phone's, for an empty name.
func (d *Day) rings(agent string) (rings []Ring) {
	names := []string{agent}
	if agent == "" {
		names = names[:0]
		for id := range d.offers {
			names = append(names, id)
		}
		slices.Sort(names)
	}
	for _, id := range names {
		for _, o := range d.offers[id] {
			ring := Ring{After: o.Ended.Sub(o.Sent)}
			known := o.How == answered
			if !known {
				ring.Why, known = failures[o.How]
			}
			if known {
				rings = append(rings, ring)
			}
		}
	}
	return rings
}
