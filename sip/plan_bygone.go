package sip

import (
	"maps"
	"time"
)

// bygone is what counts still of rules, by prefix, and trunks, by name, that a plan has no more: a later one may have them again,
// and their calls go on meanwhile.
type bygone struct {
	uses  map[string]*dialUse
	calls map[string]*trunkCalls
}

// inherit has what was called by the plans before count on. What counts no more is forgotten.
func (p *plan) inherit(before *plan, at time.Time) {
	p.bygone = bygone{uses: map[string]*dialUse{}, calls: map[string]*trunkCalls{}}
	maps.Copy(p.bygone.uses, before.bygone.uses)
	maps.Copy(p.bygone.calls, before.bygone.calls)
	for _, old := range before.dials.rules {
		p.bygone.uses[old.Prefix] = old.dialUse
	}
	for _, old := range before.list {
		p.bygone.calls[old.name] = old.calls
	}
	for _, rule := range p.dials.rules {
		if use := p.bygone.uses[rule.Prefix]; use != nil {
			rule.dialUse = use
		}
	}
	for _, one := range p.list {
		if calls := p.bygone.calls[one.name]; calls != nil {
			one.calls = calls
		}
	}
	for _, rule := range p.dials.rules {
		delete(p.bygone.uses, rule.Prefix)
	}
	for _, one := range p.list {
		delete(p.bygone.calls, one.name)
	}
	maps.DeleteFunc(p.bygone.uses, func(_ string, use *dialUse) bool { return use.idle(at) })
	maps.DeleteFunc(p.bygone.calls, func(_ string, calls *trunkCalls) bool { return calls.now() == 0 })
}

// idle reports whether nothing counts any more: no call is under way, and as many may begin at once as ever.
func (u *dialUse) idle(at time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.underWay == 0 && time.Duration(u.rate) <= at.Sub(u.began)
}
