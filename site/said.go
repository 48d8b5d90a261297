package site

import (
	"errors"
	"fmt"
	"time"

	"hotline/call"
)

// Said returns facts as a book writes them down when a node says them: copies, said by that node whatever owner or edge
// they name, with their instants in UTC and without the monotonic clock. For those who implement [Book]. Errors: one of
// them is none that is said, or not exactly one thing; then none is to be written.
func Said(id call.NodeID, facts []call.SiteFact) ([]call.SiteFact, error) {
	said := make([]call.SiteFact, 0, len(facts))
	for i, f := range facts {
		one, err := say(id, f)
		if err != nil {
			return nil, fmt.Errorf("fact %d of %d: %w", i+1, len(facts), err)
		}
		said = append(said, one)
	}
	return said, nil
}

var (
	errManyFacts = errors.New("it is not exactly one")
	errNotSaid   = errors.New("claims are made, marked and given back by methods of their own, not said")
	errNameless  = errors.New("it does not say of whom it is")
)

func say(id call.NodeID, f call.SiteFact) (s call.SiteFact, err error) {
	set, key := 0, ""
	if f.Flow != nil {
		v := *f.Flow
		v.Edge, v.Since, key = id, utc(v.Since), v.Agent
		s.Flow, set = &v, set+1
	}
	if f.FlowGone != nil {
		v := *f.FlowGone
		v.Edge, v.Since, key = id, utc(v.Since), v.Agent
		s.FlowGone, set = &v, set+1
	}
	if f.Caller != nil {
		v := *f.Caller
		v.Owner, v.Entered, v.Came, key = id, utc(v.Entered), utc(v.Came), v.Call
		s.Caller, set = &v, set+1
	}
	if f.Gone != nil {
		v := *f.Gone
		v.Owner, v.At, key = id, utc(v.At), v.Call
		s.Gone, set = &v, set+1
	}
	if f.Rest != nil {
		if f.Rest.Token != (call.Token{}) {
			return s, errNotSaid
		}
		v := RestUTC(*f.Rest)
		v.By = id
		s.Rest, key, set = &v, v.Agent, set+1
	}
	if f.Shift != nil {
		v := *f.Shift
		v.Since, v.Out, key = utc(v.Since), append([]string(nil), v.Out...), v.Agent
		s.Shift, set = &v, set+1
	}
	if f.Place != nil {
		v := *f.Place
		v.Entered, v.Left, v.Until, key = utc(v.Entered), utc(v.Left), utc(v.Until), v.Number
		s.Place, set = &v, set+1
	}
	if f.Regular != nil {
		v := *f.Regular
		v.At, key = utc(v.At), v.Number
		s.Regular, set = &v, set+1
	}
	switch {
	case f.Claim != nil:
		return s, errNotSaid
	case set != 1:
		return s, errManyFacts
	case key == "":
		return s, errNameless
	}
	return s, nil
}

// RestUTC is a rest with its instants as [Said] has them, and no count or time below zero.
func RestUTC(r call.SiteRest) call.SiteRest {
	r.Talked, r.Missed = max(0, r.Talked), max(0, r.Missed)
	r.WrapUntil, r.RestUntil, r.AlarmRest, r.Idle = utc(r.WrapUntil), utc(r.RestUntil), utc(r.AlarmRest), utc(r.Idle)
	return r
}

// ClaimUTC is a claim with its instants as [Said] has them.
func ClaimUTC(c call.SiteClaim) call.SiteClaim {
	c.Since, c.Rung, c.Answered = utc(c.Since), utc(c.Rung), utc(c.Answered)
	return c
}

// Merge is what is known of an agent by a rest and a later one: the later one's, and of the earlier the instants of which
// the later says nothing.
func Merge(earlier, later call.SiteRest) call.SiteRest {
	keep := func(t *time.Time, was time.Time) {
		if t.IsZero() {
			*t = was
		}
	}
	keep(&later.WrapUntil, earlier.WrapUntil)
	keep(&later.RestUntil, earlier.RestUntil)
	keep(&later.AlarmRest, earlier.AlarmRest)
	keep(&later.Idle, earlier.Idle)
	return later
}

// utc drops what a time would lose on its way to another node: location and monotonic reading. Books keep microseconds.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.Truncate(time.Microsecond).UTC()
}
