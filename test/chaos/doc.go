// Package chaos has three nodes be one hotline, with 30 agents' phones and 20 calls a second, while nodes, Redis and
// PostgreSQL are killed, stopped and cut off in turn, and holds what came of it against rules. It has no code but tests.
//
// The phones and callers here are written from the RFCs and share no code with the hotline, not even a parser. What they
// have seen they write down: which INVITE came when, when they rang, talked and were let go, whose audio they heard and
// how long they heard none. The judge reads that and the database's rows, and nothing that the program says of itself.
// The judge has tests of its own, one planted fault for each rule.
//
// Goroutines: each endpoint (a socket, its transactions and calls) is guarded by one mutex, taken by its reader and by
// timers; one goroutine sends everybody's audio, one for each socket of RTP hears it; the test's own goroutine makes the
// faults and starts callers' goroutine. All end with the test.
package chaos
