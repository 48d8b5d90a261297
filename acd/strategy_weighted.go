package acd

import "fmt"

// Weighted rings one agent at a time, by lot: of those who are ready, each as likely as the agent's weight is
// of the sum of all weights.
const Weighted = "weighted"

// The lots are keys by Efraimidis and Spirakis ("Weighted random sampling with a reservoir", Information
// Processing Letters 97, 2006) in their exponential form: an agent draws −ln(u)/weight, and the least is chosen.
// A lot is drawn when an agent becomes ready and kept until chosen. So that those who are left over, whose lots
// are known to be greater than the one chosen, have no disadvantage against who draws anew, a new lot is counted
// from the last one chosen: the exponential distribution has no memory, so each choice is as fresh as if all had
// drawn anew for it.
var weighted = strategy{
	before: byDraw,
	key:    func(f facts) string { return fmt.Sprintf("drew %.6f, weight %d", f.draw, f.weight) },
	share:  func(f facts) float64 { return float64(f.weight) },
	fanOut: 1,
}
