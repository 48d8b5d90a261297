package sip

import (
	"math"
	"time"
)

// The constants of the control law; docs/adr/0020-overload.md says why these.
const (
	overloadEvery = 100 * time.Millisecond
	// cpuWeight is that of the newest interval in the mean of the CPU's share: half a second counts.
	cpuWeight = 0.2
	// steadyWeight is that of the newest interval in the mean of those let in in the long run: five seconds count.
	steadyWeight = 0.02
	// endsWeight is that of the newest interval in the mean of the calls that end: two seconds count.
	endsWeight = 0.05
	// lateRow and hotRow are intervals in a row with a standing queue, and with too much CPU used, that limit the rate, muteRow those
	// with late audio that limit who is in: a machine that stood still once shows it in two, since what was due is made up for in
	// the second.
	lateRow, hotRow, muteRow = 2, 5, 3
	// setupLag is how many times Lag a call may take to ring: it waits several times on its way.
	setupLag = 2
	// backlogMost is the share of a socket's buffer that may wait unread.
	backlogMost = 0.5
	// stuckRow is how many in a row, at the least rate, with all but stuckSpare of the CPU above its limit used or a lag of stuckLag
	// times its own, are saturation, and eased how many without end it. calmRow is how many without any sign, below calm of the CPU's limit
	// and without a refusal, lift the limit.
	stuckRow, easedRow, calmRow = 20, 10, 50
	stuckLag, stuckSpare        = 10, 0.25
	calm                        = 0.8
	// leastShare of what was let in before the limit is not gone below for lag: a machine that does not run us in time makes
	// us late whatever we let in. Only a lag of stuckLag times its limit has that fade, by leastFades in each interval.
	// leastRate, in calls a second, is never gone below, since nothing would be learnt any more.
	leastShare, leastFades, leastRate = 0.5, 0.97, 1.0
	// muteRate is the least rate where it is audio alone that is late.
	muteRate = 10.0
	// lateStep and hotExponent lower the rate, in each interval; fastStep raises it up to near of what it was when it was
	// lowered last, slowStep from there on.
	lateStep, hotExponent = 0.93, 0.15
	fastStep, slowStep    = 1.08, 1.01
	// yieldRow is for how many intervals nobody is let in who cannot have an alarm, after one was not who may.
	yieldRow = 5
	// boldRow is after how many intervals without a sign it is fastStep again: what was too much then may not be now.
	boldRow = 50
	// hotEbb is how many are let in, for each that ends, when too much CPU is used: that of calls that last is used until they end.
	hotEbb = 0.9
	near   = 0.9
	// refusing is the share of the CPU above its limit that refusals may take: it is not held against those let in.
	// refusingAny is the part of that for whoever is refused; the rest goes by the share of those who are.
	refusing, refusingAny = 0.5, 0.4
	// shortShare is how many short menus are begun for each call that the rate lets in, and shortLasts about how many seconds one lasts.
	shortShare, shortLasts = 0.05, 8.0
)

// signs are what an interval's measures say, with how many before it said the same.
type signs struct {
	late, hot, audio, calm int // intervals in a row
	// stuck are those at the least rate with a lag far beyond its limit or too much CPU used, eased those without.
	stuck, eased int
}

// moves is the table of levels: the first line that holds is followed. Nothing else changes the level.
var moves = []struct {
	from, to level
	when     func(s signs) bool
}{
	{levelNormal, levelLimited, func(s signs) bool { return s.late >= lateRow || s.hot >= hotRow || s.audio >= muteRow }},
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

// tick ends an interval: it judges the measures, moves the level, and then the rate. It returns what was found before,
// and what is now.
func (c *overload) tick(m measures) (before, now load) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before = c.foundLocked()
	was := c.level
	c.judgeLocked(m)
	mute := c.signs.late < lateRow && c.signs.hot < hotRow // if there is any sign
	if c.level = moved(was, c.signs); c.level != was {
		c.signs = signs{audio: c.signs.audio} // what follows is judged by what comes now
	}
	switch {
	case was == levelNormal && c.level == levelLimited:
		c.rate = max(leastRate, c.admits)
		if mute { // that bounds who is in
			c.rate = max(muteRate, 2*c.rate)
		}
		c.lowered, c.least = c.rate, max(leastRate, leastShare*c.rate)
		c.calls, c.shorts = leaky{}, leaky{}
	case c.level == levelLimited:
		c.followLocked()
	}
	c.followCrowdLocked()
	c.live = m.live
	c.yields = max(0, c.yields-1)
	c.pressed.Store(c.o.Rate > 0 || c.level != levelNormal)
	c.interval = interval{}
	return before, c.foundLocked()
}

// judgeLocked reads the signs of the interval that ends.
func (c *overload) judgeLocked(m measures) {
	const few = 4 // requests: so few say nothing of a queue
	c.crowd.before, c.crowd.late = c.crowd.late, m.audio
	c.lagged, c.lag = c.lag, m.late
	if c.served > 0 {
		c.lag = max(c.lag, c.waits/time.Duration(c.served))
	}
	if c.rung > 0 {
		c.lag = max(c.lag, c.took/time.Duration(setupLag*c.rung))
	}
	if m.took > 0 {
		c.intervals++ // until there are enough of them the mean is that of all
		in := float64(c.admitted) / m.took.Seconds()
		c.admits += max(cpuWeight, 1/c.intervals) * (in - c.admits)
		c.steady += max(steadyWeight, 1/c.intervals) * (in - c.steady)
		gone := float64(c.live + c.admitted + c.asked - m.live)
		c.ends += max(endsWeight, 1/c.intervals) * (gone/m.took.Seconds() - c.ends)
	}
	if m.cpu >= 0 {
		c.cpu += cpuWeight * (m.cpu - c.cpu)
	} else {
		c.cpu, c.theirs = 0, 0 // what was found before it could not be found any more says nothing
	}
	caused := c.causedLocked(m)
	late := caused && c.o.Lag > 0 && (m.late > c.o.Lag || m.queue > backlogMost || m.dropped > 0 ||
		c.served >= few && 2*c.overdue > c.served || c.rung >= few && 2*c.slow > c.rung)
	c.grave = late && (c.lag > stuckLag*c.o.Lag || m.dropped > 0)
	mute := caused && c.o.Lag > 0 && m.audio > c.o.Lag
	hot := caused && c.o.CPU > 0 && c.cpu > c.cpuLimitLocked()
	idle := !late && !mute && !hot && c.denied == c.ruled && (c.o.CPU == 0 || c.cpu-c.theirs < calm*c.o.CPU)
	row(&c.signs.late, late)
	row(&c.signs.hot, hot)
	row(&c.signs.audio, mute)
	row(&c.signs.calm, idle)
	full := c.cpu > 1-stuckSpare*(1-c.o.CPU)
	stuck := c.level != levelNormal && (hot && full && c.rate <= leastRate || c.grave && c.rate <= c.least)
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
	share := float64(c.denied) / float64(c.denied+c.admitted)
	return c.o.CPU + min(spare, spare*(refusingAny+(1-refusingAny)*share)+asked)
}

// oursLocked tells whether this process uses so much of the CPU that to let fewer in helps, however late the machine runs it.
func (c *overload) oursLocked() bool { return c.o.CPU > 0 && c.cpu > c.o.CPU/2 }

// followLocked moves the rate: down with too much load; up, where it kept somebody out, without.
func (c *overload) followLocked() {
	late, hot := c.signs.late >= lateRow, c.signs.hot > 0
	if (late || hot) && !c.falling {
		c.lowered = c.rate
	}
	c.falling = late || hot
	row(&c.soon, !late && !hot)
	switch {
	case late && c.lag < c.lagged: // what was done has begun to help: those who wait have yet to be served
	case late && c.rate > c.least:
		c.rate = max(c.least, lateStep*c.rate)
	case late && (c.grave || c.oursLocked()):
		c.least = max(leastRate, leastFades*c.least)
		c.rate = min(c.rate, c.least)
	}
	if hot { // that is our own doing, and passes as calls end, if a little fewer come than do
		c.rate = max(leastRate, c.rate*math.Pow(c.cpuLimitLocked()/c.cpu, hotExponent), min(c.rate, hotEbb*c.ends))
	}
	switch {
	case late || hot:
	case c.signs.late > 0 || c.denied <= c.barred+c.outwaited+c.ruled+c.yielded: // nobody whom a higher rate would have let in
	case c.rate < near*c.lowered:
		c.rate *= fastStep
	default:
		c.rate *= bolder(slowStep, fastStep, c.soon)
	}
	if c.o.Rate > 0 { // above it nothing is learnt
		c.rate, c.lowered = min(c.rate, c.o.Rate), min(c.lowered, c.o.Rate)
	}
}

// bolder is the step by which a bound is raised that was lowered so many intervals ago: from slow it comes to fast.
func bolder(slow, fast float64, ago int) float64 {
	return slow + (fast-slow)*min(1, float64(ago)/boldRow)
}

// row counts how often in a row something was so.
func row(n *int, so bool) {
	if *n++; !so {
		*n = 0
	}
}
