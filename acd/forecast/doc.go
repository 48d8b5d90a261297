// Package forecast runs the desk's own code ([acd.Sim]) over callers who are drawn or recorded, in simulated time:
// to hold the desk against the formulas of package erlang, to play a day again under another rule, and to say how
// many agents each half hour needs.
//
// Commands of cmd/hotline call it. Everything runs on the caller's goroutine; nothing here is safe for more than
// one, and the same seed gives the same figures.
package forecast
