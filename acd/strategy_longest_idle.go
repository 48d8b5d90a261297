package acd

// LongestIdle rings one agent at a time, the one who has been idle longest first.
const LongestIdle = "longest-idle"

var longestIdle = strategy{
	before: func(a, b facts) bool { return byIdle(a, b) < 0 },
	key:    idleInWords,
	fanOut: 1,
}
