// Package testkit owns what the tests need to meet the hotline as the world does: real telephones
// (baresip, linphonec, sipp), a browser (Chromium), the wire's own truth (tshark), tones to send and to find again, and the
// hotline's program itself, built once and started like an operator starts it. Where a test must have its
// hand in every message there is a phone of its own (Phone), and a bad network to put before it (Relay).
// Only tests import it.
//
// A test asks for what it needs and is skipped, naming it, where a program is missing; with
// HOTLINE_PEERS=required in the environment (make test) it fails instead. Everything waits for events
// under a deadline; nothing sleeps. What a test started is ended by t.Cleanup, and nothing else is:
// every process is a group of its own, and only that group is signalled.
//
// Goroutines: a helper belongs to the test's goroutine that made it. Only what says so may be used
// from others. Processes' outputs are read by goroutines that Close and cleanup wait for.
package testkit
