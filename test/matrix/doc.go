// Package matrix holds the loss matrix: every kind of message, in every direction in which it passes, on
// the caller's side and on the agent's, lost, late, or out of order between the hotline's program and phones
// that share no code with it (testkit.Phone). Whatever is lost, both sides must end in the same state: no
// agent stays busy, no phone rings on, and one record is written, which is right.
//
// The reduced matrix runs with every test and with timers scaled down (sip.t1); the full one, with the
// timers of RFC 3261, is part of the long evidence: build tag proof. It has no code but tests. A cell is one
// call with phones of its own, on the goroutine of its subtest; all share one hotline.
package matrix
