//go:build unix

package sqlstore

import (
	"os"

	"golang.org/x/sys/unix"
)

// errHeld is what flock returns when another process holds the lock.
const errHeld = unix.EWOULDBLOCK

func flock(f *os.File) error {
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
}
