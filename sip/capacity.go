package sip

import (
	"slices"
	"sync"

	"hotline/call"
)

// AlarmOptions say what of Options.MaxCalls is held back for alarms.
type AlarmOptions struct {
	// Reserve is how many calls: at most the half of MaxCalls. 0: none.
	Reserve int
	// Queue is where alarms wait: a number that leads there is let in up to MaxCalls.
	Queue string
	// Menus are those by which a caller can get there: when no other line is left, a number that leads to one of
	// them is let in as [call.Incoming].Shed, within the half of Reserve.
	Menus []string
}

// capacity is the calls that are in, by what they were let in as. It may be used from any goroutine.
type capacity struct {
	most int // 0: no bound

	mu                   sync.Mutex
	o                    AlarmOptions
	ordinary, shed, sure int
}

func newCapacity(o *Options) *capacity {
	c := &capacity{most: o.MaxCalls}
	c.hold(o.Alarm)
	return c
}

// hold changes what is held back, from the next call on. It is never more than half of what there is: a reload may
// bring what goes with a MaxCalls that waits for a restart.
func (c *capacity) hold(o AlarmOptions) {
	if c.most > 0 {
		o.Reserve = min(o.Reserve, c.most/2)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.o = o
}

// total is how many calls are in.
func (c *capacity) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ordinary + c.shed + c.sure
}

// occupy takes a place for a call that leads somewhere, until free is called; more calls of it do nothing. A call of an agent's is never
// more than an ordinary one. A number that leads to alarms has every place there is; one whose menu can, where the
// ordinary places are taken, one of half of those held back; all others have the ordinary places.
func (c *capacity) occupy(at call.Next, agent bool) (free func(), shed, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	sure := c.sureLocked(at, agent)
	may := !agent && slices.Contains(c.o.Menus, at.Menu)
	left := c.most == 0 || c.ordinary+c.shed+c.sure < c.most
	kind := &c.ordinary
	switch {
	case !left:
		return nil, false, false
	case sure:
		kind = &c.sure
	case c.most == 0 || c.ordinary < c.most-c.o.Reserve:
	case may && c.shed < c.o.Reserve/2:
		kind, shed = &c.shed, true
	default:
		return nil, false, false
	}
	*kind++
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		*kind--
	}), shed, true
}

// classOf is what a call is refused as.
func (c *capacity) classOf(at call.Next, agent bool) class {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case agent:
		return classAgent
	case c.sureLocked(at, agent):
		return classAlarm
	case slices.Contains(c.o.Menus, at.Menu):
		return classMenu
	default:
		return classRest
	}
}

// leadsToAlarm tells whether a call is let in as one of the alarms' own number; an agent's never is.
func (c *capacity) leadsToAlarm(at call.Next, agent bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sureLocked(at, agent)
}

func (c *capacity) sureLocked(at call.Next, agent bool) bool {
	return !agent && c.o.Queue != "" && at.Queue == c.o.Queue
}
