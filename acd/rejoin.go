package acd

import "time"

// maxPlaces is how many places the desk remembers at most of callers who left while they waited; beyond, the oldest
// is forgotten.
const maxPlaces = 10_000

// rejoinRule is the rule of the decision by which a caller is back in a place of before.
const rejoinRule = "rejoin"

// places are the places of callers who left while they waited, for them to take up again within the queue's Rejoin.
// A carrier tells of a lost mobile by an ordinary BYE, so that leaving of any kind counts as having been cut off.
type places struct {
	kept map[placeKey]place
	// order has every place kept, and places that are no more, the oldest first.
	order []placeKept
}

type placeKey struct{ queue, number string }

type place struct{ entered, until time.Time }

type placeKept struct {
	placeKey
	until time.Time
}

func newPlaces() *places { return &places{kept: map[placeKey]place{}} }

// keep remembers a place until an instant.
func (p *places) keep(key placeKey, entered, until, now time.Time) {
	p.kept[key] = place{entered: entered, until: until}
	p.order = append(p.order, placeKept{key, until})
	n := 0
	for _, k := range p.order {
		current, ok := p.kept[k.placeKey]
		gone := !ok || !current.until.Equal(k.until) // taken up, or left again later
		if !gone && k.until.After(now) && len(p.order)-n <= maxPlaces {
			break
		}
		if !gone {
			delete(p.kept, k.placeKey)
		}
		n++
	}
	p.order = p.order[n:]
}

// take gives a place to who has come back in time, once.
func (p *places) take(key placeKey, now time.Time) (entered time.Time, ok bool) {
	kept, ok := p.kept[key]
	delete(p.kept, key)
	return kept.entered, ok && !kept.until.Before(now)
}

// knows reports whether a caller may take a place up again: by a number that a trunk asserted.
func (c *caller) knows() bool {
	return c.queue.Rejoin > 0 && c.Asserted && c.From != "" && !c.Private && c.only == nil
}

// rejoin puts a caller who came back into the place of before. One who has an earlier place already (kept over a
// restart) stays there.
func (d *desk) rejoin(c *caller) {
	if !c.knows() {
		return
	}
	entered, ok := d.places.take(placeKey{c.Queue, c.From}, d.now)
	if !ok || !entered.Before(c.Entered) {
		return
	}
	c.Entered, c.rejoined = entered, true
	c.came = d.now
	c.seat.rejoin(entered)
	decision := d.decision(c)
	decision.Rule = rejoinRule
	c.seat.decide(decision)
}

// remember keeps the place of a caller who left while waiting.
func (d *desk) remember(c *caller) {
	if at, abandoned := c.seat.abandoned(); abandoned && c.knows() {
		d.places.keep(placeKey{c.Queue, c.From}, c.Entered, at.Add(c.queue.Rejoin), d.now)
	}
}

// Remember tells of a caller who left a queue while waiting, before this desk was made: who entered it at one instant
// and left at another. The number must be one that a trunk asserted. A queue that there is none of, or that gives no
// place back, is passed over.
func (c *Center) Remember(queue, number string, entered, left time.Time) {
	c.inbox.put(func(d *desk) {
		if q, ok := d.byQueue[queue]; ok && q.Rejoin > 0 && number != "" {
			d.places.keep(placeKey{queue, number}, entered, left.Add(q.Rejoin), d.now)
		}
	})
}

// rejoin writes down whose place the caller took up.
func (s *seat) rejoin(entered time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.visit.Rejoined, s.visit.Since = true, new(entered)
}

// abandoned is when the caller gave the place up and left.
func (s *seat) abandoned() (at time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.visit.Left == nil || s.visit.How != howAbandoned {
		return time.Time{}, false
	}
	return *s.visit.Left, true
}
