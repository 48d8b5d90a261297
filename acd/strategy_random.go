package acd

import "fmt"

// Random rings one agent at a time, each who is ready as likely as any other.
const Random = "random"

var random = strategy{
	before: byDraw,
	key:    func(f facts) string { return fmt.Sprintf("drew %.6f", f.draw) },
	share:  func(facts) float64 { return 1 },
	fanOut: 1,
}
