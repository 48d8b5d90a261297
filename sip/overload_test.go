package sip

import (
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// What serving takes of the simulated server's one processor.
const (
	costCall   = 5 * time.Millisecond // a call let in, its BYE included
	costShort  = 2 * time.Millisecond // as much to set up, and over sooner
	costRefuse = 200 * time.Microsecond
	// costlessRate is what the server could serve if it did nothing else.
	costlessRate = float64(time.Second / costCall)
)

var usual = OverloadOptions{Lag: 50 * time.Millisecond, CPU: 0.85}

// newcomer is a new call in the queue of the simulated server.
type newcomer struct {
	class class
	at    time.Time
}

// served is what a simulated server did.
type served struct {
	offered, by [classes]int // by: let in to all they want
	short       int
	setup       []time.Duration // of those, sorted
	levels      []level         // that the server came to, one after the other
	refusedFrom time.Time
	refusedTo   time.Time
}

func (s *served) most() level { return slices.Max(append(s.levels, levelNormal)) }

func (s *served) completed() int {
	n := 0
	for _, k := range s.by {
		n += k
	}
	return n
}

func (s *served) share(k class) float64 { return float64(s.by[k]) / float64(max(1, s.offered[k])) }

func (s *served) quantile(q float64) time.Duration {
	return s.setup[min(len(s.setup)-1, int(q*float64(len(s.setup))))]
}

// simulate has one processor serve calls for a minute that come at random, so many a second, one after the other; of a hundred, five
// are alarms, five are agents', thirty cannot lead to an alarm. What comes in the first five seconds is not counted.
func simulate(o OverloadOptions, rate float64) served {
	return simulateAt(o, func() float64 { return rate })
}

// simulateAt is simulate for a rate that changes.
func simulateAt(o OverloadOptions, rate func() float64) served {
	return simulateOn(o, rate, func() {})
}

// simulateOn is simulateAt on a machine that has the server wait before it does something.
func simulateOn(o OverloadOptions, rate func() float64, starve func()) served {
	return simulateWith(o, rate, starve, costShort)
}

// simulateWith is simulateOn where a call let in to be asked takes so much.
func simulateWith(o OverloadOptions, rate func() float64, starve func(), short time.Duration) (s served) {
	const warm, takes = 5 * time.Second, time.Minute
	c := newOverload(o)
	rnd := rand.New(rand.NewPCG(7, 7))
	queue := make(chan newcomer, 1<<17)
	begun := time.Now()
	go func() {
		defer close(queue)
		for time.Since(begun) < warm+takes {
			time.Sleep(time.Duration(rnd.ExpFloat64() / rate() * float64(time.Second)))
			k := classMenu
			switch p := rnd.IntN(100); {
			case p < 5:
				k = classAlarm
			case p < 10:
				k = classAgent
			case p < 40:
				k = classRest
			}
			queue <- newcomer{k, time.Now()}
		}
	}()
	var busy atomic.Int64 // ns, up to now
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(overloadEvery)
		defer tick.Stop()
		for used := int64(0); ; {
			select {
			case <-done:
				return
			case <-tick.C:
				tick.Reset(overloadEvery)
			}
			due := time.Now()
			starve()
			late := time.Since(due)
			took := overloadEvery + late
			c.tick(measures{took: took, cpu: float64(busy.Load()-used) / float64(took), late: late})
			used = busy.Load()
			if last := append([]level{levelNormal}, s.levels...); last[len(last)-1] != c.level {
				s.levels = append(s.levels, c.level)
			}
		}
	}()
	for a := range queue {
		starve()
		waited := time.Since(a.at)
		c.waited(waited)
		v := c.admit(a.class, waited, time.Now())
		cost := map[admission]time.Duration{admitted: costCall, admitShort: short, admitNot: costRefuse}[v]
		const parts = 5
		for range parts { // so that a tick finds what was used of it until then
			starve()
			time.Sleep(cost / parts)
			busy.Add(int64(cost / parts))
		}
		if v == admitNot {
			s.refusedTo = time.Now()
			if s.refusedFrom.IsZero() {
				s.refusedFrom = s.refusedTo
			}
		}
		if a.at.Sub(begun) < warm || time.Since(begun) > warm+takes {
			continue
		}
		s.offered[a.class]++
		if v == admitShort {
			s.short++
		}
		if v == admitted {
			s.by[a.class]++
			s.setup = append(s.setup, time.Since(a.at))
		}
	}
	close(done)
	<-ended
	slices.Sort(s.setup)
	return s
}

// At twice what the server can carry it completes at least 95 % of the most that it completes at any load, whatever short menus
// take; those let in are served as soon; alarms and agents all; and who cannot be an alarm is refused before who can. At three
// times that what refusing takes tells a little more.
func TestOverloadKeepsWhatItCompletes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const carried = 0.85 * costlessRate // what the CPU's limit leaves
		half := simulate(usual, costlessRate/2)
		require.Equal(t, levelNormal, half.most())
		require.Equal(t, half.offered, half.by)
		require.Zero(t, half.short)
		for _, short := range []time.Duration{costShort, costCall} { // who is asked may stay as long as who is served
			with := func(times float64) served {
				return simulateWith(usual, func() float64 { return times * carried }, func() {}, short)
			}
			most := 0
			for _, times := range []float64{0.95, 1, 1.1, 1.2, 1.3} {
				s := with(times)
				most = max(most, s.completed())
			}
			for times, share := range map[float64]int{2: 95, 3: 92} {
				s := with(times)
				t.Logf("%gx, %v: %d and %d short of %v; most %d; p99 %v; by %v", times, short, s.completed(), s.short, s.offered,
					most, s.quantile(0.99), s.by)
				require.GreaterOrEqual(t, 100*s.completed(), share*most)
				require.Positive(t, s.short)
				require.Less(t, s.quantile(0.99), 2*usual.Lag)
				require.Equal(t, s.offered[classAlarm], s.by[classAlarm])
				require.Equal(t, s.offered[classAgent], s.by[classAgent])
				require.Less(t, s.share(classRest), s.share(classMenu)/2)
				require.Equal(t, levelLimited, s.most())
			}
		}
	})
}
