package acd

import (
	"cmp"
	"fmt"
)

// FewestCalls rings one agent at a time, the one who answered the fewest calls of the queue today first, then
// the one who has been idle longest.
const FewestCalls = "fewest-calls"

var fewestCalls = strategy{
	before: func(a, b facts) bool { return cmp.Or(cmp.Compare(a.calls, b.calls), byIdle(a, b)) < 0 },
	key:    func(f facts) string { return fmt.Sprintf("%d calls today, %s", f.calls, idleInWords(f)) },
	fanOut: 1,
}
