package site

import (
	"time"

	"hotline/call"
)

// clock turns the book's instants into this node's and back: by the round trip with the least delay of the last ones,
// whose half is the most by which it is wrong. The node's instants carry its monotonic clock, so a wall clock that is
// set changes nothing.
type clock struct {
	samples []sample // the newest last
}

// sample is one round trip: at some instant between sent and received it was book's instant at the book.
type sample struct {
	middle time.Time
	half   time.Duration
	book   time.Time
}

const (
	maxSamples = 32
	// samplesFor is how old a sample may be; drift is how much two clocks may part meanwhile, 200 ppm.
	samplesFor = time.Minute
	drift      = samplesFor / 5000
)

// heard takes in a round trip. Where it contradicts what was known, the book's clock was set, or another server is the
// book now: what was known is forgotten.
func (c *clock) heard(sent, received, book time.Time) {
	half := received.Sub(sent) / 2
	s := sample{middle: sent.Add(half), half: half, book: book}
	if best, ok := c.best(); ok {
		off := s.book.Sub(best.book) - s.middle.Sub(best.middle)
		if off.Abs() > s.half+best.half+drift {
			c.samples = c.samples[:0]
		}
	}
	for len(c.samples) > 0 && (len(c.samples) >= maxSamples || received.Sub(c.samples[0].middle) > samplesFor) {
		c.samples = c.samples[1:]
	}
	c.samples = append(c.samples, s)
}

func (c *clock) best() (best sample, ok bool) {
	for i, s := range c.samples {
		if i == 0 || s.half <= best.half {
			best, ok = s, true
		}
	}
	return best, ok
}

// margin is by how much an instant may be wrong at most.
func (c *clock) margin() time.Duration {
	best, _ := c.best()
	return best.half
}

// local is the node's instant for one of the book's, book the reverse. Zero stays zero; before the first sample they
// are taken as they are.
func (c *clock) local(t time.Time) time.Time {
	best, ok := c.best()
	if t.IsZero() || !ok {
		return t
	}
	return best.middle.Add(t.Sub(best.book))
}

func (c *clock) there(t time.Time) time.Time {
	best, ok := c.best()
	if t.IsZero() || !ok {
		return t
	}
	return best.book.Add(t.Sub(best.middle)).Round(0)
}

// turned is a fact with its instants turned.
func turned(f call.SiteFact, by func(time.Time) time.Time) call.SiteFact {
	turn := func(ts ...*time.Time) {
		for _, t := range ts {
			*t = by(*t)
		}
	}
	switch {
	case f.Flow != nil:
		v := *f.Flow
		turn(&v.Since)
		f.Flow = &v
	case f.FlowGone != nil:
		v := *f.FlowGone
		turn(&v.Since)
		f.FlowGone = &v
	case f.Caller != nil:
		v := *f.Caller
		turn(&v.Entered, &v.Came)
		f.Caller = &v
	case f.Gone != nil:
		v := *f.Gone
		turn(&v.At)
		f.Gone = &v
	case f.Claim != nil:
		v := turnedClaim(*f.Claim, by)
		f.Claim = &v
	case f.Rest != nil:
		v := turnedRest(*f.Rest, by)
		f.Rest = &v
	case f.Shift != nil:
		v := *f.Shift
		turn(&v.Since)
		f.Shift = &v
	case f.Place != nil:
		v := *f.Place
		turn(&v.Entered, &v.Left, &v.Until)
		f.Place = &v
	case f.Regular != nil:
		v := *f.Regular
		turn(&v.At)
		f.Regular = &v
	}
	return f
}

func turnedClaim(c call.SiteClaim, by func(time.Time) time.Time) call.SiteClaim {
	c.Since, c.Rung, c.Answered = by(c.Since), by(c.Rung), by(c.Answered)
	return c
}

func turnedRest(r call.SiteRest, by func(time.Time) time.Time) call.SiteRest {
	r.WrapUntil, r.RestUntil, r.AlarmRest, r.Idle = by(r.WrapUntil), by(r.RestUntil), by(r.AlarmRest), by(r.Idle)
	return r
}
