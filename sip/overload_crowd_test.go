package sip

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// crowdServer is a simulated one with one processor. What its calls take together beyond it has the
// audio come late, as that of a media engine does: by up to half a second, above which it is left out.
type crowdServer struct {
	hold   time.Duration // how long a call lasts
	spread float64       // by what share of that, about it, they differ
	setup  time.Duration // of the processor, for each
	audio  float64       // of the processor, for each that is in
	refuse time.Duration
	gone   time.Duration // of the processor, for each that ends
}

type crowdFound struct {
	completed float64 // a second
	unheard   float64 // of the audio, the share that was left out
	late      float64 // the share of the time in which it came later than Lag
	peak      int     // were in at most
	level     level
	share     [classes]float64 // of those who came, the share that was let in
}

// serve offers so many calls a second for ten times as long as one lasts and two minutes, of which the last half counts.
func (s crowdServer) serve(rate float64) (f crowdFound) {
	c := newOverload(usual)
	rnd := rand.New(rand.NewPCG(3, 3))
	const steps = 10 // in an interval
	step := overloadEvery / steps
	n := int((10*s.hold + 2*time.Minute) / step)
	ends := make([]int, n+2*int(s.hold/step)+1)
	var arrears, used, sent, owed time.Duration
	live, completed, lates, ticks := 0, 0, 0, 0
	var came, in [classes]float64
	now, next := time.Time{}.Add(time.Hour), 0.0
	for i := range n {
		now = now.Add(step)
		live -= ends[i]
		counts := i > n/2
		if counts {
			completed += ends[i]
		}
		work := time.Duration(ends[i]) * s.gone
		for ; next < float64(i)*step.Seconds(); next += rnd.ExpFloat64() / rate {
			k := classMenu
			if rnd.IntN(10) < 3 {
				k = classRest
			}
			v := c.admit(k, 0, now)
			if counts {
				came[k]++
			}
			if counts && v == admitted {
				in[k]++
			}
			if v == admitted {
				live++
				f.peak = max(f.peak, live)
				ends[i+int(float64(s.hold/step)*(1+s.spread*(rnd.Float64()-0.5)))]++
			}
			if v >= admitShort {
				work += s.setup
			} else {
				work += s.refuse
			}
		}
		audio := time.Duration(float64(live) * s.audio * float64(step))
		work += audio + arrears
		can := step
		did := min(work, can)
		used += did
		arrears = work - did
		const most = 500 * time.Millisecond
		if counts {
			owed += audio
			sent += audio - max(0, arrears-most)
		}
		arrears = min(arrears, most)
		if i%steps == steps-1 {
			c.tick(measures{took: overloadEvery, cpu: float64(used) / float64(overloadEvery), audio: arrears, live: live})
			used = 0
			f.level = max(f.level, c.level)
			if counts {
				ticks++
				if arrears > usual.Lag {
					lates++
				}
			}
		}
	}
	for k := range in {
		f.share[k] = in[k] / max(1, came[k])
	}
	f.completed = float64(completed) / (time.Duration(n/2) * step).Seconds()
	f.unheard, f.late = 1-float64(sent)/float64(owed), float64(lates)/float64(ticks)
	return f
}

// Calls that last take the processor for as long as they last: how many are let in follows what they take, whether that is a second
// or three minutes. At twice what can be carried at least 95 % of the most is completed, with its audio; at three times that what
// refusing takes tells where calls are short.
func TestOverloadCrowd(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]crowdServer{
		"a second":         {hold: time.Second, spread: 1},
		"five seconds":     {hold: 5 * time.Second, spread: 1},
		"exactly as long":  {hold: 5 * time.Second},
		"half a minute":    {hold: 30 * time.Second, spread: 1},
		"a sipp scenario":  {hold: 30 * time.Second},
		"a longer one":     {hold: time.Minute},
		"three minutes":    {hold: 3 * time.Minute, spread: 1},
		"audio takes more": {hold: 30 * time.Second, spread: 1, audio: 1.0 / 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.setup, s.refuse, s.audio = time.Millisecond, 100*time.Microsecond, max(s.audio, 1.0/2000)
			carried := usual.CPU / (s.setup.Seconds() + s.audio*s.hold.Seconds())
			most := 0.0
			for _, times := range []float64{0.9, 1, 1.1, 1.2, 1.3} {
				f := s.serve(times * carried)
				require.Less(t, f.unheard, 0.001)
				most = max(most, f.completed)
			}
			for times, share := range map[float64]float64{2: 0.95, 3: 0.88} {
				if s.spread == 0 {
					share -= 0.02 // they come and go in waves
				}
				f := s.serve(times * carried)
				t.Logf("%g times %.1f a second: %+v; most %.1f", times, carried, f, most)
				require.GreaterOrEqual(t, f.completed, share*most)
				require.Less(t, f.unheard, 0.001)
				if s.spread > 0 { // else nobody is refused while they come, and all while they are in
					require.Less(t, f.share[classRest], f.share[classMenu]/4)
					require.Less(t, f.late, times/10)
				}
			}
		})
	}
}

// On a machine that runs us one millisecond in three, audio is late whoever is in: half of those who were go on being served.
func TestOverloadCrowdOnAStarvedMachine(t *testing.T) {
	t.Parallel()
	c := newOverload(usual)
	late := func(n int, cpu float64, live int) {
		for range n {
			c.tick(measures{took: overloadEvery, cpu: cpu, audio: 300 * time.Millisecond, live: live})
		}
	}
	c.tick(measures{took: overloadEvery, cpu: 0.3, live: 100})
	late(muteRow, 0.3, 100)
	require.Equal(t, levelLimited, c.level)
	for live := 100; live > 40; live-- {
		late(1, 0.3, live)
	}
	require.InDelta(t, 50, c.found().Most, 1)
	require.Equal(t, admitted, c.admit(classMenu, 0, time.Now()))
	for live := 40; live > 20; live-- { // until it is we who use the CPU
		late(1, 0.9, live)
	}
	require.Less(t, c.found().Most, 25.0)
}

// When the audio is late, calls are let in as others end, in the order of their classes; who is in is none the less.
func TestOverloadOfAudio(t *testing.T) {
	t.Parallel()
	c := newOverload(usual)
	tick := func(audio time.Duration, live int) load {
		_, now := c.tick(measures{took: overloadEvery, cpu: 0.6, audio: audio, live: live})
		return now
	}
	for range 10 { // a machine that stood still
		tick(2*usual.Lag, 1000)
		tick(2*usual.Lag, 1000)
		require.Equal(t, levelNormal, tick(0, 1000).Level)
	}
	for range 20 {
		for range 5 {
			require.Equal(t, admitted, c.admit(classRest, 0, time.Now()))
		}
		tick(0, 1000)
	}
	tick(2*usual.Lag, 1000)
	tick(2*usual.Lag, 1000)
	now := tick(2*usual.Lag, 1000)
	require.Equal(t, levelLimited, now.Level)
	require.InDelta(t, crowdLeft*1000, now.Most, 1)
	require.Equal(t, 2*usual.Lag, now.Audio)
	require.Equal(t, [classes]admission{admitNot, admitShort, admitted, admitted}, admitAll(c, time.Now()))
	require.True(t, c.turns(classRest, 0, time.Now()))
	require.InDelta(t, crowdLeft*1000, tick(usual.Lag*3/2, 960).Most, 1, "it is better already")
	require.InDelta(t, crowdLeft*1000, tick(usual.Lag*5/4, 960).Most, 1)
	now = tick(0, 960)
	require.InDelta(t, crowdLeft*1000, now.Most, 5)
	got := admitAll(c, time.Now())
	require.Equal(t, []admission{admitted, admitted, admitted}, got[classMenu:])
	for range calmRow + 1 {
		now = tick(0, 500)
	}
	require.Equal(t, levelNormal, now.Level)
	require.True(t, math.IsInf(now.Most, 1))
}

// boundLoad is a control that lets in 50 calls a second of 1,000 that are in, of which as many end.
func boundLoad() *overload {
	c := newOverload(usual)
	for i := range 100 + lateRow {
		for range 5 {
			c.admit(classMenu, 0, time.Time{})
		}
		m := measures{took: overloadEvery, cpu: 0.6, live: 1000}
		if i >= 100 {
			m.late = 2 * usual.Lag
		}
		c.tick(m)
	}
	return c
}

// While too much CPU is used a little fewer are let in than end, and not ever fewer: what calls that last take passes as they end.
func TestOverloadEbb(t *testing.T) {
	t.Parallel()
	c := boundLoad()
	for live := 1000; live > 500; live -= 5 {
		c.tick(measures{took: overloadEvery, cpu: 1, live: live})
	}
	require.Greater(t, c.found().Rate, 0.8*hotEbb*50)
	require.Less(t, c.found().Rate, 50.0)
	for range 100 { // none ends
		c.tick(measures{took: overloadEvery, cpu: 1, live: 500})
	}
	require.Less(t, c.found().Rate, 5.0)
}

// Who has waited for too long, or is kept out by those who are in, would have been refused at any rate: that raises none. Nor is a
// rate lowered on and on while the queue that it was lowered for is served.
func TestOverloadRateStays(t *testing.T) {
	t.Parallel()
	c := boundLoad()
	rate := c.found().Rate
	for range 50 {
		for range 20 {
			require.NotEqual(t, admitted, c.admit(classMenu, 2*usual.Lag, time.Time{}))
		}
		c.tick(measures{took: overloadEvery, cpu: 0.6, live: 1000})
	}
	require.InDelta(t, rate, c.found().Rate, 0.01)
	for late := 20 * usual.Lag; late > usual.Lag; late -= usual.Lag / 2 {
		c.tick(measures{took: overloadEvery, cpu: 0.6, late: late, live: 1000})
	}
	require.InDelta(t, rate, c.found().Rate, 2*(1-lateStep)*rate)
	for range 5 {
		c.tick(measures{took: overloadEvery, cpu: 0.6, late: 2 * usual.Lag, live: 1000})
	}
	require.Less(t, c.found().Rate, 0.8*rate)
}

// What takes long to ring has waited somewhere, though no request did for its handler.
func TestOverloadOfSetups(t *testing.T) {
	t.Parallel()
	c := newOverload(usual)
	rings := func(took time.Duration, n int) level {
		for range 10 {
			for range n {
				c.begun(took)
			}
			c.tick(measures{took: overloadEvery, cpu: -1})
		}
		return c.level
	}
	require.Equal(t, levelNormal, rings(setupLag*usual.Lag, 20))
	require.Equal(t, levelNormal, rings(time.Second, 3), "so few say nothing")
	require.Equal(t, levelLimited, rings(setupLag*usual.Lag+1, 20))
}

// Where calls last for minutes, few come a second and many are in: all who might have an alarm can be asked, for what that takes
// beside them.
func TestOverloadShortMenus(t *testing.T) {
	t.Parallel()
	asked := func(live int) (n int) {
		c := newOverload(usual)
		for range 2 * hotRow {
			c.tick(measures{took: overloadEvery, cpu: -1, late: time.Second, live: live})
		}
		require.Equal(t, levelLimited, c.level)
		for range 100 {
			if c.admit(classMenu, time.Second, time.Now()) == admitShort {
				n++
			}
		}
		return n
	}
	require.Equal(t, 4, asked(10), "a burst")
	require.Equal(t, 25, asked(16000), "a quarter of a second's: of the twentieth of those in, one every eight seconds each")
}

// The operator's own bound refuses, and nothing is learnt of it: the level goes when the signs are gone, and the rate stays a number.
func TestOverloadBesideARule(t *testing.T) {
	t.Parallel()
	c := newOverload(OverloadOptions{Lag: usual.Lag, CPU: usual.CPU, Rate: 5})
	now := time.Time{}.Add(time.Hour)
	tick := func(late time.Duration) load {
		now = now.Add(overloadEvery)
		for range 2 { // twenty a second
			c.admit(classMenu, 0, now)
		}
		_, l := c.tick(measures{took: overloadEvery, cpu: 0.3, late: late, live: 10})
		return l
	}
	for range 100 {
		tick(0)
	}
	for range lateRow {
		tick(2 * usual.Lag)
	}
	require.Equal(t, levelLimited, c.level)
	for range 20 * calmRow {
		tick(0)
		require.LessOrEqual(t, c.rate, 5.0)
	}
	require.Equal(t, levelNormal, c.level)
}

// A CPU that cannot be measured any more is not held to be used as it was.
func TestOverloadWithoutCPUAnyMore(t *testing.T) {
	t.Parallel()
	c := newOverload(usual)
	for range 2 * stuckRow {
		c.tick(measures{took: overloadEvery, cpu: 1, live: 100})
	}
	require.NotEqual(t, levelNormal, c.level)
	for range 2 * calmRow {
		c.tick(measures{took: overloadEvery, cpu: -1, live: 100})
	}
	require.Equal(t, levelNormal, c.level)
}

// Few who are in are not what makes audio late, and who come next are let in.
func TestOverloadOfAudioOfFew(t *testing.T) {
	t.Parallel()
	c := newOverload(usual)
	for range 2 * muteRow {
		c.tick(measures{took: overloadEvery, cpu: 0.6, audio: time.Second, live: 2})
	}
	require.Equal(t, levelLimited, c.level)
	require.InDelta(t, crowdLeast, c.found().Most, 0)
	require.GreaterOrEqual(t, c.found().Rate, muteRate)
	require.Equal(t, admitted, c.admit(classMenu, 0, time.Now()))
}

// Calls that all begin at once are many before the first of them ends: once they use too much of the CPU, no more are to be in.
func TestOverloadFillsUp(t *testing.T) {
	t.Parallel()
	for hold, most := range map[time.Duration]float64{5 * time.Second: 1.38, 30 * time.Second: 1.24} {
		for _, times := range []float64{1.5, 2, 3, 5} {
			t.Run(fmt.Sprintf("calls of %s, %g times", hold, times), func(t *testing.T) {
				t.Parallel()
				const each = 450 * time.Microsecond
				s := crowdServer{hold: hold, spread: 1, setup: each, gone: each, refuse: 100 * time.Microsecond, audio: 1.0 / 4000}
				carried := usual.CPU / (2*each.Seconds() + s.audio*hold.Seconds())
				f := s.serve(times * carried)
				require.LessOrEqual(t, float64(f.peak), most*carried*hold.Seconds())
				require.GreaterOrEqual(t, f.completed, 0.88*carried)
				require.Less(t, f.unheard, 0.001)
			})
		}
	}
}
