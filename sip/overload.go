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

// The constants of the control law; docs/adr/0020-overload.md says why these.
const (
	overloadEvery = 100 * time.Millisecond
	// cpuWeight is that of the newest interval in the mean of the CPU's share: half a second counts.
	cpuWeight = 0.2
	// lateRow and hotRow are intervals in a row with a standing queue, and with too much CPU used, that limit the rate.
	lateRow, hotRow = 2, 5
	// backlogMost is the share of a socket's buffer that may wait unread.
	backlogMost = 0.5
	// stuckRow is how many in a row, at the least rate, with too much CPU used or a lag of stuckLag times its limit, are
	// saturation, and eased how many without end it. calmRow is how many without any sign, below calm of the CPU's limit
	// and without a refusal, lift the limit.
	stuckRow, easedRow, calmRow = 20, 10, 50
	stuckLag                    = 10
	calm                        = 0.8
	// leastShare of what was let in before the limit is not gone below for lag: a machine that does not run us in time makes
	// us late whatever we let in. Only a lag of stuckLag times its limit has that fade, by leastFades in each interval.
	// leastRate, in calls a second, is never gone below, since nothing would be learnt any more.
	leastShare, leastFades, leastRate = 0.5, 0.97, 1.0
	// lateStep and hotExponent lower the rate, in each interval; fastStep raises it up to near of what it was when it was
	// lowered last, slowStep from there on.
	lateStep, hotExponent = 0.93, 0.15
	fastStep, slowStep    = 1.08, 1.01
	near                  = 0.9
	// refusing is the share of the CPU above its limit that refusals may take: it is not held against those let in.
	refusing = 0.7
	// shortShare is how many short menus are spoken for each call that the rate lets in.
	shortShare = 0.1
)

// signs are what an interval's measures say, with how many before it said the same.
type signs struct {
	late, hot, calm int // intervals in a row
	// stuck are those at the least rate with a lag far beyond its limit or too much CPU used, eased those without.
	stuck, eased int
}

// moves is the table of levels: the first line that holds is followed. Nothing else changes the level.
var moves = []struct {
	from, to level
	when     func(s signs) bool
}{
	{levelNormal, levelLimited, func(s signs) bool { return s.late >= lateRow || s.hot >= hotRow }},
	{levelLimited, levelSaturated, func(s signs) bool { return s.stuck >= stuckRow }},
	{levelLimited, levelNormal, func(s signs) bool { return s.calm >= calmRow }},
	{levelSaturated, levelLimited, func(s signs) bool { return s.eased >= easedRow }},
}

// moved is the level that follows.
func moved(from level, s signs) level {
	for _, move := range moves {
		if move.from == from && move.when(s) {
			return move.to
		}
	}
	return from
}

// measures are those of one interval.
type measures struct {
	took time.Duration // how long the interval was
	cpu  float64       // the share of the cores that was used; below 0 where that is not known
	late time.Duration // how late its end was noticed
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
	lag         time.Duration
	grave       bool // the lag is stuckLag times its limit, or requests are lost
	// rate is in force above levelNormal; lowered is what it was when it was lowered last.
	rate, lowered float64
	least         float64 // below which rate does not go for lag
	admits        float64 // let in, in calls a second, smoothed
	intervals     float64
	calls, shorts leaky

	// Of the interval under way.
	waits            time.Duration // the sum of all
	served, overdue  int           // requests, and those of them that had waited for more than Lag
	admitted, denied int           // new calls; denied are those not let in, or to the short menu
	asked            int           // those let in to the short menu
}

func newOverload(o OverloadOptions) *overload {
	c := &overload{o: o, usual: floodLeast} // until it is known
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

// admit decides on a new call that has waited so long for its handler, and for which there is a place.
func (c *overload) admit(k class, waited time.Duration, now time.Time) admission {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.admitLocked(k, waited, now)
	if v == admitted {
		c.admitted++
		return v
	}
	c.denied++
	if v == admitShort {
		c.asked++
	}
	return v
}

// turns tells whether a new call that has just been read, after it waited so long, is refused, and counts it then; one that is
// not is asked about once more by admit. Only of the classes below agents.
func (c *overload) turns(k class, waited time.Duration, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	rate := c.rateLocked()
	if math.IsInf(rate, 1) {
		return false
	}
	burst, short := burstOf(rate), rate*shortShare
	if c.level != levelSaturated && !c.overdueLocked(waited) && c.calls.room(rate, burst, left(k, burst), now) ||
		k == classMenu && c.shorts.room(short, burstOf(short), 0, now) {
		return false
	}
	c.denied++
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
	switch {
	case c.level != levelSaturated && !c.overdueLocked(waited) && c.calls.take(rate, burst, left(k, burst), now):
		return admitted
	case k == classMenu && c.shorts.take(rate*shortShare, burstOf(rate*shortShare), 0, now):
		return admitShort
	default:
		return admitNot
	}
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
}

// found is what was found up to the last interval that ended.
func (c *overload) found() load {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.foundLocked()
}

func (c *overload) foundLocked() load {
	return load{Level: c.level, Rate: c.rateLocked(), CPU: c.cpu, Lag: c.lag}
}

// tick ends an interval: it judges the measures, moves the level, and then the rate. It returns what was found before,
// and what is now.
func (c *overload) tick(m measures) (before, now load) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before = c.foundLocked()
	was := c.level
	c.judgeLocked(m)
	if c.level = moved(was, c.signs); c.level != was {
		c.signs = signs{} // what follows is judged by what comes now
	}
	switch {
	case was == levelNormal && c.level == levelLimited:
		c.rate = max(leastRate, c.admits)
		c.lowered, c.least = c.rate, max(leastRate, leastShare*c.rate)
		c.calls, c.shorts = leaky{}, leaky{}
	case c.level == levelLimited:
		c.followLocked()
	}
	c.pressed.Store(c.o.Rate > 0 || c.level != levelNormal)
	c.waits, c.served, c.overdue, c.admitted, c.denied, c.asked = 0, 0, 0, 0, 0, 0
	return before, c.foundLocked()
}

// judgeLocked reads the signs of the interval that ends.
func (c *overload) judgeLocked(m measures) {
	const few = 4 // requests: so few say nothing of a queue
	c.lag = m.late
	if c.served > 0 {
		c.lag = max(c.lag, c.waits/time.Duration(c.served))
	}
	if m.took > 0 {
		c.intervals++ // until there are enough of them the mean is that of all
		c.admits += max(cpuWeight, 1/c.intervals) * (float64(c.admitted)/m.took.Seconds() - c.admits)
	}
	if m.cpu >= 0 {
		c.cpu += cpuWeight * (m.cpu - c.cpu)
	}
	caused := c.causedLocked(m)
	late := caused && c.o.Lag > 0 && (m.late > c.o.Lag || m.queue > backlogMost || m.dropped > 0 || c.served >= few && 2*c.overdue > c.served)
	c.grave = late && (c.lag > stuckLag*c.o.Lag || m.dropped > 0)
	hot := caused && c.o.CPU > 0 && c.cpu > c.cpuLimitLocked()
	idle := !late && !hot && c.denied == 0 && (c.o.CPU == 0 || c.cpu-c.theirs < calm*c.o.CPU)
	row(&c.signs.late, late)
	row(&c.signs.hot, hot)
	row(&c.signs.calm, idle)
	stuck := c.level != levelNormal && (hot && c.rate <= leastRate || c.grave && c.rate <= c.least)
	row(&c.signs.stuck, stuck)
	row(&c.signs.eased, !stuck)
}

// cpuLimitLocked is the share of the CPU that may be used, with what refusing takes in this interval: up to all that it may, by
// the share of those refused, and what short menus take, each of which may cost as much as a call.
func (c *overload) cpuLimitLocked() float64 {
	if c.denied == 0 {
		return c.o.CPU
	}
	spare := (1 - c.o.CPU) * refusing
	asked := c.o.CPU * float64(c.asked) / float64(max(1, c.asked+c.admitted))
	return c.o.CPU + min(spare, spare*float64(c.denied)/float64(c.denied+c.admitted)+asked)
}

// oursLocked tells whether this process uses so much of the CPU that to let fewer in helps, however late the machine runs it.
func (c *overload) oursLocked() bool { return c.o.CPU > 0 && c.cpu > c.o.CPU/2 }

// followLocked moves the rate: down with too much load; up, where it kept somebody out, without.
func (c *overload) followLocked() {
	late, hot := c.signs.late >= lateRow, c.signs.hot > 0
	switch {
	case late && c.rate > c.least:
		c.rate = max(c.least, lateStep*c.rate)
	case late && (c.grave || c.oursLocked()):
		c.least = max(leastRate, leastFades*c.least)
		c.rate = min(c.rate, c.least)
	}
	if hot { // that is our own doing
		c.rate = max(leastRate, c.rate*math.Pow(c.cpuLimitLocked()/c.cpu, hotExponent))
	}
	switch {
	case late || hot:
		c.lowered = c.rate
	case c.denied > 0 && c.rate < near*c.lowered:
		c.rate *= fastStep
	case c.denied > 0:
		c.rate *= slowStep
	}
}

// row counts how often in a row something was so.
func row(n *int, so bool) {
	if *n++; !so {
		*n = 0
	}
}
