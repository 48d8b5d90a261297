package acd

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// explorer tries every schedule of a small world: everything that may happen, in every order, as long as there are no
// more than so many acts besides the passing of time, and no more than so many seconds. A state met again, with no
// more left of both, leads nowhere new.
type explorer struct {
	fault   func(w *world)
	figures *figures // of all worlds, since they take longest to make
	seen    map[string]budget
	runs    int // schedules tried
}

// budget is what is left of acts and seconds.
type budget struct{ acts, seconds int }

// explore returns the first schedule that breaks a rule, and the rule. The world is as a schedule has left it.
func (e *explorer) explore(path []act, w *world, left budget) ([]act, error) {
	key := w.key()
	if had, ok := e.seen[key]; ok && had.acts >= left.acts && had.seconds >= left.seconds {
		return nil, nil
	}
	e.seen[key] = left
	for _, x := range w.acts() {
		next := left
		if x == tick {
			next.seconds--
		} else {
			next.acts--
		}
		if next.acts < 0 || next.seconds < 0 {
			continue
		}
		longer := append(slices.Clip(path), x)
		after, err := e.replay(longer)
		if err != nil {
			return longer, err
		}
		if bad, err := e.explore(longer, after, next); err != nil {
			return bad, err
		}
	}
	return nil, nil
}

// replay has a schedule happen from the beginning, and returns the rule that it breaks.
func (e *explorer) replay(path []act) (*world, error) {
	e.runs++
	w := newWorld(e.figures, e.fault)
	for _, x := range path {
		w.do(x)
		if err := w.broken(); err != nil {
			return w, err
		}
	}
	return w, nil
}

// beginnings are what was before, up to the first alarm.
var beginnings = [][]act{
	nil,                                     // everybody is free
	{{"join", lesserCall}, {"progress", 0}}, // the best agent rings for a lesser call
	{{"join", lesserCall}, {"answer", 0}, {"hang-up", 0}},                            // is in wrap-up
	{{"join", lesserCall}, {"answer", 0}, {"flow", 1}},                               // talks, and another is gone
	{{"pause", 0}, {"pause", 1}, {"pause", 2}},                                       // everybody is in pause
	{{"pause", 0}, {"pause", 1}, {"join", lesserCall}, {"progress", 2}},              // two are, and the third rings
	{{"flow", 2}, {"join", lesserCall}, {"answer", 0}, {"hang-up", 0}, {"pause", 1}}, // nobody is left to be rung at first
}

// exploreAll tries every schedule that goes on from a beginning with an alarm.
func exploreAll(fault func(w *world), left budget) (e *explorer, bad []act, err error) {
	e = &explorer{fault: fault, figures: newFigures(newLoad(time.Now())), seen: map[string]budget{}}
	for _, before := range beginnings {
		path := append(slices.Clip(before), act{"join", alarmOne})
		w, err := e.replay(path)
		if err != nil {
			return e, path, err
		}
		if bad, err := e.explore(path, w, left); err != nil {
			return e, bad, err
		}
	}
	return e, nil, nil
}

// TestAlarmBound: no schedule of so many acts breaks a rule of docs/adr/0010-alarm.md. `make proof` tries more.
func TestAlarmBound(t *testing.T) {
	t.Parallel()
	e, bad, err := exploreAll(nil, budget{acts: 2, seconds: 2})
	require.NoError(t, err, "%v", bad)
	t.Logf("%d schedules, %d states", e.runs, len(e.seen))
}

// TestAlarmBoundIsWorthSomething: with each of these faults in the desk, some schedule breaks a rule.
func TestAlarmBoundIsWorthSomething(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(w *world){
		"a step comes late": func(w *world) { w.d.ladder.rungs[toEveryone].after = 3 * worldSecond },
		"a step's deadline is lost": func(w *world) {
			for _, c := range w.alarms() {
				w.d.alarms.remove(&c.climb.next)
			}
		},
		"alarms are ordinary calls": func(w *world) { w.d.ladder = nil },
		"an agent rests too long": func(w *world) {
			for _, a := range w.d.agents {
				if a.alarmRest.After(w.d.now) {
					a.alarmRest = w.d.now.Add(5 * worldSecond)
				}
			}
		},
		"nobody looks when a phone is free": func(w *world) { w.d.ladder.touched = false; w.d.ladder.booked = nil },
		"an alarm keeps all its phones": func(w *world) {
			for _, c := range w.alarms() {
				c.climb.up = false
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, bad, err := exploreAll(fault, budget{acts: 2, seconds: 4})
			require.Error(t, err)
			t.Logf("%v: %v", bad, err)
		})
	}
}
