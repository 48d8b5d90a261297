//go:build !linux

package sip

import "syscall"

// enlarge leaves a socket's buffer as the system has it.
func enlarge(syscall.RawConn) error { return nil }
