package acd

import (
	"slices"
	"time"
)

// The order of the callers of several nodes is by numbers that are the same at all of them: what the book's clock said when a caller
// entered, as the caller's own node reckoned it, once. Instants that each node turns to its own clock would not do: they are
// wrong by what is not known of that clock, some 100 µs, and of two callers who entered within that two desks would serve either
// first, and claim the same agent.

// orderMost bounds what another node may say: the year 2200.
const orderMost = 230 * 366 * 24 * time.Hour

// common is when a caller entered by the clock of the site, counted from 1970; zero where there is none. Of ours, who entered later
// is not told to have been earlier, however the clock is reckoned meanwhile.
func (d *desk) common(c *caller) time.Duration {
	switch {
	case d.site == nil:
		return 0
	case c.remote != nil && c.remote.Order != 0:
		return time.Duration(min(max(c.remote.Order, 0), int64(orderMost/time.Microsecond))) * time.Microsecond
	}
	common := d.site.reckon(d, c)
	if newest := &d.site.newest; c.remote == nil && c.entered >= newest.entered {
		step := common - newest.common - (c.entered - newest.entered)
		if newest.common != 0 && step.Abs() > sameStay {
			d.site.stepped = true
		} else {
			common = max(common, newest.common)
		}
		newest.entered, newest.common = c.entered, common
	}
	return common
}

// reckon is what the site's clock said when a caller entered, as it is known now.
func (s *siteDesk) reckon(d *desk, c *caller) time.Duration {
	entered := d.opened.Add(c.entered) // within bounds, see desk.entered
	return time.Duration(s.told.Order(entered)) * time.Microsecond
}

// steady keeps the order one where the site's clock was set since a caller came before this one.
func (d *desk) steady() {
	if d.site != nil && d.site.stepped {
		d.site.stepped = false
		d.reorder()
	}
}

// reorder gives our callers other numbers where the site's clock is not what it was when they came: it was not known yet, or it was
// set.
func (d *desk) reorder() {
	for _, q := range append(slices.Clone(d.queues), d.people) {
		if q.own == nil {
			continue
		}
		var off []*caller
		for _, c := range q.own.items {
			if (d.site.reckon(d, c) - c.common).Abs() > sameStay {
				off = append(off, c)
			}
		}
		for _, c := range off {
			d.rerank(c, func() {})
			d.sayCaller(c)
		}
	}
}
