package acd

import "time"

// forgetPast drops what is remembered of callers and is past its time, and sets the deadline of the next. It is
// called whenever something was learned that may be the next to be forgotten.
func (d *desk) forgetPast() {
	d.alarms.remove(&d.forgetting)
	d.forgetting.at = time.Time{}
	for _, next := range []time.Time{d.regulars.forget(d.now), d.places.forget(d.now)} {
		if !next.IsZero() && (d.forgetting.at.IsZero() || next.Before(d.forgetting.at)) {
			d.forgetting.at = next
		}
	}
	if !d.forgetting.at.IsZero() {
		d.forgetting.at = d.forgetting.at.Add(1) // to the very instant it counts
		d.alarms.add(&d.forgetting)
	}
}

// expire drops what is past its time, of things in the order of those, and returns when the next will be; zero when
// there is none.
func expire[T any](soon *order[T], until func(T) time.Time, drop func(T), now time.Time) (next time.Time) {
	for first, ok := soon.first(); ok; first, ok = soon.first() {
		if at := until(first); !at.Before(now) {
			return at
		}
		drop(first)
	}
	return time.Time{}
}
