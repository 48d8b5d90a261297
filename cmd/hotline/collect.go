package main

import (
	"os"
	"runtime/debug"
)

// percent is by how much the heap may grow between two collections. A server of calls makes some 50 kB of garbage
// for each and keeps little: with Go's 100 a heap of some ten megabytes is marked again and again, for a tenth of the
// CPU time at 1,000 calls a second. Memory is cheaper.
const percent = 400

// collectSeldom sets the garbage collector for a server, unless the environment says how it is to be.
func collectSeldom() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(percent)
	}
}
