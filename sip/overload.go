package sip

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// OverloadOptions say from which load on new calls are refused by class, whatever places are free. What is measured is
// compared with them ten times a second. The zero value: load refuses nobody.
type OverloadOptions struct {
	// Lag is how long requests may wait for their handler, from their arrival at the socket (where the system tells: Linux, of UDP;
	// else from being read): more, for most of them and for a while, is a standing queue. 0: not looked at.
	Lag time.Duration
	// CPU is the share, above 0 to 1, of Options.Cores that the process may use. 0: not looked at.
	CPU float64
	// Rate is how many new calls a second may be let in, those of agents and of the alarms' number counted but never
	// refused for it. 0: no bound.
	Rate float64
}

// class is what a new call is, in the order in which they are refused: the first first.
type class uint8

const (
	classRest  class = iota // a number that cannot lead to an alarm
	classMenu               // a number whose menu can
	classAgent              // an agent's phone
	classAlarm              // the alarms' own number
	classes
)

func (c class) String() string { return [classes]string{"rest", "menu", "agent", "alarm"}[c] }

// admission is what becomes of a new call.
type admission uint8

const (
	admitFull  admission = iota // no place is left for its class; see capacity
	admitNot                    // for load
	admitShort                  // let in to be asked whether it is an alarm: [call.Incoming].Shed
	admitted
	outcomes
)

func (v admission) String() string {
	return [outcomes]string{"full", "refused", "short", "admitted"}[v]
}

// level is how loaded the process is held to be.
type level uint8

const (
	levelNormal    level = iota // all who find a place are let in, but for OverloadOptions.Rate
	levelLimited                // a rate that follows the load bounds all but agents and alarms
	levelSaturated              // nor did that help: short menus, at the least rate, and alarms alone
)

// measures are those of one interval.
type measures struct {
	took time.Duration // how long the interval was
	cpu  float64       // the share of the cores that was used; below 0 where that is not known
	late time.Duration // how late its end was noticed
	// audio is how late the media engine was.
	audio time.Duration
	live  int // calls that are in
	// queue is the share of a socket's buffer that waits unread, dropped how many datagrams the kernel did not keep.
	queue   float64
	dropped int
	// strange is how many messages and connections strangers sent, theirs the share of the cores that these took, known how
	// many datagrams others sent.
	strange, known int
	theirs         float64
}

// overload decides who is let in by the load. It knows no clock and no place; it may be used from any goroutine.
type overload struct {
	pressed atomic.Bool // a bound is in force

	mu     sync.Mutex
	o      OverloadOptions
	level  level
	signs  signs
	cpu    float64 // smoothed; theirs is strangers' part of it
	theirs float64
	flood  int // for how many intervals more signs are held to be strangers' doing
	// work is what others than strangers had us do in an interval, smoothed; usual is that without a flood and a bound on calls,
	// and bounded whether there was one when the flood began.
	work, usual float64
	bounded     bool
	lag, lagged time.Duration // of requests; lagged in the interval before
	falling     bool          // the rate was lowered in the interval before, or held down
	soon        int           // intervals in a row in which it was not
	grave       bool          // the wait of requests is stuckLag times its limit, or requests are lost
	// rate is in force above levelNormal; lowered is what it was when it was lowered last.
	rate, lowered float64
	least         float64 // below which rate does not go for lag
	admits        float64 // let in, in calls a second, smoothed; steady is that in the long run
	steady        float64
	ends          float64 // calls that end a second, smoothed
	intervals     float64
	calls, shorts leaky
	crowd         crowd
	yields        int // intervals left in which nobody is let in who cannot have an alarm
	live          int // calls that were in when the interval under way began

	interval
}

// interval is what was counted in the one under way.
type interval struct {
	waits            time.Duration // the sum of all
	served, overdue  int           // requests, and those of them that had waited for more than Lag
	took             time.Duration // that took, together, until rung callers were told so
	rung, slow       int           // calls whose caller was told that it rings, or answered, and those who waited too long for that
	admitted, denied int           // new calls; denied are those not let in, or to the short menu
	asked            int           // those let in to the short menu
	// barred are those of denied whom the bound on those who are in kept out, outwaited those who had waited for too long, ruled
	// those beyond what the operator allows.
	barred, outwaited, ruled, yielded int
}

func newOverload(o OverloadOptions) *overload {
	c := &overload{o: o, usual: floodLeast, crowd: newCrowd()} // until it is known
	c.pressed.Store(o.Rate > 0)
	return c
}

// set changes the limits, from the next request on.
func (c *overload) set(o OverloadOptions) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.o = o; o.Lag == 0 && o.CPU == 0 {
		c.level, c.signs = levelNormal, signs{}
	}
	c.pressed.Store(c.o.Rate > 0 || c.level != levelNormal)
}

// waited counts a request by how long it waited for its handler.
func (c *overload) waited(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waits += d
	c.served++
	if d > c.o.Lag {
		c.overdue++
	}
}

// begun counts a call that was let in by how long it took until the caller was told that it rings, or answered.
func (c *overload) begun(took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rung++
	c.took += took
	if took > setupLag*c.o.Lag {
		c.slow++
	}
}

// admit decides on a new call that has waited so long for its handler, and for which there is a place.
func (c *overload) admit(k class, waited time.Duration, now time.Time) admission {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.admitLocked(k, waited, now)
	if v == admitted {
		c.admitted++
		return v
	}
	c.denyLocked(k, waited)
	if v == admitShort {
		c.asked++
	}
	return v
}

// denyLocked counts who is not let in, after that wait: who would not have been at a higher rate either is no reason for one.
func (c *overload) denyLocked(k class, waited time.Duration) {
	c.denied++
	switch {
	case c.boundLocked():
		c.barred++
	case c.overdueLocked(waited):
		c.outwaited++
	case c.o.Rate > 0 && c.rate >= c.o.Rate:
		c.ruled++
	case c.yieldsLocked(k):
		c.yielded++
	}
	if k == classMenu {
		c.yields = yieldRow
	}
}

// yieldsLocked tells whether a class is to be refused since others who come before it were, not long ago: one who may have an alarm
// is not to be turned away, or only asked, beside others who are let in.
func (c *overload) yieldsLocked(k class) bool { return k == classRest && c.yields > 0 }

// turns tells whether a new call that has just been read, after it waited so long, is refused, and counts it then; one that is
// not is asked about once more by admit. Only of the classes below agents.
func (c *overload) turns(k class, waited time.Duration, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	rate := c.rateLocked()
	if math.IsInf(rate, 1) {
		return false
	}
	burst, short := burstOf(rate), c.shortsLocked(rate)
	if !c.yieldsLocked(k) && c.level != levelSaturated && !c.overdueLocked(waited) && !c.boundLocked() && c.calls.room(rate, burst, left(k, burst), now) ||
		k == classMenu && c.shorts.room(short, burstOf(short), 0, now) {
		return false
	}
	c.denyLocked(k, waited)
	return true
}

// left is how much of a burst a class is to leave for those that may be alarms (RFC 7415 section 3.5.2).
func left(k class, burst float64) float64 {
	if k == classRest {
		return burst / 2
	}
	return 0
}

func (c *overload) admitLocked(k class, waited time.Duration, now time.Time) admission {
	rate := c.rateLocked()
	burst := burstOf(rate)
	switch {
	case k == classAgent && c.level == levelSaturated:
		return admitNot
	case k >= classAgent: // whatever is left for others
		c.calls.force(rate, burst, now)
		return admitted
	case math.IsInf(rate, 1):
		return admitted
	}
	short := c.shortsLocked(rate)
	switch {
	case !c.yieldsLocked(k) && c.level != levelSaturated && !c.overdueLocked(waited) && !c.boundLocked() && c.calls.take(rate, burst, left(k, burst), now):
		return admitted
	case k == classMenu && c.shorts.take(short, burstOf(short), 0, now):
		return admitShort
	default:
		return admitNot
	}
}

// shortsLocked is how many short menus a second may be begun: a shortShare of the calls that may be, or, where that is more, as many
// as make up that share of those who are in. Where calls last for minutes, short menus take little beside them.
func (c *overload) shortsLocked(rate float64) float64 {
	return shortShare * max(rate, float64(c.live)/shortLasts)
}

// overdueLocked tells whether a new call has waited for too long to be let in. At the least rate all may have.
func (c *overload) overdueLocked(waited time.Duration) bool {
	return c.level != levelNormal && c.o.Lag > 0 && waited > c.o.Lag && (c.rate > c.least || c.oursLocked())
}

// rateLocked is the bound in force, in calls a second; +Inf: there is none.
func (c *overload) rateLocked() float64 {
	rate := math.Inf(1)
	if c.o.Rate > 0 {
		rate = c.o.Rate
	}
	if c.level != levelNormal {
		rate = min(rate, c.rate)
	}
	return rate
}

// load is what an overload has found.
type load struct {
	Level level
	Rate  float64 // the bound in force, in calls a second; +Inf: none
	CPU   float64 // the share of the cores that is used, smoothed; 0 where it is not known
	Lag   time.Duration
	Audio time.Duration // how late the media engine is
	Most  float64       // how many calls may be in; +Inf: as many as there are places
}

// found is what was found up to the last interval that ended.
func (c *overload) found() load {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.foundLocked()
}

func (c *overload) foundLocked() load {
	return load{Level: c.level, Rate: c.rateLocked(), CPU: c.cpu, Lag: c.lag, Audio: c.crowd.late, Most: c.crowd.most}
}
