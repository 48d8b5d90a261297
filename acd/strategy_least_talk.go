package acd

import (
	"cmp"
	"fmt"
)

// LeastTalk rings one agent at a time, the one who has talked least today first, then the one who has been idle
// longest. Talks of every queue count, since they tire alike.
const LeastTalk = "least-talk"

var leastTalk = strategy{
	before: func(a, b facts) bool { return cmp.Or(cmp.Compare(a.talked, b.talked), byIdle(a, b)) < 0 },
	key: func(f facts) string {
		return fmt.Sprintf("talked %.1f s today, %s", f.talked.Seconds(), idleInWords(f))
	},
	fanOut: 1,
}
