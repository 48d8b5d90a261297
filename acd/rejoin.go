package acd

import "time"

// maxPlaces is how many places the desk remembers at most of callers who left while they waited; beyond, the one
// soonest to be forgotten is.
const maxPlaces = 10_000

// rejoinRule is the rule of the decision by which a caller is back in a place of before.
const rejoinRule = "rejoin"

// places are the places of callers who left while they waited, for them to take up again within the queue's Rejoin.
// A carrier tells of a lost mobile by an ordinary BYE, so that leaving of any kind counts as having been cut off.
// None is kept for longer, see desk.forgetting.
type places struct {
	kept map[placeKey]*place
	soon *order[*place] // the one soonest to be forgotten first
}

type placeKey struct{ queue, number string }

type place struct {
	placeKey
	entered, left, until time.Time
	index                int
}

func newPlaces() *places {
	p := &places{kept: map[placeKey]*place{}}
	p.soon = newOrder(
		func(a, b *place) bool { return a.until.Before(b.until) },
		func(x *place) *int { return &x.index })
	return p
}

// keep remembers the place of who left, for so long. One of the same number, left before, is no more.
func (p *places) keep(key placeKey, entered, left time.Time, within time.Duration) *place {
	if old := p.kept[key]; old != nil {
		p.drop(old)
	}
	kept := &place{placeKey: key, entered: entered, left: left, until: left.Add(within)}
	p.kept[key] = kept
	p.soon.add(kept)
	if p.soon.len() > maxPlaces {
		first, _ := p.soon.first()
		p.drop(first)
	}
	return kept
}

// take gives a place to who has come back in time, once.
func (p *places) take(key placeKey, now time.Time) (taken *place, ok bool) {
	kept := p.kept[key]
	if kept == nil {
		return nil, false
	}
	p.drop(kept)
	return kept, !kept.until.Before(now)
}

// reload goes by other queues from now on: a place is kept for as long as its queue says now.
func (p *places) reload(queues []Queue) {
	within := make(map[string]time.Duration, len(queues))
	for i := range queues {
		within[queues[i].Name] = queues[i].Rejoin
	}
	p.soon.clear()
	for key, kept := range p.kept {
		if within[key.queue] <= 0 {
			delete(p.kept, key)
			continue
		}
		kept.until = kept.left.Add(within[key.queue])
		p.soon.add(kept)
	}
}

// forget drops what is past its time, and returns when the next will be; zero when there is none.
func (p *places) forget(now time.Time) (next time.Time) {
	return expire(p.soon, func(x *place) time.Time { return x.until }, p.drop, now)
}

func (p *places) drop(kept *place) {
	p.soon.remove(kept)
	delete(p.kept, kept.placeKey)
}

// knows reports whether a caller may take a place up again: by a number that a trunk asserted. A queue that is no more
// remembers nobody.
func (c *caller) knows() bool {
	return c.queue.Rejoin > 0 && !c.queue.retired && c.Asserted && c.From != "" && !c.Private && c.only == nil
}

// rejoin puts a caller who came back into the place of before.
func (d *desk) rejoin(c *caller) {
	entered, ok := d.takePlace(c)
	if !ok {
		return
	}
	c.Entered, c.rejoined = entered, true
	c.came = d.now
	d.rejoined(c)
}

// rejoinWaiting is rejoin for a caller who has waited for a while.
func (d *desk) rejoinWaiting(c *caller) {
	entered, ok := d.takePlace(c)
	if !ok {
		return
	}
	d.backdate(c, entered)
	d.rejoined(c)
	d.sayCaller(c)
}

// takePlace takes the place that is kept for a caller, and returns who is in it since when. One who has an earlier place
// already (kept over a restart) stays there.
func (d *desk) takePlace(c *caller) (entered time.Time, ok bool) {
	if !c.knows() {
		return time.Time{}, false
	}
	taken, ok := d.places.take(placeKey{c.Queue, c.From}, d.now)
	if taken == nil {
		return time.Time{}, false
	}
	d.sayPlace(taken, true)
	return taken.entered, ok && taken.entered.Before(c.Entered)
}

// rejoined writes down that a caller is in the place of before.
func (d *desk) rejoined(c *caller) {
	c.seat.rejoin(c.Entered)
	decision := d.decision(c)
	decision.Rule = rejoinRule
	c.seat.decide(decision)
}

// backdate gives a caller who waits the rank of one who entered earlier, who is back in that place.
func (d *desk) backdate(c *caller, entered time.Time) {
	d.rerank(c, func() { c.Entered, c.rejoined = entered, true })
}

// rerank gives a caller who waits another rank, for what has changed of them. Phones that ring for the caller ring on.
func (d *desk) rerank(c *caller, change func()) {
	q := c.queue
	c.want().remove(c)
	d.touched.once.waiting.remove(c)
	q.line.remove(c)
	q.waiting.remove(c)
	if q.own != nil {
		q.own.remove(c)
	}
	change()
	c.entered = d.entered(c)
	c.common = d.common(c)
	r := d.rankOf(c)
	r.seq = c.rank.seq
	c.rank = r
	q.waiting.add(c)
	if q.own != nil && c.remote == nil {
		q.own.add(c)
	}
	q.line.add(c)
	d.encircle(c)
	if c.climb != nil {
		d.ascend(c)
	}
	d.index(c)
}

// remember keeps the place of a caller who left while waiting.
func (d *desk) remember(c *caller) {
	if at, abandoned := c.seat.abandoned(); abandoned && c.knows() {
		d.keep(placeKey{c.Queue, c.From}, c.Entered, at, c.queue.Rejoin)
	}
}

// keep keeps a place here and at the other nodes.
func (d *desk) keep(key placeKey, entered, left time.Time, within time.Duration) {
	d.sayPlace(d.places.keep(key, entered, left, within), false)
	d.forgetPast()
}

// Remember tells of a caller who left a queue while waiting, and not in a seat of this desk: before it was made, or while
// a number outside was called in between; who entered it at one instant and left at another. The number must be one that a trunk asserted. A queue that there is none of, or that gives no
// place back, is passed over.
func (c *Center) Remember(queue, number string, entered, left time.Time) {
	c.inbox.put(func(d *desk) {
		if q, ok := d.byQueue[queue]; ok && q.Rejoin > 0 && !q.retired && number != "" {
			d.keep(placeKey{queue, number}, entered, left, q.Rejoin)
		}
	})
}

// rejoin writes down whose place the caller took up.
func (s *seat) rejoin(entered time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.visit.Rejoined, s.visit.Since = true, new(entered)
	s.tell()
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
