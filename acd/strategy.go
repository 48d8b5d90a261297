package acd

import (
	"cmp"
	"fmt"
	"time"
)

// facts are what a strategy may know of an agent who is ready. They are written down when the agent comes to be
// ready and do not change until that ends, so that the heap made by them stays right.
type facts struct {
	id string
	// level of the queue's skill.
	level int
	// number is the agent's in the order of the configuration, among those who serve the queue; from 1.
	number int
	// weight is the agent's, from 1.
	weight int
	// idle is since when the agent has had nothing to do: the end of the last talk's wrap-up, or the
	// login, whichever is later. Calls that did not come from a queue do not count.
	idle time.Time
	// calls are those of this queue that the agent answered today.
	calls int
	// talked is for how long the agent has talked today, for whatever queue.
	talked time.Duration
	cursor
	// now is when the words of a key are asked for; else zero.
	now time.Time
}

// cursor is where a strategy that goes on from its last choice stands, for the agents of one level. Facts have
// the cursor that the queue gets once their agent is chosen.
type cursor struct {
	// lap is how often the round has ended, and at the number of the agent it has come to, 0 before the first.
	lap, at int
	// draw is the lot, of a strategy that draws.
	draw float64
}

// strategy is which agent goes first, and how many phones are rung at once for one caller. Both are
// pure: the desk keeps the indexes that make a match O(log n).
type strategy struct {
	// before is the order key, asked only of agents of the same level.
	before func(a, b facts) bool
	// key is what before compares, in words, for whoever reads a decision.
	key func(f facts) string
	// share is an agent's part of the calls, for a strategy that draws lots; nil for all others.
	share func(f facts) float64
	// fanOut is how many phones ring for one caller from the start; progressive adds another each
	// Queue.Progress. What else joins in, plan says.
	fanOut      int
	progressive bool
}

// strategies is the table: a strategy is one file and one line here.
var strategies = map[string]strategy{
	LongestIdle:       longestIdle,
	FewestCalls:       fewestCalls,
	LeastTalk:         leastTalk,
	RoundRobin:        roundRobin,
	Linear:            linear,
	Random:            random,
	Weighted:          weighted,
	RingAll:           ringAll,
	RingProgressively: ringProgressively,
}

// goesBefore is the whole order of agents within a queue: the level of the skill, highest first, then
// the strategy's key, then the id, so that the order is total and a match is repeatable.
func (s strategy) goesBefore(a, b facts) bool {
	if a.level != b.level {
		return a.level > b.level
	}
	if s.before(a, b) {
		return true
	}
	return !s.before(b, a) && a.id < b.id
}

// byIdle compares who has been idle longer: below 0 when a has.
func byIdle(a, b facts) int { return a.idle.Compare(b.idle) }

// byNumber reports whether a stands before b in the configuration.
func byNumber(a, b facts) bool { return a.number < b.number }

func idleInWords(f facts) string {
	return fmt.Sprintf("idle %.1f s", max(0, f.now.Sub(f.idle)).Seconds())
}

func numberInWords(f facts) string { return fmt.Sprintf("place %d", f.number) }

// after is the cursor of an agent who comes to be ready while the queue's stands here.
func (s strategy) after(stands cursor, f facts, lot func() float64) cursor {
	next := cursor{lap: stands.lap, at: f.number}
	if f.number <= stands.at {
		next.lap++
	}
	if s.share != nil {
		next.draw = stands.draw + lot()/s.share(f)
	}
	return next
}

// byDraw reports whether a drew the lesser lot.
func byDraw(a, b facts) bool { return cmp.Less(a.draw, b.draw) }
