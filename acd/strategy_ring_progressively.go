package acd

// RingProgressively rings the agent who has been idle longest, and another each Queue.Progress while nobody
// answers.
const RingProgressively = "ring-progressively"

var ringProgressively = strategy{
	before:      longestIdle.before,
	fanOut:      1,
	progressive: true,
}
