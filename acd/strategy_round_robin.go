package acd

import (
	"cmp"
	"fmt"
)

// RoundRobin rings one agent at a time, in the order of the configuration, going on after the one last offered
// a call of the queue; who is not ready when their turn comes has to wait for the next.
const RoundRobin = "round-robin"

// Whoever becomes ready gets a place on the lap under way, if their turn is still to come in it, or on the next.
// So the place does not change while they wait, though the round goes on.
var roundRobin = strategy{
	before: func(a, b facts) bool { return cmp.Or(cmp.Compare(a.lap, b.lap), cmp.Compare(a.at, b.at)) < 0 },
	key:    func(f facts) string { return fmt.Sprintf("round %d, place %d", f.lap+1, f.at) },
	fanOut: 1,
}
