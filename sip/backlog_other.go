//go:build !linux

package sip

import "syscall"

// backlog is not told by other systems.
func backlog(syscall.RawConn) (share float64, dropped uint32, ok bool) { return 0, 0, false }
