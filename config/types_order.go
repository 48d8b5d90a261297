package config

import "time"

// Strategy is how a queue picks agents; within each, the highest level of the skill goes first.
type Strategy string

// The strategies.
const (
	LongestIdle       Strategy = "longest-idle"
	FewestCalls       Strategy = "fewest-calls"       // of this queue, today
	LeastTalk         Strategy = "least-talk"         // for whatever queue, today
	RoundRobin        Strategy = "round-robin"        // after the one last offered
	Linear            Strategy = "linear"             // in the order of the file
	Random            Strategy = "random"             // by lot
	Weighted          Strategy = "weighted"           // by lot, by the agents' weights
	RingAll           Strategy = "ring-all"           // all who are ready at once
	RingProgressively Strategy = "ring-progressively" // in the order of the file, more and more
)

// Strategies are all of them, as problems name them; nobody changes it.
var Strategies = []Strategy{
	LongestIdle, FewestCalls, LeastTalk, RoundRobin, Linear, Random, Weighted, RingAll, RingProgressively,
}

// Widening is a step of `queues.NAME.widen`: who has waited so long is served by agents of a lower level too.
type Widening struct {
	After time.Duration // key `after`, 1s to 1h, each later than the last
	Level int           // key `level`, 1 to 8, each lower than the last and than `level` of the queue
}
