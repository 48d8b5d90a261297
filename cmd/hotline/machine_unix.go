//go:build unix

package main

import "golang.org/x/sys/unix"

// openFiles is how many descriptors this process may have open.
func openFiles() (limit uint64, known bool) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 0, false
	}
	return uint64(l.Cur), true //nolint:unconvert // it is signed on some systems
}
