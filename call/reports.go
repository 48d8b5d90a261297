package call

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Errors of those who keep records (package store), told apart by those who read them.
var (
	// ErrNotFound: no call of that id.
	ErrNotFound = errors.New("no such call")
	// ErrFinished: the call's record is finished, and what was given is not written.
	ErrFinished = errors.New("call record is already finished")
	// ErrBadCursor: a cursor that no listing gave out.
	ErrBadCursor = errors.New("not a cursor of this listing")
	// ErrUnavailable: the database cannot be asked now. What calls give to be kept is kept meanwhile.
	ErrUnavailable = errors.New("call records cannot be read now")
)

// The bounds of Query.Limit.
const (
	DefaultLimit = 50
	MaxLimit     = 1000
)

// Query asks for a page of records, newest first by (Started, ID). Fields left zero do not narrow it.
type Query struct {
	// Limit of rows: 0 and below mean DefaultLimit, above MaxLimit means MaxLimit.
	Limit int
	// Before is the cursor that the page before this one ended with; empty asks for the first.
	Before string
	Result Result
	// Message asks for calls whose callers left a message, whatever else became of them.
	Message bool
	// Queue is the record's first queue, Agent the first who answered.
	Queue, Agent string
	// From and To bound Started: From <= Started < To.
	From, To time.Time
}

// Rows is Limit within its bounds.
func (q Query) Rows() int {
	if q.Limit <= 0 {
		return DefaultLimit
	}
	return min(q.Limit, MaxLimit)
}

// Match reports whether the record is one that the query asks for, its cursor and limit aside.
func (q Query) Match(r Record) bool {
	return (q.Result == "" || r.Result == q.Result) &&
		(!q.Message || r.Message != nil) &&
		(q.Queue == "" || r.Queue == q.Queue) &&
		(q.Agent == "" || r.Agent == q.Agent) &&
		(q.From.IsZero() || !r.Started.Before(q.From)) &&
		(q.To.IsZero() || r.Started.Before(q.To))
}

// Cursor is a place in a listing: just after (older than) one record.
type Cursor struct {
	Started time.Time
	ID      string
}

// CursorOf is the place just after r.
func CursorOf(r Record) Cursor { return Cursor{Started: r.Started, ID: r.ID} }

// String is the cursor as clients hold it; opaque to them, safe in a URL.
func (c Cursor) String() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %s", c.Started.UnixNano(), c.ID))
}

// Newer reports whether the record comes before the cursor in a listing, that is on an earlier page.
func (c Cursor) Newer(r Record) bool {
	if !r.Started.Equal(c.Started) {
		return r.Started.After(c.Started)
	}
	return r.ID >= c.ID
}

// ParseCursor reads what String wrote. Errors: ErrBadCursor.
func ParseCursor(s string) (Cursor, error) {
	text, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return Cursor{}, fmt.Errorf("%w: %w", ErrBadCursor, err)
	}
	started, id, found := strings.Cut(string(text), " ")
	if !found {
		return Cursor{}, ErrBadCursor
	}
	nanos, err := strconv.ParseInt(started, 10, 64)
	if err != nil {
		return Cursor{}, fmt.Errorf("%w: %w", ErrBadCursor, err)
	}
	return Cursor{Started: time.Unix(0, nanos), ID: id}, nil
}

// Summary is what came of the calls that began within a span of time. It is counted from records,
// never from counters; calls in progress count for what their record already says.
type Summary struct {
	// Offered are the calls that entered a queue and were answered or have ended.
	Offered int
	// Answered are the calls an agent answered.
	Answered int
	// Abandoned are those of Offered whose caller left first.
	Abandoned int
	// AnsweredWithin are those of Answered that waited no longer than the service level's time T,
	// AbandonedAfter those of Abandoned that waited longer.
	AnsweredWithin, AbandonedAfter int
	// Waited is what the callers of Answered waited for their first agent, all together; LongestWait what the one of
	// Offered waited who waited longest, for an agent or in vain. Both are cut to whole microseconds.
	Waited, LongestWait time.Duration
	// RingsMet and RingsMissed are the calls whose record gives a verdict on the first promise.
	RingsMet, RingsMissed int
	// TalkMet and TalkMissed are the calls whose record gives a verdict on the second promise.
	TalkMet, TalkMissed int
}

// Count adds one record, with within the service level's time T.
func (s *Summary) Count(r Record, within time.Duration) {
	count := func(when bool, n *int) {
		if when {
			*n++
		}
	}
	queued := r.Queue != "" && !r.calledBack() // who is called back counts in the call before
	answered := queued && r.Answered != nil
	abandoned := queued && !answered && r.Result == Abandoned
	intime := r.FirstWaitSeconds <= within.Seconds()
	count(answered || queued && r.Ended != nil, &s.Offered)
	count(answered, &s.Answered)
	count(abandoned, &s.Abandoned)
	count(answered && intime, &s.AnsweredWithin)
	count(abandoned && !intime, &s.AbandonedAfter)
	waited := time.Duration(r.FirstWaitSeconds*1e6) * time.Microsecond
	if answered {
		s.Waited += waited
	}
	if answered || queued && r.Ended != nil {
		s.LongestWait = max(s.LongestWait, waited)
	}
	count(r.RingsMet != nil && *r.RingsMet, &s.RingsMet)
	count(r.RingsMet != nil && !*r.RingsMet, &s.RingsMissed)
	count(r.TalkMet != nil && *r.TalkMet, &s.TalkMet)
	count(r.TalkMet != nil && !*r.TalkMet, &s.TalkMissed)
}

// ServiceLevel is answered within T ÷ (answered + abandoned after T), 0..1; ok is false when no call
// counts.
func (s Summary) ServiceLevel() (level float64, ok bool) {
	return share(s.AnsweredWithin, s.Answered+s.AbandonedAfter)
}

// ServiceLevelOfAnswered is answered within T ÷ answered, 0..1.
func (s Summary) ServiceLevelOfAnswered() (level float64, ok bool) {
	return share(s.AnsweredWithin, s.Answered)
}

// ConnectRate (接通率) is answered ÷ offered, 0..1.
func (s Summary) ConnectRate() (rate float64, ok bool) { return share(s.Answered, s.Offered) }

// MeanWait is what a caller who was answered waited for the first agent, on average.
func (s Summary) MeanWait() (wait time.Duration, ok bool) {
	if s.Answered == 0 {
		return 0, false
	}
	return s.Waited / time.Duration(s.Answered), true
}

// RingsKept is the share of verdicts on the first promise that say it was kept, 0..1.
func (s Summary) RingsKept() (kept float64, ok bool) {
	return share(s.RingsMet, s.RingsMet+s.RingsMissed)
}

// TalkKept is the share of verdicts on the second promise that say it was kept, 0..1.
func (s Summary) TalkKept() (kept float64, ok bool) { return share(s.TalkMet, s.TalkMet+s.TalkMissed) }

func share(part, whole int) (float64, bool) {
	if whole == 0 {
		return 0, false
	}
	return float64(part) / float64(whole), true
}

// add counts what another has counted of other calls.
func (s *Summary) add(o Summary) {
	s.Offered += o.Offered
	s.Answered += o.Answered
	s.Abandoned += o.Abandoned
	s.AnsweredWithin += o.AnsweredWithin
	s.AbandonedAfter += o.AbandonedAfter
	s.Waited += o.Waited
	s.LongestWait = max(s.LongestWait, o.LongestWait)
	s.RingsMet += o.RingsMet
	s.RingsMissed += o.RingsMissed
	s.TalkMet += o.TalkMet
	s.TalkMissed += o.TalkMissed
}

// Summaries are the summaries of a span of time by the calls' first queue; what entered none is at "".
type Summaries map[string]Summary

// Count adds one record, with within the service level's time.
func (s Summaries) Count(r Record, within time.Duration) {
	n := s[r.Queue]
	n.Count(r, within)
	s[r.Queue] = n
}

// Total is the summary of all calls.
func (s Summaries) Total() (all Summary) {
	for _, n := range s {
		all.add(n)
	}
	return all
}

// CloseCrashed finishes a record that a dead process left open. The call ended at the latest instant
// known: last (when the process was last known to live; may be zero) or the latest time in the record.
// What was open within it ends then too. A call whose parties were joined stays answered,
// and what was left of a message is one. A place that was kept is one that the crash has taken.
func (r *Record) CloseCrashed(last time.Time) {
	end := r.latest(last)
	r.Ended, r.Release, r.Reason = &end, BySystem, ReasonCrash
	r.Result = cmp.Or(r.came(), Failed)
	for i := range r.Visits {
		switch v := &r.Visits[i]; {
		case v.Left == nil:
			v.Left, v.How = &end, string(ReasonCrash)
		case v.Kept:
			v.Kept, v.How = false, string(ReasonCrash)
		}
	}
	for i := range r.Offers {
		if o := &r.Offers[i]; o.Ended == nil {
			o.Ended, o.How = &end, string(ReasonCrash)
		}
	}
	for i := range r.Transfers {
		if t := &r.Transfers[i]; t.Ended == nil {
			t.Ended, t.How = &end, string(ReasonCrash)
		}
	}
	r.closeSupervisions(end)
	for i := range r.Talks {
		t := &r.Talks[i]
		for j := range t.Holds {
			if t.Ended == nil && t.Holds[j].To == nil {
				t.Holds[j].To = &end
			}
		}
		if t.Ended == nil {
			t.Ended, t.Release = &end, BySystem
		}
	}
}

// latest is the latest instant that the record knows of, or last if that is later.
func (r *Record) latest(last time.Time) time.Time {
	see := func(times ...*time.Time) {
		for _, t := range times {
			if t != nil && t.After(last) {
				last = *t
			}
		}
	}
	see(&r.Started, r.Accepted, r.PromiseClock, r.Queued, r.Answered, r.Joined)
	for _, v := range r.Visits {
		see(&v.Entered, v.Left)
	}
	for _, o := range r.Offers {
		see(&o.Sent, o.Rung, o.Ended)
	}
	for _, t := range r.Transfers {
		see(&t.At, t.Ended)
	}
	for _, s := range r.Supervisions {
		see(&s.From, s.To)
	}
	for _, t := range r.Talks {
		see(&t.Answered, t.Joined, t.Ended)
		for _, h := range t.Holds {
			see(&h.From, h.To)
		}
	}
	return last
}
