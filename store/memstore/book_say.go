package memstore

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"time"

	"hotline/call"
	"hotline/site"
)

// Say implements site.Book.
func (b *Book) Say(_ context.Context, id call.NodeID, facts ...call.SiteFact) error {
	facts, err := site.Said(id, facts)
	if err != nil {
		return fmt.Errorf("say facts of node %s: %w", id, err)
	}
	defer b.begin()()
	if !b.alive(id) {
		return fmt.Errorf("say facts of node %s: %w", id, site.ErrDead)
	}
	changed := make([]call.SiteFact, 0, len(facts))
	for _, f := range facts {
		if f, ok := b.write(f); ok {
			changed = append(changed, f)
		}
	}
	if len(changed) > 0 {
		b.note(site.Entry{Facts: changed})
	}
	return nil
}

// write writes one fact, and returns what the log is to say of it; false when it changed nothing.
func (b *Book) write(f call.SiteFact) (call.SiteFact, bool) {
	if f.FlowGone == nil {
		return f, b.put(f)
	}
	was, ok := b.flows[f.FlowGone.Agent]
	if !ok || was.Edge.Process() != f.FlowGone.Edge.Process() {
		return f, false
	}
	delete(b.flows, was.Agent)
	return call.SiteFact{FlowGone: &was}, true // an older run's, it may be
}

// put writes a fact that is no FlowGone, and reports whether it changed anything.
func (b *Book) put(f call.SiteFact) bool {
	switch {
	case f.Flow != nil:
		was, ok := b.flows[f.Flow.Agent]
		others := ok && was.Edge.Process() != f.Flow.Edge.Process() && b.alive(was.Edge)
		if others && !was.Since.Before(f.Flow.Since) {
			return false
		}
		return set(b.flows, f.Flow.Agent, *f.Flow)
	case f.Caller != nil:
		return set(b.callers, f.Caller.Call, *f.Caller)
	case f.Gone != nil:
		was, ok := b.callers[f.Gone.Call]
		return ok && was.Owner.Process() == f.Gone.Owner.Process() && remove(b.callers, was.Call)
	case f.Rest != nil:
		return b.setRest(*f.Rest)
	case f.Shift != nil:
		return b.setShift(*f.Shift)
	case f.Place != nil:
		return b.setPlace(*f.Place)
	default:
		return b.setRegular(*f.Regular)
	}
}

// set writes a value, and reports whether it is another than that before.
func set[T comparable](all map[string]T, key string, v T) bool {
	if was, ok := all[key]; ok && was == v {
		return false
	}
	all[key] = v
	return true
}

func remove[T any](all map[string]T, key string) bool {
	_, ok := all[key]
	delete(all, key)
	return ok
}

// setRest writes what is known of an agent by a rest and those before.
func (b *Book) setRest(r call.SiteRest) bool {
	was, ok := b.rests[r.Agent]
	merged := r
	if ok {
		merged = site.Merge(was.fact, r)
	}
	if ok && merged == was.fact {
		return false
	}
	b.rests[r.Agent] = written[call.SiteRest]{fact: merged, at: b.now}
	bound(b.rests, b.bounds.Agents, func(w written[call.SiteRest]) time.Time { return w.at })
	return true
}

func (b *Book) setShift(s call.Shift) bool {
	if was, ok := b.shifts[s.Agent]; ok && reflect.DeepEqual(was.fact, s) {
		return false
	}
	b.shifts[s.Agent] = written[call.Shift]{fact: s, at: b.now}
	bound(b.shifts, b.bounds.Agents, func(w written[call.Shift]) time.Time { return w.at })
	return true
}

func (b *Book) setPlace(p call.SitePlace) bool {
	key := numberKey(p.Queue, p.Number)
	was, ok := b.places[key]
	if ok && !was.Until.After(b.now) {
		delete(b.places, key)
		ok = false
	}
	switch {
	case ok && was.Left.After(p.Left):
		return false
	case p.Taken:
		return remove(b.places, key)
	case !p.Until.After(b.now), ok && was == p:
		return false
	}
	b.places[key] = p
	bound(b.places, b.bounds.Places, func(p call.SitePlace) time.Time { return p.Until })
	return true
}

func (b *Book) setRegular(r call.SiteRegular) bool {
	key := numberKey(r.Queue, r.Number)
	was, ok := b.regulars[key]
	if b.tooOld(r) || ok && (was.At.After(r.At) || was == r) {
		return false
	}
	b.regulars[key] = r
	bound(b.regulars, b.bounds.Regulars, func(r call.SiteRegular) time.Time { return r.At })
	return true
}

func (b *Book) tooOld(r call.SiteRegular) bool { return !r.At.Add(b.bounds.RegularsFor).After(b.now) }

// numberKey is what a caller's facts in a queue are found by.
func numberKey(queue, number string) string { return queue + "\n" + number }

// bound takes out what is the oldest, while there is more than may be.
func bound[T any](all map[string]T, most int, at func(T) time.Time) {
	for len(all) > most {
		oldest := ""
		for key, v := range all {
			if oldest == "" || cmp.Or(at(v).Compare(at(all[oldest])), cmp.Compare(key, oldest)) < 0 {
				oldest = key
			}
		}
		delete(all, oldest)
	}
}

// purge takes out what has ended by the clock, and of the log what is too old.
func (b *Book) purge() {
	for key, p := range b.places {
		if !p.Until.After(b.now) {
			delete(b.places, key)
		}
	}
	for key, r := range b.regulars {
		if b.tooOld(r) {
			delete(b.regulars, key)
		}
	}
	old := 0
	for old < len(b.log) && b.now.Sub(b.log[old].at) > b.bounds.LogFor {
		old++
	}
	b.cut(old)
}
