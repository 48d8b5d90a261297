package sip

import (
	"slices"
	"sync"

	"hotline/call"
	"hotline/media"
)

// trunkCalls counts the calls that are under way by one trunk, in and out. It outlives reloads.
type trunkCalls struct {
	mu sync.Mutex
	n  int
}

// take takes one of most calls, 0 being no bound, until free is called; more calls of it do nothing. One that leads to an
// alarm is taken whatever the bound says, and counts.
func (c *trunkCalls) take(most int, alarm bool) (free func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if most > 0 && c.n >= most && !alarm {
		return nil, false
	}
	c.n++
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.n--
	}), true
}

// now is how many are under way.
func (c *trunkCalls) now() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// hasRoom reports whether one more call would be taken by the trunk just now.
func (t *trunk) hasRoom() bool { return t.maxCalls <= 0 || t.calls.now() < t.maxCalls }

// byName finds a trunk by its name; nil where there is none of it any more.
func (t *trunks) byName(name string) *trunk {
	i := slices.IndexFunc(t.list, func(one *trunk) bool { return one.name == name })
	if i < 0 {
		return nil
	}
	return t.list[i]
}

// occupy takes a place for a call that came in: one of the node's, and where it came by a trunk one of that.
func (u *UA) occupy(in *call.Incoming) (free func(), shed, ok bool) {
	ours, shed, ok := u.calls.occupy(in.At, in.Agent != "")
	if !ok || in.Agent != "" {
		return ours, shed, ok
	}
	t := u.plan().byName(in.Trunk)
	if t == nil {
		return ours, shed, ok
	}
	theirs, ok := t.calls.take(t.maxCalls, u.calls.leadsToAlarm(in.At, false))
	if !ok {
		ours()
		return nil, false, false
	}
	return func() { theirs(); ours() }, shed, true
}

// codecsOf are those that a call that came in is answered with; nil for all.
func (u *UA) codecsOf(in *call.Incoming) []media.Codec {
	if t := u.plan().byName(in.Trunk); in.Agent == "" && t != nil {
		return t.codecs
	}
	return nil
}
