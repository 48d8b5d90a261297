package acd

import "time"

// facts are what a strategy may know of an agent who is ready.
type facts struct {
	id string
	// level of the queue's skill.
	level int
	// idle is since when the agent has had nothing to do: the end of the last talk's wrap-up, or the
	// login, whichever is later. Calls that did not come from a queue do not count.
	idle time.Time
}

// strategy is which agent goes first, and how many phones are rung at once for one caller. Both are
// pure: the desk keeps the indexes that make a match O(log n).
type strategy struct {
	// before is the order key, asked only of agents of the same level.
	before func(a, b facts) bool
	// fanOut is how many phones ring for one caller from the start; progressive adds another each
	// Queue.Progress. What else joins in, plan says.
	fanOut      int
	progressive bool
}

// strategies is the table: a strategy is one file and one line here.
var strategies = map[string]strategy{
	LongestIdle:       longestIdle,
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
