package sqlstore

import (
	"os"

	"golang.org/x/sys/windows"
)

// errHeld is what flock returns when another process holds the lock.
const errHeld = windows.ERROR_LOCK_VIOLATION

// flock locks a byte far beyond the end, so that the process id stays readable.
func flock(f *os.File) error {
	const exclusive = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	return windows.LockFileEx(windows.Handle(f.Fd()), exclusive, 0, 1, 0, &windows.Overlapped{OffsetHigh: 1})
}
