package sip

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Every line of the table of levels, and what just does not follow it.
func TestOverloadMoves(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		from level
		s    signs
		want level
	}{
		"a queue that stands":           {levelNormal, signs{late: lateRow}, levelLimited},
		"a hiccup":                      {levelNormal, signs{late: lateRow - 1, hot: hotRow - 1}, levelNormal},
		"the CPU used":                  {levelNormal, signs{hot: hotRow}, levelLimited},
		"calm where nothing is limited": {levelNormal, signs{calm: 2 * calmRow, stuck: stuckRow}, levelNormal},
		"still too much":                {levelLimited, signs{late: 2 * stuckRow}, levelLimited},
		"too much at the least rate":    {levelLimited, signs{late: 1, stuck: stuckRow}, levelSaturated},
		"the CPU, at the least rate":    {levelLimited, signs{hot: 1, stuck: stuckRow}, levelSaturated},
		"not long at the least rate":    {levelLimited, signs{hot: stuckRow, stuck: stuckRow - 1}, levelLimited},
		"calm for long":                 {levelLimited, signs{calm: calmRow}, levelNormal},
		"calm, not for long":            {levelLimited, signs{calm: calmRow - 1}, levelLimited},
		"saturated yet":                 {levelSaturated, signs{hot: 1, eased: easedRow - 1, calm: calmRow}, levelSaturated},
		"saturated no more":             {levelSaturated, signs{late: 1, eased: easedRow}, levelLimited},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, moved(c.from, c.s))
		})
	}
}

// ticks has n intervals pass with so much of the CPU used, each ended so late.
func ticks(c *overload, n int, cpu float64, late time.Duration) {
	for range n {
		c.tick(measures{took: overloadEvery, cpu: cpu, late: late})
	}
}

// admitAll has one call of each class come, and tells what became of them.
func admitAll(c *overload, now time.Time) (got [classes]admission) {
	for k := range classes {
		got[k] = c.admit(k, 0, now)
	}
	return got
}

// Where even the least rate is too much, alarms alone are let in, and short menus at that rate; agents are refused
// last but for them. With the load the bound goes, and not before it was calm for five seconds.
func TestOverloadSaturated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newOverload(usual)
		all := [classes]admission{admitted, admitted, admitted, admitted}
		require.Equal(t, all, admitAll(c, time.Now()))
		ticks(c, lateRow, 0.1, time.Second)
		require.Equal(t, levelLimited, c.level)
		ticks(c, 2*stuckRow, 0.1, 2*time.Second)
		require.Equal(t, levelSaturated, c.level)
		require.Equal(t, [classes]admission{admitNot, admitShort, admitNot, admitted}, admitAll(c, time.Now()))
		shorts := 0
		for range 100 {
			if c.admit(classMenu, 0, time.Now()) == admitShort {
				shorts++
			}
			require.Equal(t, admitted, c.admit(classAlarm, time.Hour, time.Now()), "they are never refused for load")
		}
		require.Less(t, shorts, 5)

		ticks(c, easedRow, 0.1, 0)
		require.Equal(t, levelLimited, c.level)
		require.Equal(t, admitted, c.admit(classAgent, 0, time.Now()))
		ticks(c, 1, 0.1, 0) // the one in which calls were refused
		ticks(c, calmRow-2, 0.1, 0)
		require.Equal(t, levelLimited, c.level)
		ticks(c, 2, 0.1, 0)
		require.Equal(t, levelNormal, c.level)
		require.Equal(t, all, admitAll(c, time.Now()))
	})
}

// What strangers send and is dropped unread, or takes the processor, does not shut the door to callers.
func TestOverloadOfStrangers(t *testing.T) {
	t.Parallel()
	flood := measures{took: overloadEvery, cpu: 0.9, theirs: 0.7, late: time.Second, queue: 1, dropped: 100, strange: 500, known: 20}
	c := newOverload(usual)
	for range 4 * stuckRow {
		c.tick(flood)
	}
	require.Equal(t, levelNormal, c.level)
	quiet := flood
	quiet.strange, quiet.theirs, quiet.cpu = 0, 0, 0.2
	for range floodRow - 1 { // what is left of it waits yet
		c.tick(quiet)
	}
	require.Equal(t, levelNormal, c.level)
	for range lateRow + 1 {
		c.tick(quiet)
	}
	require.Equal(t, levelLimited, c.level, "that is no flood")

	busy := flood // with a hotline that has enough to do itself
	busy.theirs = 0.2
	c = newOverload(usual)
	for range 4 * stuckRow {
		c.tick(busy)
	}
	require.NotEqual(t, levelNormal, c.level)

	c = newOverload(OverloadOptions{Lag: usual.Lag}) // where the CPU is not looked at
	flood.cpu = -1
	for range 4 * stuckRow {
		c.tick(flood)
	}
	require.Equal(t, levelNormal, c.level)
}

// Where the CPU is not measured a flood of strangers' hides no overload that others cause: neither one that was there before,
// nor one that comes with more calls than usual; by their datagrams, or, over connections, by their number. Where it is
// measured and has no limit, half of all of it is what tells.
func TestOverloadBesideStrangersWithoutCPU(t *testing.T) {
	t.Parallel()
	o := OverloadOptions{Lag: usual.Lag}
	calm := measures{took: overloadEvery, cpu: -1, known: 20}
	late := calm
	late.late = time.Second
	flooded := func(m measures) measures { m.strange = 500; return m }
	for name, c := range map[string]struct {
		before, then, flood measures
		calls               int // in an interval of the flood, beside one in each before it
		want                level
	}{
		"as usual":             {before: calm, then: calm, flood: late, want: levelNormal},
		"more than usual":      {before: calm, then: calm, flood: func() measures { m := late; m.known = 60; return m }(), want: levelLimited},
		"over connections":     {before: calm, then: calm, flood: late, calls: 10, want: levelLimited},
		"bounded before":       {before: calm, then: late, flood: late, want: levelLimited},
		"theirs, no limit":     {before: calm, then: calm, flood: func() measures { m := late; m.cpu, m.theirs = 0.9, 0.7; return m }(), want: levelNormal},
		"not theirs, no limit": {before: calm, then: calm, flood: func() measures { m := late; m.cpu, m.theirs = 0.9, 0.2; return m }(), want: levelLimited},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newOverload(o)
			tick := func(m measures, times, calls int) {
				for range times {
					for range 1 + calls {
						l.admit(classAgent, 0, time.Time{})
					}
					l.tick(m)
				}
			}
			tick(c.before, 3000, 0)
			require.Equal(t, levelNormal, l.level)
			tick(c.then, lateRow+2, 0)
			tick(flooded(c.flood), calmRow+10, c.calls)
			require.Equal(t, c.want != levelNormal, l.level != levelNormal)
		})
	}
}

// One interval with a queue, or half a second of all the CPU, is no overload: a start, a burst, a collection of garbage.
func TestOverloadBearsAHiccup(t *testing.T) {
	t.Parallel()
	c := newOverload(usual)
	ticks(c, 20, 0.5, 0)
	for range 10 {
		ticks(c, lateRow-1, 0.5, time.Second)
		ticks(c, 1, 0.5, 0)
	}
	ticks(c, hotRow, 1, 0)
	require.Equal(t, levelNormal, c.level)
	ticks(c, stuckRow, 1, 0)
	require.Equal(t, levelLimited, c.level)
}

// In a standing queue a call that has waited for too long is refused, whatever the rate has room for; one that has not
// is let in. So the queue is what the limit says, and not what the rate makes of it.
func TestOverloadRefusesWhoHasWaited(t *testing.T) {
	t.Parallel()
	c := newOverload(usual)
	require.Equal(t, admitted, c.admit(classRest, time.Second, time.Now()), "nothing says that a queue stands")
	for range lateRow {
		for range 20 {
			c.waited(2 * usual.Lag)
			c.admit(classRest, 0, time.Now())
		}
		ticks(c, 1, -1, 0)
	}
	require.Equal(t, levelLimited, c.level)
	require.Equal(t, admitted, c.admit(classRest, usual.Lag, time.Now()))
	require.Equal(t, admitNot, c.admit(classRest, usual.Lag+1, time.Now()))
	require.False(t, c.turns(classRest, usual.Lag, time.Now()))
	require.True(t, c.turns(classRest, usual.Lag+1, time.Now()), "nor at the first look")
	require.False(t, c.turns(classMenu, usual.Lag+1, time.Now()), "there is room to be asked")
	require.Equal(t, admitShort, c.admit(classMenu, usual.Lag+1, time.Now()))
	for _, k := range []class{classAgent, classAlarm} {
		require.Equal(t, admitted, c.admit(k, time.Second, time.Now()))
	}
	// Three requests, however late, are no queue.
	few := newOverload(usual)
	for range 10 {
		for range 3 {
			few.waited(time.Second)
		}
		ticks(few, 1, -1, 0)
	}
	require.Equal(t, levelNormal, few.level)
}

// The bound that the operator sets holds at any load; half of the burst is for menus, and agents and alarms go beyond it.
func TestOverloadRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newOverload(OverloadOptions{Rate: 40})
		admits := func(k class, n int) (in int) {
			for range n {
				if c.admit(k, 0, time.Now()) == admitted {
					in++
				}
			}
			return in
		}
		require.Equal(t, 5, admits(classRest, 100))
		require.Equal(t, 5, admits(classMenu, 100))
		require.Equal(t, 20, admits(classAlarm, 20))
		require.Equal(t, 20, admits(classAgent, 20))
		time.Sleep(time.Second / 4) // they went one burst beyond, and no more of them is held against the others
		require.Zero(t, admits(classRest, 1))
		time.Sleep(time.Second / 4)
		require.Equal(t, 10, admits(classMenu, 100))
		for range yieldRow {
			c.tick(measures{took: overloadEvery, cpu: -1})
		}
		in := 0
		for range 400 {
			time.Sleep(10 * time.Millisecond)
			in += admits(classRest, 1)
		}
		require.InDelta(t, 160-5, in, 1) // four seconds' worth, but for what the burst had to drain first
	})
}

// A load that comes and goes moves the level twice, and nothing is refused for it before or long after.
func TestOverloadDoesNotFlap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		since := func() time.Duration { return time.Since(begun) }
		s := simulateAt(usual, func() float64 {
			if at := since(); at > 20*time.Second && at < 40*time.Second {
				return 3 * costlessRate
			}
			return costlessRate / 2
		})
		require.Equal(t, []level{levelLimited, levelNormal}, s.levels)
		require.Greater(t, s.refusedFrom.Sub(begun), 20*time.Second)
		require.Less(t, s.refusedTo.Sub(begun), 42*time.Second)
	})
}

// Without the control all of this server's callers wait, and for longer and longer: what the other tests find is its doing.
func TestOverloadWithoutControl(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := simulate(OverloadOptions{}, 2*costlessRate)
		require.Greater(t, s.quantile(0.5), 10*time.Second)
	})
}

// A machine that runs us one millisecond in three, in turns of three hundred, makes every request late whatever is let
// in. That is no reason to let nobody in: what it can still serve is served, and agents and alarms all.
func TestOverloadOnAStarvedMachine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		starve := func() { // nothing runs in the last two of three parts
			const turn = 300 * time.Millisecond
			if at := time.Since(begun) % turn; at > turn/3 {
				time.Sleep(turn - at)
			}
		}
		s := simulateOn(usual, func() float64 { return costlessRate * 2 / 3 }, starve)
		t.Logf("%d of %v, %d short, levels %v, p99 %v", s.completed(), s.offered, s.short, s.levels, s.quantile(0.99))
		require.Greater(t, float64(s.completed()), 0.45*60*costlessRate/3)
		require.Equal(t, s.offered[classAlarm], s.by[classAlarm])
		require.Equal(t, s.offered[classAgent], s.by[classAgent])
		require.Less(t, s.quantile(0.99), time.Second)
	})
}

// Half of what was let in before is the floor for lag only where the machine is what makes it late. Calls that came at once have
// not cost yet what they will: where the process itself uses the CPU, fewer of them help, and none waits.
func TestOverloadLagOfOurOwn(t *testing.T) {
	t.Parallel()
	for cpu, ours := range map[float64]bool{0.3: false, 0.6: true} {
		c := newOverload(usual)
		for range 20 {
			for range 20 {
				c.admit(classRest, 0, time.Now())
			}
			ticks(c, 1, cpu, 0)
		}
		ticks(c, lateRow, cpu, 2*usual.Lag)
		require.Equal(t, levelLimited, c.level)
		floor := c.least
		require.Greater(t, floor, 10*leastRate)
		ticks(c, 100, cpu, 2*usual.Lag)
		require.Equal(t, levelLimited, c.level)
		if !ours {
			require.InDelta(t, floor, c.found().Rate, 0.01)
			require.Equal(t, admitted, c.admit(classRest, 2*usual.Lag, time.Now()), "all may be late")
			continue
		}
		require.Less(t, c.found().Rate, floor/2)
		require.Equal(t, admitNot, c.admit(classRest, 2*usual.Lag, time.Now()))
		require.Equal(t, admitted, c.admit(classRest, 0, time.Now()))
	}
}

// Limits that are taken away are gone at once.
func TestOverloadIsSetAnew(t *testing.T) {
	t.Parallel()
	c := newOverload(usual)
	ticks(c, 100, 1, time.Second)
	require.Equal(t, levelSaturated, c.level)
	c.set(OverloadOptions{})
	ticks(c, 100, 1, time.Second)
	require.Equal(t, [classes]admission{admitted, admitted, admitted, admitted}, admitAll(c, time.Now()))
}
